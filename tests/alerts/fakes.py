"""A desk that remembers what it was handed, and a web client in front of it."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from alerts.auth import Secrets
from alerts.formats.description import Dialects
from alerts.formats.registry import DIALECTS
from alerts.rate_limit import Admission, delivery_limiter, guess_limiter
from alerts.receiver import AlertReceiver
from alerts.webhook import create_webhook
from domain.alert import Delivery, LegRequest, ParsedAlert
from domain.enums import Outcome, Side
from domain.errors import InvalidAlert
from domain.order import Order
from domain.receipt import Receipt
from domain.senders import ANYBODY, SendersBook

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
SECRET = "correct horse/battery+staple"
OTHER_SECRET = "a second client's secret"
SECRETS = Secrets({"default": SECRET, "other": OTHER_SECRET}, "default")

_DOCUMENT: dict[str, Any] = {
    "secret_key": SECRET,
    "execution_type": "ENTRY",
    "strategy_name": "NIFTY_STRADDLE",
    "exchange": "NFO",
    "signal_id": "bar-1",
    "test_mode": None,
    "legs": [
        {
            "tradingsymbol": "NIFTY26NOV24500CE",
            "direction": "BUY",
            "qty": 50,
            "product_type": "MIS",
            "order_type": "LIMIT",
            "price": 112.5,
            "trigger_price": None,
            "stop_loss": None,
            "target": None,
            "trailing_type": None,
            "trailing_value": None,
            "trail_when": None,
        }
    ],
}


def a_document(**changes: Any) -> dict[str, Any]:
    """The native example of the interface; name the top-level keys that are to be different."""
    return deepcopy(_DOCUMENT) | changes


def with_leg(execution_type: Any = "ENTRY", **changes: Any) -> dict[str, Any]:
    """The example with its only leg changed; `...` leaves a key out."""
    document = a_document(execution_type=execution_type)
    leg = document["legs"][0] | changes
    document["legs"] = [{key: value for key, value in leg.items() if value is not ...}]
    return document


class FixedClock:
    def now(self) -> datetime:
        return NOW


class FakeDesk:
    """Accepts every alert, or raises the error that is put into `error`."""

    def __init__(self) -> None:
        self.accepted: list[tuple[ParsedAlert, Delivery]] = []
        self.rejected: list[tuple[str, Delivery, InvalidAlert, str | None, str | None]] = []
        self.wishes: list[tuple[str | None, ...]] = []
        self.error: Exception | None = None
        self.keep_error: Exception | None = None
        self.receipt: Receipt | None = None

    def process_alert(self, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        if self.error is not None:
            raise self.error
        self.accepted.append((alert, delivery))
        legs = tuple(order_of(alert, leg, f"a1-{place}") for place, leg in enumerate(alert.legs, 1))
        return self.receipt or Receipt("a1", Outcome.ACCEPTED, legs)

    def process_alerts(self, alerts: Sequence[tuple[ParsedAlert, Delivery]]) -> list[Receipt | Exception]:
        return [self.process_alert(*each) for each in alerts]

    def keep_rejected(
        self,
        client_id: str,
        delivery: Delivery,
        error: InvalidAlert,
        *,
        strategy_name: str | None,
        signal_id: str | None,
        execution_type: str | None,
        symbols: Sequence[str],
    ) -> str:
        if self.keep_error is not None:
            raise self.keep_error
        self.rejected.append((client_id, delivery, error, strategy_name, signal_id))
        self.wishes.append((execution_type, *symbols))
        return f"r{len(self.rejected)}"


def order_of(alert: ParsedAlert, leg: LegRequest, command_id: str) -> Order:
    fields: dict[str, Any] = {
        "command_id": command_id,
        "alert_id": "a1",
        "leg_index": 0,
        "client_id": alert.client_id,
        "strategy_name": alert.strategy_name,
        "execution_type": alert.execution_type,
        "exchange": leg.exchange,
        "symbol": leg.symbol,
        "side": leg.side or Side.SELL,
        "quantity": leg.quantity or Decimal(0),
        "requested_quantity": leg.quantity,
        "product": leg.product,
        "order_type": leg.order_type,
        "price": leg.price,
        "trigger_price": leg.trigger_price,
        "reference_price": leg.reference_price,
        "test_mode": alert.test_mode,
        "client_order_id": "ow1",
        "created_at": NOW,
        "expires_at": NOW + timedelta(minutes=5),
    }
    return Order(**fields)


class Seconds:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def web_client(
    desk: FakeDesk,
    *,
    secrets: Secrets = SECRETS,
    max_bytes: int = 4096,
    rate: float = 0,
    failures: int = 0,
    monotonic: Seconds | None = None,
    dialects: Dialects = DIALECTS,
    senders: SendersBook = ANYBODY,
) -> FlaskClient:
    clock = monotonic or Seconds()
    receiver = AlertReceiver(
        desk,
        secrets,
        clock=FixedClock(),
        admission=Admission(
            delivery_limiter(rate, clock),
            delivery_limiter(rate, clock),
            guess_limiter(failures, clock),
            senders,
        ),
        dialects=dialects,
    )
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(create_webhook(receiver, max_bytes=max_bytes))
    return app.test_client()
