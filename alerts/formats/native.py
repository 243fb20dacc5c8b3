"""The native dialect: Orderwatch's own, and that of bots whose webhooks it took over."""

from difflib import get_close_matches
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alerts.decoding import Body, Document, Form
from alerts.formats.combining import CombinedField, GroupField, combined_of_alert
from alerts.formats.description import AskedFor, Dialect
from alerts.formats.fields import (
    OR_NONE,
    ClientField,
    DistanceField,
    ExchangeField,
    ExecutionTypeField,
    ExitFlag,
    LegExchangeField,
    LevelField,
    NotBuilt,
    NotBuiltYet,
    NotRead,
    OrderTypeField,
    PriceField,
    ProductField,
    QuantityField,
    SideField,
    SignalField,
    StrategyField,
    SymbolField,
    TestModeField,
    TrailingTypeField,
)
from alerts.formats.protecting import (
    ClockField,
    CostField,
    LockField,
    LotSizeField,
    MinutesField,
    TargetField,
)
from alerts.formats.secret_field import SecretField
from alerts.sanitising import shown, shown_key
from domain.alert import LegRequest, ParsedAlert, kind_of
from domain.alert_defaults import NO_DEFAULTS, AlertDefaultsBook
from domain.combined import FIELD, CombinedTerms
from domain.enums import ExecutionType, LegKind, OrderType, Side
from domain.errors import InvalidAlert
from domain.further_terms import cost_fault, targets_fault
from domain.locks import lock_fault
from domain.protection_terms import Terms, trail_fault

NAME = "native"
DEFAULT_PRODUCT = "MIS"

SECRET = SecretField("secret_key")
IGNORED = frozenset({SECRET.key, "underlying", "expiry", "time", "timestamp", "comment", "note"})
"""Top-level keys that ask for nothing.

The secret was checked before. `underlying` and `expiry` are contained in the legs' symbols, which were built from them.
When and why the signal came is information for people.
"""

_FAMILIAR = {"quantity": "qty", "side": "direction", "ticker": "tradingsymbol", "product": "product_type"}
"""Other formats' names for our keys. They are too different from ours to be suggested by their spelling."""

_ENTERING = (ExecutionType.ENTRY, ExecutionType.ADJUST)
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_TRIGGERED = (OrderType.STOP, OrderType.STOP_LIMIT)

_PROTECTION = (
    "stop_loss", "target", "lot_size", "trailing_type", "trailing_value", "trail_when", "move_to_cost",
    "lock_and_trail", "exit_at", "exit_after_minutes",
)  # fmt: skip

_OF_AN_ORDER = ("qty", "order_type", "price", "trigger_price", *_PROTECTION)
"""Fields of a leg that say what is ordered."""

_ON_AN_EXIT = (
    "{field} on an EXIT can mean two things, so nothing is sent. To exit now: leave it out or null. To exit at a "
    "price: order_type STOP with trigger_price, or LIMIT with price. To protect what stays: POST /api/protections/<id>"
)

T = TypeVar("T")


