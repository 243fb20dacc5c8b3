"""Read one command of an alert into a leg. What could be meant in two ways is refused; nothing is guessed."""

import re
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from alerts.formats import fields
from alerts.formats.cancels import CancelWish, cancel_wish_of
from alerts.formats.doubts import refuse_doubts
from alerts.formats.guards import NO_GUARDS, Guards, guards_of
from alerts.formats.intents import intent_of, is_change_of_position, not_built, refuse_not_built
from alerts.formats.keys import traits_of
from alerts.formats.layout import Layout
from alerts.formats.misspelt import refuse_misspelt
from alerts.formats.sheet import Found, Sheet, number_at
from alerts.formats.sizes import Asked, size_asked
from alerts.formats.templates import of_template
from alerts.formats.words import NOTES, ORDER_TYPES, PRODUCTS, UNITS, Act, Role
from alerts.reading import plain
from alerts.sanitising import shown
from domain.alert import LegRequest
from domain.alert_defaults import AlertDefaults
from domain.enums import ExecutionType, LegKind, OrderType, Side
from domain.errors import InvalidAlert
from domain.leg_templates import LegTemplate
from domain.sizing import SizeAsk

_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9_]{1,19}):([^:]+)")
_LETTER = re.compile(r"[A-Za-z0-9]")
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_TRIGGERED = (OrderType.STOP, OrderType.STOP_LIMIT)
_NO_SIZES = (Role.POSITION_SIZE, Role.PREVIOUS_SIZE, Role.SIZE_UNIT, Role.REFERENCE)
_SCALARS = frozenset((
    Role.QUANTITY, Role.SIZE, Role.POSITION, Role.PREVIOUS, Role.POSITION_SIZE, Role.SIDE, Role.SYMBOL, Role.EXCHANGE,
    Role.PRODUCT,
))  # fmt: skip
"""Where an object or a list stands for one of these, nobody reads it, and a default must not take its place."""
_BAR = ("open", "high", "low", "close")
_KINDS_OF_MESSAGES = frozenset(("alert", "signal", "indicator", "strategy", "webhook", "message"))
_FILE = "config/strategies.toml"


class Prices(NamedTuple):
    """The prices of an order, and the one at the signal."""

    order_type: OrderType
    limit: Decimal | None
    trigger: Decimal | None
    reference: Decimal | None


def legs_of(sheet: Sheet, layout: Layout, defaults: AlertDefaults) -> tuple[LegRequest, ...]:
    """Read a command into its legs: one, or for a reversal the exit and the entry.

    Raises:
        InvalidAlert: it cannot be traded on; the message says what was expected.
    """
    wish = cancel_wish_of(sheet, layout)
    if wish is not None:
        refuse_doubts(sheet, layout, entry=False)
        return (_cancel(wish, sheet, defaults),)
    asked = size_asked(sheet, layout, defaults.currency)
    if asked is not None:
        _refuse_beside(asked, sheet, layout)
    size = _quantity(sheet, layout) if asked is None else None
    intent = intent_of(sheet, layout, defaults.side, size)
    is_entry = intent.act in (Act.ENTRY, Act.REVERSE, Act.TARGET)
    if asked is not None and intent.act is not Act.ENTRY:
        hint = "send a number of units, or for an exit of all no size"
        raise not_built(f"{asked.ask.text} of what is no plain entry", hint, asked.key)
    if is_entry and asked is None and size is None and intent.size is None:
        _refuse_sizes(sheet.given(Role.SIZE))
    if is_entry:
        _refuse_nested_kind(sheet, layout)
        refuse_misspelt(sheet, layout)
    guards = _guards(sheet, layout, intent.side) if is_entry else NO_GUARDS
    refuse_not_built(sheet, layout, entry=is_entry, read=guards.read)
    refuse_doubts(sheet, layout, guards.read, entry=is_entry)
    ask = asked.ask if asked is not None else _own_sizing(intent.act, size, defaults)
    symbol, exchange, template = _instrument(sheet, defaults)
    is_sized = ask is not None or (template is not None and intent.act is Act.ENTRY)
    quantity = None if is_sized else _quantity_of(intent.act, intent.size or size, sheet, defaults)
    prices = _prices(sheet, layout, defaults if is_entry else AlertDefaults())
    kind = LegKind.ENTRY if is_entry else LegKind.FLAT if quantity is None else LegKind.EXIT
    if intent.act is Act.TARGET:
        kind = LegKind.TARGET
    if kind is LegKind.TARGET and prices.order_type is not OrderType.MARKET:
        raise not_built(
            f"a position to reach by a {prices.order_type} order", "send a market order", "order_type"
        )
    leg = LegRequest(
        symbol=symbol,
        exchange=exchange,
        side=intent.side,
        quantity=quantity,
        product=_product(sheet, defaults, kind.execution_type),
        order_type=prices.order_type,
        price=prices.limit,
        trigger_price=prices.trigger,
        reference_price=prices.reference,
        kind=kind,
        protection=guards.terms,
        order_side=intent.order_side,
        size=ask,
        template=template,
    )
    if defaults.legs is not None:
        leg = of_template(leg, defaults.legs, intent.act, asked)
    return (leg,) if intent.act is not Act.REVERSE else (_close(leg, sheet, defaults), leg)


