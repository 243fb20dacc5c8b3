"""Say what an alert would do. Nothing is stored, sent or asked: the body is read, and that is all."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from alerts.decoding import decode
from alerts.formats.description import Dialects
from alerts.sanitising import shown
from alerts.sharing import owned, shared
from domain.alert import LegRequest, ParsedAlert
from domain.alert_defaults import AlertDefaultsBook
from domain.enums import ExecutionType
from domain.errors import InvalidAlert, NothingAsked
from domain.instruments.choice import InstrumentChoice
from domain.money import decimal_text
from domain.protection_terms import Terms

AUTO = "auto"
"""The format of a preview whose dialect is recognised."""

Preview = Mapping[str, object]
Cancels = Callable[[ParsedAlert], list[dict[str, object]]]
"""Returns the entries that an alert would take back as things stand."""
Blocks = Callable[[ParsedAlert], list[dict[str, object]]]
"""Returns the legs that would be blocked whatever happens until then, with their tags."""


class Secrecy(NamedTuple):
    """What a preview knows of secrets, which it asks for none.

    - `mask`: hides secrets in a text.
    - `owner`: returns the strategy whose secret a text is.
    """

    mask: Callable[[str], str] = str
    owner: Callable[[str | None], str | None] = lambda _: None


NO_SECRETS = Secrecy()


class Previewer:
    """Previews alerts.

    Args:
        defaults: what alerts need not name.
        secrecy: what is known of secrets.
        resolve: finds the instruments of the legs.
        blocks: finds legs that are blocked by what is configured.
        cancels: finds the entries that an alert would take back.
    """

    def __init__(
        self,
        dialects: Dialects,
        defaults: AlertDefaultsBook,
        *,
        client_id: str,
        secrecy: Secrecy = NO_SECRETS,
        resolve: Callable[[ParsedAlert], ParsedAlert] = lambda alert: alert,
        blocks: Blocks = lambda _: [],
        cancels: Cancels = lambda _: [],
    ) -> None:
        self._dialects = dialects
        self._defaults = defaults
        self._client_id = client_id
        self._mask, self._owner = secrecy
        self._resolve = resolve
        self._blocks = blocks
        self._cancels = cancels

    def __call__(self, raw: bytes, name: str | None = None) -> Preview:
        """What an alert with this body would do, sent to the dialect of this name (None or `auto`: to the webhook)."""
        name = None if name in (None, "", AUTO) else name
        body = decode(raw)
        dialect = self._dialects.dialect_of(body, name)
        try:
            if name is not None and self._dialects.named(name) is None:
                expected = f"{AUTO} or one of {', '.join(self._dialects.names)}"
                raise InvalidAlert("UNKNOWN_FORMAT", f"expected {expected}, got {shown(name)}", "format")
            unreadable = body.unreadable_as(dialect.form)
            if unreadable is not None:
                raise unreadable
            defaults = self._defaults.owned_by(self._owner(dialect.secret.find(body)))
            alert = dialect.parse(body, default_client=self._client_id, defaults=defaults)
            alert = owned(alert, defaults, self._mask)
            alert = shared(alert, defaults, sender=None, named=dialect.client_of(body))
        except InvalidAlert as error:
            outcome = "info" if isinstance(error, NothingAsked) else "rejected"
            told = _answer(outcome, dialect.name, error=None if outcome == "info" else self._error(error))
            return {**told, "repairs": list(body.reading.repairs)}
        alert = self._resolve(alert)
        told = _answer("orders", dialect.name, alert=alert, blocked=self._blocks(alert), mask=self._mask)
        if alert.execution_type is not ExecutionType.CANCEL:
            return told
        return {**told, "cancels": self._cancels(alert)}

    def _error(self, error: InvalidAlert) -> dict[str, object]:
        field = error.field and self._mask(error.field)
        return {"code": error.code, "message": self._mask(error.message), "field": field}


def _answer(
    outcome: str,
    name: str,
    *,
    alert: ParsedAlert | None = None,
    blocked: list[dict[str, object]] | None = None,
    error: dict[str, object] | None = None,
    mask: Callable[[str], str] = str,
) -> Preview:
    return {
        "outcome": outcome,
        "format": name,
        "strategy_name": None if alert is None else mask(alert.strategy_name),
        "legs": [] if alert is None else [_leg(alert, leg) for leg in alert.legs],
        "repairs": [] if alert is None else list(alert.repairs),
        "unread": [] if alert is None else [mask(key) for key in alert.unread],
        "blocked": blocked or [],
        "error": error,
    }


def _leg(alert: ParsedAlert, leg: LegRequest) -> dict[str, object]:
    return {
        "kind": leg.kind,
        "execution_type": leg.kind.execution_type,
        "side": leg.side,
        "symbol": leg.symbol,
        "exchange": leg.exchange,
        "instrument": _instrument(leg.instrument),
        "quantity": _number(leg.quantity),
        "sizing": None if leg.sized is None else leg.sized.story,
        "order_type": leg.order_type,
        "price": _number(leg.price),
        "reference_price": _number(leg.reference_price),
        "trigger_price": _number(leg.trigger_price),
        "stop_loss": leg.protection.stop_loss if leg.protection else None,
        "target": leg.protection.target if leg.protection else None,
        **_trail(leg.protection),
        "product": leg.product or None,
        "clients": [share.client_id for share in alert.shares] or [alert.client_id],
    } | _several_targets(leg)


def _several_targets(leg: LegRequest) -> dict[str, object]:
    if leg.protection is None or not leg.protection.targets:
        return {}
    targets = leg.protection.targets
    return {"target": [{"value": value, "share": decimal_text(share)} for value, share in targets]}


def _instrument(choice: InstrumentChoice | None) -> dict[str, object] | None:
    """What the symbol became, and by which choices; None where the client has no master."""
    if choice is None:
        return None
    found = choice.instrument
    fields: dict[str, object] = {}
    if found is not None:
        fields = {
            "exchange": found.exchange,
            "symbol": found.symbol,
            "kind": found.kind,
            "underlying": found.underlying,
            "expiry": None if found.expiry is None else found.expiry.isoformat(),
            "strike": _number(found.strike),
            "lot": _number(found.lot),
            "tick": _number(found.tick),
            "freeze": _number(found.freeze),
            "multiplier": _number(found.multiplier),
        }
    asked = " ".join(choice.asked)
    return {"asked": asked, **fields, "refused": choice.detail or None, "notes": list(choice.notes)}


def _trail(terms: Terms | None) -> dict[str, object]:
    """A leg's trail; nothing where it has none."""
    if terms is None or terms.trailing_type is None:
        return {}
    value, when = _number(terms.trailing_value), _number(terms.trail_when)
    return {"trailing_type": terms.trailing_type, "trailing_value": value, "trail_when": when}


def _number(value: Decimal | None) -> int | str | None:
    """As the webhook answers: a float would not be exact, so a fraction is decimal text."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else decimal_text(value)