class _Leg(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tradingsymbol: SymbolField
    direction: SideField = None
    qty: QuantityField = None
    exchange: LegExchangeField = None
    product_type: ProductField = None
    order_type: OrderTypeField = None
    price: PriceField = None
    trigger_price: PriceField = None
    stop_loss: LevelField = None
    target: TargetField = None
    lot_size: LotSizeField = None
    trailing_type: TrailingTypeField = None
    trailing_value: DistanceField = None
    trail_when: DistanceField = None
    move_to_cost: CostField = None
    lock_and_trail: LockField = None
    exit_at: ClockField = None
    exit_after_minutes: MinutesField = None
    exit: ExitFlag = None
    note: NotRead = None
    comment: NotRead = None


class _Alert(BaseModel):
    model_config = ConfigDict(extra="forbid")

    execution_type: ExecutionTypeField
    strategy_name: StrategyField
    exchange: ExchangeField
    legs: Annotated[list[_Leg], Field(min_length=1, max_length=20, description="a list of 1 to 20 legs")]
    signal_id: SignalField = None
    client_id: ClientField = None
    test_mode: TestModeField = None
    product_type: ProductField = None
    strategy_stoploss: NotBuilt = None
    trailing_stoploss: NotBuilt = None
    stop_loss: NotBuilt = None
    target: NotBuilt = None
    group: GroupField = None
    group_protection: CombinedField = None
    when_price: NotBuilt = None
    trailing_type: NotBuilt = None
    trailing_value: NotBuilt = None
    trail_when: NotBuilt = None


def parse(body: Body, *, default_client: str, defaults: AlertDefaultsBook = NO_DEFAULTS) -> ParsedAlert:
    """Parse a native alert, which names everything itself: of `defaults` only the owner of its secret is asked.

    Raises:
        InvalidAlert: `UNREADABLE`, `MISSING`, `INVALID`, `UNKNOWN_KEY`, `CONTRADICTION`, `AMBIGUOUS` for protection on
            an EXIT, or `NOT_BUILT` for what the format has and the program cannot do yet. Such a request is never
            accepted and then ignored.
    """
    document = _readable(body)
    fields = {key: document[key] for key in document if key not in IGNORED}
    if defaults.owner is not None and fields.get("strategy_name") in (None, ""):
        fields["strategy_name"] = defaults.owner
    try:
        asked = _Alert.model_validate(fields)
    except ValidationError as error:
        raise _invalid(error) from None
    _check_exits(asked)
    legs = tuple(_leg(asked, leg, f"legs[{index}]") for index, leg in enumerate(asked.legs))
    _refuse_contradiction(legs)
    return ParsedAlert(
        format=NAME,
        client_id=asked.client_id or default_client,
        strategy_name=asked.strategy_name,
        execution_type=asked.execution_type,
        legs=legs,
        signal_id=asked.signal_id,
        test_mode=asked.test_mode,
        combined=_of_entries(asked),
        group=asked.group,
    )


def _readable(body: Body) -> Document:
    error = body.unreadable_as(Form.JSON)
    if error is not None:
        raise error
    return body.document or {}


def _check_exits(asked: _Alert) -> None:
    """Check that an ADJUST has exits first and then entries, and that no other alert marks a leg as an exit."""
    marks = [bool(leg.exit) for leg in asked.legs]
    if asked.execution_type is not ExecutionType.ADJUST:
        index = next((i for i, leg in enumerate(asked.legs) if leg.exit is not None), None)
        if index is not None:
            message = f"expected none in an {asked.execution_type}, whose legs are all of one kind"
            raise InvalidAlert("INVALID", message, f"legs[{index}].exit")
        return
    if len(set(marks)) < 2:
        wanted = "an exit" if not marks[0] else "an entry"
        message = f'expected {wanted} too in an ADJUST: legs with "exit": true, and then legs without'
        raise InvalidAlert("INVALID", message, "legs")
    if marks != sorted(marks, reverse=True):
        index = next(i for i, mark in enumerate(marks) if mark and not all(marks[:i]))
        raise InvalidAlert(
            "INVALID", "expected the legs that exit before those that enter", f"legs[{index}].exit"
        )


def _type_of(asked: _Alert, leg: _Leg) -> ExecutionType:
    if asked.execution_type is not ExecutionType.ADJUST:
        return asked.execution_type
    return ExecutionType.EXIT if leg.exit else ExecutionType.ENTRY


def _leg(asked: _Alert, leg: _Leg, place: str) -> LegRequest:
    type_ = _type_of(asked, leg)
    if type_ is ExecutionType.CANCEL:
        return _cancel(asked, leg, place)
    if type_ is ExecutionType.ENTRY:
        _required(leg.direction, place, "direction", "an ENTRY")
        _required(leg.qty, place, "qty", "an ENTRY")
    order_type = leg.order_type or OrderType.MARKET
    if order_type in _LIMITED:
        _required(leg.price, place, "price", f"a {order_type} order")
    if order_type in _TRIGGERED:
        _required(leg.trigger_price, place, "trigger_price", f"a {order_type} order")
    elif leg.trigger_price is not None:
        message = f"expected none for a {order_type} order, got {leg.trigger_price}"
        raise InvalidAlert("INVALID", message, f"{place}.trigger_price")
    any_product = "" if type_ is ExecutionType.EXIT else DEFAULT_PRODUCT
    return LegRequest(
        symbol=leg.tradingsymbol,
        exchange=leg.exchange or asked.exchange,
        side=leg.direction,
        quantity=leg.qty,
        product=leg.product_type or asked.product_type or any_product,
        order_type=order_type,
        price=leg.price if order_type in _LIMITED else None,
        trigger_price=leg.trigger_price,
        reference_price=None if order_type in _LIMITED else leg.price,
        kind=kind_of(type_, leg.qty),
        protection=_protection(asked, leg, place),
    )


def _cancel(asked: _Alert, leg: _Leg, place: str) -> LegRequest:
    """What is taken back: all entries in the symbol, or those of one direction or product."""
    extra = [name for name in _OF_AN_ORDER if getattr(leg, name) is not None]
    if extra:
        message = "expected none in a CANCEL, which takes back all of its strategy's entries there"
        raise InvalidAlert("INVALID", message, f"{place}.{extra[0]}")
    return LegRequest(
        symbol=leg.tradingsymbol,
        exchange=leg.exchange or asked.exchange,
        side=leg.direction,
        quantity=None,
        product=leg.product_type or asked.product_type or "",
        order_type=OrderType.MARKET,
        kind=LegKind.CANCEL,
    )


def _protection(asked: _Alert, leg: _Leg, place: str) -> Terms | None:
    """Return what protects the leg's units; None: nothing."""
    trigger, offset = leg.move_to_cost or (None, None)
    terms = Terms(
        leg.stop_loss,
        leg.target if isinstance(leg.target, str) else None,
        leg.trailing_type,
        leg.trailing_value,
        leg.trail_when,
        targets=leg.target if isinstance(leg.target, tuple) else (),
        lot_size=leg.lot_size,
        cost_trigger=trigger,
        cost_offset=offset,
        exit_at=leg.exit_at,
        exit_after_minutes=leg.exit_after_minutes,
        lock=leg.lock_and_trail,
    )
    first = next((name for name in _PROTECTION if getattr(leg, name) is not None), None)
    if first is None:
        return None
    if _type_of(asked, leg) is not ExecutionType.ENTRY:
        raise InvalidAlert("AMBIGUOUS", _ON_AN_EXIT.format(field=first), f"{place}.{first}")
    sign = 1 if leg.direction is Side.BUY else -1
    fault = trail_fault(terms) or targets_fault(terms, sign) or cost_fault(terms) or lock_fault(terms)
    if fault is not None:
        raise InvalidAlert("INVALID", fault[1], f"{place}.{fault[0]}")
    return terms


def _of_entries(asked: _Alert) -> CombinedTerms | None:
    """Return what protects the alert's entries as a whole; None: nothing. Only entries are a group."""
    for name in ("group", FIELD):
        if getattr(asked, name) is not None and asked.execution_type not in _ENTERING:
            message = f"expected none in an {asked.execution_type}: it is about what an alert enters"
            raise InvalidAlert("INVALID", message, name)
    return combined_of_alert(asked.group_protection)


def _required(value: T | None, place: str, name: str, needed_by: str) -> None:
    if value is None:
        expected = (_Leg.model_fields[name].description or "").removesuffix(OR_NONE)
        raise InvalidAlert("MISSING", f"expected {expected} for {needed_by}, got none", f"{place}.{name}")


def _refuse_contradiction(legs: tuple[LegRequest, ...]) -> None:
    sides: dict[tuple[str, str], Side | None] = {}
    for index, leg in enumerate(legs):
        if leg.kind is not LegKind.ENTRY:
            continue
        if sides.setdefault((leg.exchange, leg.symbol), leg.side) is not leg.side:
            message = f"expected one direction for {leg.symbol} in one ENTRY, got both BUY and SELL"
            raise InvalidAlert("CONTRADICTION", message, f"legs[{index}].direction")


# errors ------------------------------------------------------------------------------------------------------


class _Fault(NamedTuple):
    location: tuple[int | str, ...]
    kind: str  # pydantic's name for it
    given: object
    cause: object


def _invalid(error: ValidationError) -> InvalidAlert:
    faults = (
        _Fault(each["loc"], each["type"], each["input"], each.get("ctx", {}).get("error"))
        for each in error.errors(include_url=False)
    )
    fault = min(faults, key=_rank)
    steps = (f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}" for step in fault.location)
    code, message = _code_and_message(fault)
    return InvalidAlert(code, message, "".join(steps).removeprefix("."))


def _rank(fault: _Fault) -> int:
    """Rank faults by what to report first: `execution_type`, then an unknown key (maybe misspelt), then the rest."""
    if fault.location == ("execution_type",):
        return 0
    return 1 if fault.kind == "extra_forbidden" else 2


def _code_and_message(fault: _Fault) -> tuple[str, str]:
    location = fault.location
    if isinstance(fault.cause, NotBuiltYet):
        return "NOT_BUILT", str(fault.cause)
    if fault.kind == "extra_forbidden":
        given = shown(location[-1])
        return "UNKNOWN_KEY", f"expected a key of the native format, got {given}{_suggestion(location)}"
    if fault.kind == "missing":
        return "MISSING", f"expected {_expected(location)}, got nothing"
    return "INVALID", f"expected {_expected(location)}, got {_got(fault.given)}"


def _model(location: tuple[int | str, ...]) -> type[BaseModel]:
    return _Leg if len(location) > 1 else _Alert


def _expected(location: tuple[int | str, ...]) -> str:
    if isinstance(location[-1], int):
        return "an object"
    return _model(location).model_fields[location[-1]].description or "something else"


def _got(value: object) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else shown(value)


def _suggestion(location: tuple[int | str, ...]) -> str:
    key, here = str(location[-1]), _model(location)
    known = here.model_fields
    if _FAMILIAR.get(key) in known:
        return f"; did you mean {_FAMILIAR[key]!r}?"
    other = _Alert if here is _Leg else _Leg
    if key in other.model_fields:
        return "; it belongs " + ("into each of the legs" if other is _Leg else "beside the legs")
    close = get_close_matches(key[:80], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


# the description --------------------------------------------------------------------------------------------


def _recognises(body: Body) -> bool:
    document = body.document
    return document is not None and ("legs" in document or "execution_type" in document)


def _client_of(body: Body) -> str | None:
    named = (body.document or {}).get("client_id")
    return (named.strip() or None) if isinstance(named, str) else None


def _asked_for(body: Body) -> AskedFor:
    document = body.document or {}
    legs = document.get("legs")
    return AskedFor(
        document.get("strategy_name"),
        document.get("signal_id"),
        document.get("execution_type"),
        [leg.get("tradingsymbol") for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else (),
    )


NATIVE = Dialect(
    name=NAME,
    form=Form.JSON,
    recognises=_recognises,
    secret=SECRET,
    client_of=_client_of,
    asked_for=_asked_for,
    parse=parse,
)