def _cancel(wish: CancelWish, sheet: Sheet, defaults: AlertDefaults) -> LegRequest:
    """The leg of a cancel: in one symbol, or in all where it names none and says so."""
    symbol, exchange, template = "", _exchange(sheet, None) or "", None
    if not wish.is_all or sheet.find(Role.SYMBOL) or sheet.find(Role.SYMBOL_TOO):
        symbol, exchange, template = _instrument(sheet, defaults)
    return LegRequest(
        symbol=symbol,
        exchange=exchange,
        side=wish.side,
        quantity=None,
        product=_product(sheet, defaults, ExecutionType.CANCEL),
        order_type=OrderType.MARKET,
        kind=LegKind.CANCEL,
        template=template,
    )


def _close(entry: LegRequest, sheet: Sheet, defaults: AlertDefaults) -> LegRequest:
    """The exit of a reversal: all that is held, at market, by an order of the entry's side.

    Raises:
        InvalidAlert: the order is no market order, which leaves open when the old position is closed.
    """
    if entry.order_type is not OrderType.MARKET:
        raise not_built(f"a reversal by a {entry.order_type} order", "send a market order", "order_type")
    return replace(
        entry,
        kind=LegKind.FLAT,
        quantity=None,
        protection=None,
        product=_product(sheet, defaults, ExecutionType.EXIT),
    )


def _guards(sheet: Sheet, layout: Layout, side: Side | None) -> Guards:
    """What protects an entry; nothing where the layout's own switch says otherwise, so that it is refused."""
    for key, words in layout.guards_where.items():
        found = sheet.at(key)
        if found is None or found.word() not in words:
            return NO_GUARDS
    return guards_of(sheet, layout.guards, side, layout.roles)


def _refuse_nested_kind(sheet: Sheet, layout: Layout) -> None:
    """Refuse an entry whose kind or price is an object: nobody reads what stands in it."""
    for path, each in sheet:
        roles = {role for role, _ in layout.roles.get(path, ())}
        if (
            each.is_nested
            and each.value
            and not roles.isdisjoint((Role.ORDER_TYPE, Role.LIMIT, Role.TRIGGER))
        ):
            raise InvalidAlert("INVALID", f"expected a word or a price, got {shown(each.value)}", each.key)


# quantity ----------------------------------------------------------------------------------------------------


def _quantity(sheet: Sheet, layout: Layout) -> Decimal | None:
    """The number of units that the command names; None where it names no size.

    Raises:
        InvalidAlert: it names a size that is no number of units for certain.
    """
    for path, each in sheet:
        is_one = any(role in _SCALARS for role, _ in layout.roles.get(path, ()))
        if is_one and each.is_nested and each.value:
            raise InvalidAlert("INVALID", f"expected one value, got {shown(each.value)}", each.key)
    unit = sheet.find(Role.SIZE_UNIT)
    if unit is not None and unit.word() not in UNITS:
        raise not_built(f"a size in {shown(unit.value)}", "send a number of units", unit.key)
    given = sheet.given(Role.QUANTITY)
    sizes = sheet.given(Role.SIZE)
    if not given and sizes:
        is_units = unit is not None or layout.size_is_units
        names_lots = "lot" in plain(sizes[0].key)
        is_change = not names_lots and is_change_of_position(sizes[0], sheet)
        given = sizes if is_units or is_change else []
    units = _units(given[0]) if given else None
    money = sheet.at("notional") if units else None
    if money is not None and money.asks:
        message = f"expected one size, got {given[0].key} and {money.key}: leave one out"
        raise InvalidAlert("AMBIGUOUS", message, money.key)
    if units:  # of nothing the other sizes say more: beside an exit it means all, unless they name a part
        return units
    has_bar = all(sheet.at(key) is not None for key in _BAR)
    _refuse_sizes([each for each in sizes if not (has_bar and plain(each.key) == "volume")])
    for path, each in sheet:
        if has_bar and path == "volume":  # of the bar; whether an entry may do with that is seen later
            continue
        if not each.is_nested and each.asks and _may_be_a_size(path, each, layout):
            hint = f"send a number of units as quantity, or leave it out and set quantity in {_FILE}"
            raise not_built("a size in other than units", hint, each.key)
    return units


