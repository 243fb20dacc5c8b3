"""The whole doors: the receiver before the real front desk with a store in memory, and the WSGI application."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from flask.testing import FlaskClient

from alerts.auth import Secrets
from alerts.rate_limit import Admission, delivery_limiter, guess_limiter
from alerts.receiver import AlertReceiver, Answer, Request
from app.settings import load_settings
from command_service import CommandService
from domain.limits import ClientPolicy, LimitBook
from persistence.memory.store import MemoryStore
from tests.alerts import corpus
from tests.fuzz.path import FULL, Outcome
from tests.support import ManualClock, SeededIds
from trading_bot import TradingBot, create_app
from use_cases.expand_templates import ExpandTemplates
from use_cases.prepare_alert import PrepareAlert
from use_cases.size_entries import SizeEntries

SECRET = "correct-horse-battery-staple"
TOKEN = "a-long-console-token"
Door = Callable[[bytes, Outcome, bool], str]

_ROWS = 40
"""Alerts in one store: a write of it copies them."""


class Desk:
    """A receiver with a store in memory and a client of the paper broker."""

    __name__ = "receiver"

    def __init__(self) -> None:
        self._taken = 0
        self._begin()

    def _begin(self) -> None:
        clock = ManualClock()
        self.store = MemoryStore(clock=clock, render=lambda notice: f"{notice.kind} {notice.detail}")
        policies = {"default": ClientPolicy("default", LimitBook(), live_allowed=True)}
        prepare = PrepareAlert(
            None,
            ExpandTemplates(corpus.Known(), None, {}, zone=ZoneInfo("UTC")),
            SizeEntries(corpus.Known(), policies, equity_max_age=timedelta(seconds=300)),
        )
        commands = CommandService(
            self.store, policies, clock=clock, prepare=prepare,
            ids=SeededIds(), dedup_window=timedelta(seconds=60), alert_life=timedelta(seconds=300),
        )  # fmt: skip
        self._receiver = AlertReceiver(
            TradingBot(commands), Secrets({"default": SECRET}, "default"), clock=clock,
            admission=Admission(
                delivery_limiter(0, lambda: 0.0), delivery_limiter(0, lambda: 0.0), guess_limiter(0, lambda: 0.0)
            ),
            defaults=FULL,
        )  # fmt: skip

    def __call__(self, raw: bytes, outcome: Outcome, known: bool) -> str:
        self._taken += 1
        if self._taken % _ROWS == 0:
            self._begin()
        before = len(self.store.tables.orders)
        request = Request("203.0.113.9", None, SECRET if known else "wrong")
        received = self._receiver.receive(request, raw)
        answer = received if isinstance(received, Answer) else self._receiver.settle(received)
        new = len(self.store.tables.orders) - before
        return wrong_answer(answer.status, answer.body, outcome, known=known) or (
            f"{new} orders of an alert that was answered {answer.status}"
            if new and answer.status != 200
            else ""
        )


class Web:
    """The application as a server calls it, over a database of its own; strategies as in `config/example.env`."""

    __name__ = "wsgi"

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def __call__(self, raw: bytes, outcome: Outcome, known: bool) -> str:
        path = f"/webhook/{outcome.dialect}/{SECRET}" if known else "/webhook"
        answer = self._client.post(path, data=raw)
        wrong = wrong_answer(answer.status_code, answer.data, outcome, known=known)
        return wrong or self._preview(raw, outcome)

    def _preview(self, raw: bytes, outcome: Outcome) -> str:
        """What is wrong with the preview of a body: it has to say what the alert becomes."""
        answer = self._client.post("/api/preview", data=raw, headers={"Authorization": f"Bearer {TOKEN}"})
        if answer.status_code != 200:
            return f"its preview was answered {answer.status_code}: {answer.data[:300]!r}"
        told = json.loads(answer.data)
        if (told["outcome"] == "orders") is not outcome.trades:
            return f"its preview says {told}"
        asked = [(leg.kind, leg.side, leg.symbol, leg.price is None) for leg in outcome.legs]
        shown = [(leg["kind"], leg["side"], leg["symbol"], leg["price"] is None) for leg in told["legs"]]
        return "" if asked == shown else f"its preview shows {shown}, and it asks for {asked}"


def wrong_answer(status: int, body: bytes, outcome: Outcome, *, known: bool) -> str:
    """What is wrong with an answer; empty where nothing is."""
    if status >= 500:
        return f"answered {status}: {body[:300]!r}"
    try:
        told = json.loads(body)
    except ValueError:
        return f"the answer is no JSON: {body[:300]!r}"
    if status not in (200, 400, 401, 409, 413):
        return f"answered {status}"
    if status == 200 and not known:
        return f"a stranger was answered {told}"
    if status == 200 and told["status"] in ("ACCEPTED", "PARTIAL") and not outcome.trades:
        return f"it cannot be traded on, and was answered {told}"
    if status == 200 and told.get("legs") and outcome.trades:
        asked = {(leg.symbol, leg.quantity) for leg in outcome.legs}
        for leg in told["legs"]:
            of_exit = any(each.quantity is None or each.kind != "ENTRY" for each in outcome.legs)
            if not of_exit and (leg["symbol"], Decimal(str(leg["quantity"]))) not in asked:
                return f"asked for {asked}, and registered {leg}"
    return ""


@contextmanager
def doors(*, receiver: int = 40, web: int = 400) -> Iterator[Sequence[tuple[int, Door]]]:
    """The doors, and which one of so many bodies goes through each."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        strategies = Path(folder) / "strategies.toml"
        strategies.write_text(
            '[default]\nstrategy_name = "Fuzzed"\nexchange = "DEFEX"\nproduct = "MIS"\nquantity = 7919\nside = "BUY"\n'
        )
        environ = {
            "ORDERS_DB": f"{folder}/orders.db", "WEBHOOK_SECRET": SECRET, "CONSOLE_TOKEN": TOKEN,
            "STRATEGIES_FILE": str(strategies), "WEBHOOK_RATE_PER_SECOND": "0",
            "WEBHOOK_AUTH_FAILURES_PER_MINUTE": "1000000",
        }  # fmt: skip
        app = create_app(load_settings(environ, dotenv_path=None))
        yield [(receiver, Desk()), (web, Web(app.test_client()))]