def _refuse_sizes(sizes: Iterable[Found]) -> None:
    for each in sizes:
        if each.asks:
            message = f"{shown(each.value)} may be units, lots or money: send a number of units as quantity"
            raise InvalidAlert("AMBIGUOUS", message, each.key)


def _may_be_a_size(path: str, found: Found, layout: Layout) -> bool:
    """Whether a field may name a size; what describes the bar, the position or its protection does not."""
    traits = traits_of(path, found.key)
    if not traits.sizes or traits.protects or path.partition(".")[0] in NOTES:
        return False
    return not any(role in _NO_SIZES for role, _ in layout.roles.get(path, ()))


def _units(found: Found) -> Decimal:
    text = found.value.strip() if isinstance(found.value, str) else ""
    if re.search(r"\d", text) and not re.fullmatch(r"[+-]?[\d.]+([eE][+-]?\d+)?", text):
        raise not_built(f"the size {shown(found.value)}", "send a number of units", found.key)
    return number_at(found)


def _refuse_beside(asked: Asked, sheet: Sheet, layout: Layout) -> None:
    """Refuse another size beside one in other than units."""
    has_bar = all(sheet.at(key) is not None for key in _BAR)
    for path, each in sheet:
        if path == asked.path or each.is_nested or not each.asks or (has_bar and path == "volume"):
            continue
        is_size = any(role in (Role.QUANTITY, Role.SIZE) for role, _ in layout.roles.get(path, ()))
        if is_size or _may_be_a_size(path, each, layout):
            message = f"expected one size, got {asked.key} and {each.key}: leave one out"
            raise InvalidAlert("AMBIGUOUS", message, each.key)


def _own_sizing(act: Act, size: Decimal | None, defaults: AlertDefaults) -> SizeAsk | None:
    """The strategy's sizing, for an entry that names no size."""
    if act is not Act.ENTRY or size is not None or defaults.sizing is None:
        return None
    return replace(defaults.sizing, quoted_in=defaults.currency)


def _quantity_of(act: Act, size: Decimal | None, sheet: Sheet, defaults: AlertDefaults) -> Decimal | None:
    """The quantity of the leg; None for all that is held."""
    if act is Act.FLAT or (act is Act.CLOSE and size is None):
        if act is Act.CLOSE and any(not each.is_empty for each in sheet.every(Role.POSITION)):
            raise InvalidAlert(
                "MISSING", "expected the quantity of an exit from a part, got none", "quantity"
            )
        return None
    if size is None:
        size = defaults.quantity
    if size is None:
        raise InvalidAlert(
            "MISSING", f"expected a quantity here, or as `quantity` in {_FILE}, got none", "quantity"
        )
    try:
        return fields.read_quantity(size)
    except ValueError:
        expected = "a quantity above 0 of at most 18 digits and 8 decimals"
        raise InvalidAlert("INVALID", f"expected {expected}, got {shown(size)}", "quantity") from None


# instrument --------------------------------------------------------------------------------------------------


def _instrument(sheet: Sheet, defaults: AlertDefaults) -> tuple[str, str, LegTemplate | None]:
    found = sheet.find(Role.SYMBOL) or sheet.find(Role.SYMBOL_TOO)
    if found is None:
        raise InvalidAlert("MISSING", "expected a symbol, got none", "symbol")
    if isinstance(found.value, bool | Decimal):
        raise InvalidAlert("INVALID", f"expected a symbol, got {shown(found.value)}", found.key)
    named = str(found.value).strip()
    own = defaults.symbols.get(named.upper())
    prefix, name = None, named
    parts = _PREFIX.fullmatch(named)
    template = defaults.legs
    if template is not None and {named.upper(), parts[2].upper() if parts else ""} & template.names:
        return template.underlying, template.exchange, template
    if parts is not None:
        prefix, name = parts[1].upper(), parts[2]
        own = own or defaults.symbols.get(name.upper())
    exchange = _exchange(sheet, prefix)
    if own is not None:
        name, exchange = own.symbol, own.exchange or exchange
    symbol = _read_symbol(name, found)
    if exchange is None:
        exchange = defaults.exchange
    if exchange is None:
        raise InvalidAlert(
            "MISSING", f"expected an exchange here, or as `exchange` in {_FILE}, got none", "exchange"
        )
    return symbol, exchange, None


def _read_symbol(name: str, found: Found) -> str:
    try:
        if not _LETTER.search(name):
            raise ValueError
        return fields.read_symbol(name)
    except ValueError:
        expected = "a symbol: 1 to 64 letters, digits, spaces or any of & - _ . : ! /"
        raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key) from None


def _exchange(sheet: Sheet, prefix: str | None) -> str | None:
    found = sheet.find(Role.EXCHANGE)
    if found is None:
        return prefix
    try:
        named = fields.read_exchange(found.value)
    except ValueError:
        expected = "an exchange: 1 to 20 letters, digits, _ or -"
        raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key) from None
    if prefix not in (None, named):
        raise InvalidAlert("CONTRADICTION", f"expected one exchange, got {named} and {prefix}", found.key)
    return named


def _product(sheet: Sheet, defaults: AlertDefaults, execution_type: ExecutionType) -> str:
    found = sheet.find(Role.PRODUCT)
    if found is not None:
        product = PRODUCTS.get(found.word())
        if product is None:
            expected = "MIS, NRML, CNC, CO, BO or MTF"
            raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key)
        return product
    if execution_type in (ExecutionType.EXIT, ExecutionType.CANCEL):
        return ""  # any
    if defaults.product is None:
        message = f"expected a product here, or as `product` in {_FILE}, got none"
        raise InvalidAlert("MISSING", message, "product")
    return defaults.product


# prices ------------------------------------------------------------------------------------------------------


def _prices(sheet: Sheet, layout: Layout, defaults: AlertDefaults) -> Prices:
    named = _order_type(sheet, layout)
    limit = _price(sheet.find(Role.LIMIT))
    price = sheet.find(Role.PRICE)
    reference = _reference(next((e for e in sheet.every(Role.REFERENCE) if not e.is_empty), None))
    if named is None and limit is not None:
        raise InvalidAlert(
            "AMBIGUOUS", "a limit price without an order type: add LIMIT as orderType", "orderType"
        )
    order_type = named or defaults.order_type or OrderType.MARKET
    if price is not None:
        if limit is None and ((named in _LIMITED) or (layout.price_is_limit and order_type in _LIMITED)):
            limit = _price(price)
        elif reference is None:
            reference = _reference(price)
    trigger = _price(sheet.find(Role.TRIGGER))
    if order_type in _LIMITED and limit is None:
        raise InvalidAlert(
            "MISSING", f"expected a limit price for a {order_type} order, got none", "limitPrice"
        )
    if order_type in _TRIGGERED and trigger is None:
        message = f"expected a trigger price for a {order_type} order, got none"
        raise InvalidAlert("MISSING", message, "triggerPrice")
    if order_type not in _TRIGGERED and trigger is not None:
        raise InvalidAlert(
            "CONTRADICTION", f"expected no trigger price for a {order_type} order", "triggerPrice"
        )
    if order_type not in _LIMITED and limit is not None:
        raise InvalidAlert("CONTRADICTION", f"expected no limit price for a {order_type} order", "limitPrice")
    return Prices(order_type, limit, trigger, None if order_type in _LIMITED else reference)


def _order_type(sheet: Sheet, layout: Layout) -> OrderType | None:
    """The type that the command names. A `type` may be a word for something else that is known."""
    found = None
    for each in sheet.every(Role.ORDER_TYPE):
        if each.is_empty or (each.key.lower() == "type" and each.word() in layout.all_words):
            continue
        word = ORDER_TYPES.get(each.word())
        if word is None and each.key.lower() == "type" and each.word() in _KINDS_OF_MESSAGES:
            continue
        if word is None:
            expected = "MARKET, LIMIT, STOP or STOP_LIMIT"
            raise InvalidAlert("INVALID", f"expected {expected}, got {shown(each.value)}", each.key)
        if found not in (None, word):
            raise InvalidAlert("CONTRADICTION", f"expected one order type, got {found} and {word}", each.key)
        found = word
    return found


def _price(found: Found | None) -> Decimal | None:
    if found is None:
        return None
    try:
        return fields.read_price(number_at(found))
    except (ValueError, InvalidAlert):
        expected = "a price above 0 and below 10^12 of at most 28 digits"
        raise InvalidAlert("INVALID", f"expected {expected}, got {shown(found.value)}", found.key) from None


def _reference(found: Found | None) -> Decimal | None:
    """The price at the signal, which is kept for people: one that is no price is none."""
    if found is None:
        return None
    try:
        return fields.read_price(number_at(found))
    except (ValueError, InvalidAlert):
        return None
