"""The types of the native format's fields. Each reader converts a received value to the value that is meant.

A reader raises ValueError for any other value. The description beside it completes "expected …".
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import Field, PlainValidator

from alerts.sanitising import shown
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.money import decimal_text
from domain.protection_terms import Level, LevelUnit, TrailingType, level_of

T = TypeVar("T")


class NotBuiltYet(ValueError):
    """The value is valid, but asks for something that the program cannot do yet."""


_NUMERAL = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
_SYMBOL = re.compile(r"[A-Za-z0-9&\-_.:!/ ]{1,64}")
_EXCHANGE = re.compile(r"[A-Za-z0-9_\-]{1,20}")
_CLIENT = re.compile(r"[A-Za-z0-9_.\-]{1,40}")

_LEVEL_UNIT = re.compile(r"(%|pt)$", re.ASCII | re.IGNORECASE)

_NO_NAMES = frozenset(("NAN", "NULL", "NONE", "UNDEFINED"))

_QUANTITY_STEP = Decimal("1E-8")
_QUANTITY_LIMIT = Decimal("1E+18")
_PRICE_STEP = Decimal("1E-12")
_PRICE_LIMIT = Decimal("1E+12")

_EXECUTION_TYPES = {each.value: each for each in ExecutionType}
_SIDES = {"BUY": Side.BUY, "B": Side.BUY, "SELL": Side.SELL, "S": Side.SELL}
_TEST_MODES = {"SUCCESS": TestMode.SUCCESS, "FAILURE": TestMode.FAILURE}
_PRODUCTS = {name: name for name in ("MIS", "NRML", "CNC", "CO", "BO", "MTF")} | {
    "I": "MIS",
    "M": "NRML",
    "C": "CNC",
}
_TRAILING_TYPES = {each.value: each for each in TrailingType}
_ORDER_TYPES = {
    "MARKET": OrderType.MARKET,
    "MKT": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LMT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "SL-MKT": OrderType.STOP,
    "SL-M": OrderType.STOP,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
    "SL-LMT": OrderType.STOP_LIMIT,
    "SL-L": OrderType.STOP_LIMIT,
    "SL": OrderType.STOP_LIMIT,
}


def _one_of(words: Mapping[str, T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        if not isinstance(value, str) or (found := words.get(value.strip().upper())) is None:
            raise ValueError
        return found

    return read


def _optional(read: Callable[[object], T]) -> Callable[[object], T | None]:
    """Read null and the empty text as None: templates leave an empty text where no value is meant."""

    def read_optional(value: object) -> T | None:
        return None if value is None or value == "" else read(value)

    return read_optional


def _flag(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise ValueError


def number(value: object) -> Decimal:
    """Read a finite number, or the text of one; true and false are not numbers."""
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):
        return Decimal(value.strip())
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise ValueError


def _quantity(value: object) -> Decimal:
    quantity = number(value)
    if not _QUANTITY_STEP <= quantity < _QUANTITY_LIMIT or quantity % _QUANTITY_STEP:
        raise ValueError
    return quantity


def _price(value: object) -> Decimal | None:
    price = number(value)
    if not price:
        return None
    # The unary plus rounds to the precision of later arithmetic: a price that this would change is refused.
    if not _PRICE_STEP <= price < _PRICE_LIMIT or price != +price:
        raise ValueError
    return price


def _level(value: object) -> str | None:
    """Read a price, or a distance as `2%` or `10pt`; the text that `level_of` reads."""
    unit = _LEVEL_UNIT.search(value.strip()) if isinstance(value, str) else None
    if unit is None:
        price = _price(value)
        return None if price is None else Level(LevelUnit.PRICE, price).text
    assert isinstance(value, str)
    amount = _price(value.strip()[: unit.start()].strip())
    if amount is None:
        return None
    return level_of(f"{decimal_text(amount)}{unit[0].lower()}").text


def _not_built(value: object) -> None:
    """Accept a field for something that the program cannot do yet only when it asks for nothing: null, empty or 0."""
    try:
        asks = value is not None and value != "" and bool(number(value))
    except ValueError:
        asks = True
    if asks:
        raise NotBuiltYet(
            "what protects a whole strategy, or waits for a price, is not built yet: leave it out or null, got "
            f"{shown(value)}; a stop, target or trail of a position stands in its leg"
        )


def _matching(pattern: re.Pattern[str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value.strip()):
            raise ValueError
        return value.strip()

    return read


def _upper(pattern: re.Pattern[str]) -> Callable[[object], str]:
    """Read a name in capitals; what a platform writes where it has no value is none."""
    matching = _matching(pattern)

    def read(value: object) -> str:
        name = matching(value).upper()
        if name in _NO_NAMES:
            raise ValueError
        return name

    return read


def _text(most: int) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        # An unresolved placeholder is the same in every alert: as an id it would make every later alert a
        # duplicate.
        if not 1 <= len(text) <= most or not text.isprintable() or "{{" in text:
            raise ValueError
        return text

    return read


def _signal_id(value: object) -> str:
    return _text(128)(str(value) if type(value) is int else value)


read_quantity = _quantity
read_price = _price
read_level = _level


def read_one_of(words: Mapping[str, T]) -> Callable[[object], T | None]:
    """Return what reads one of these words, given in upper case, in any case; null and the empty text are None."""
    return _optional(_one_of(words))


read_symbol = _upper(_SYMBOL)
read_exchange = _upper(_EXCHANGE)
read_name = _text(80)
read_signal_id = _signal_id

OR_NONE = ", or 0 or null for none"
"""The end of the description of an optional field. It is removed where the field is required."""

ExecutionTypeField = Annotated[
    ExecutionType,
    PlainValidator(_one_of(_EXECUTION_TYPES)),
    Field(description="ENTRY, EXIT, ADJUST or CANCEL"),
]
SideField = Annotated[
    Side | None, PlainValidator(_optional(_one_of(_SIDES))), Field(description="BUY or SELL")
]
OrderTypeField = Annotated[
    OrderType | None,
    PlainValidator(_optional(_one_of(_ORDER_TYPES))),
    Field(description="MARKET, LIMIT, STOP or STOP_LIMIT"),
]
ProductField = Annotated[
    str | None,
    PlainValidator(_optional(_one_of(_PRODUCTS))),
    Field(description="MIS, NRML, CNC, CO, BO or MTF"),
]
TestModeField = Annotated[
    TestMode | None,
    PlainValidator(_optional(_one_of(_TEST_MODES))),
    Field(description="SUCCESS, FAILURE or null"),
]
QuantityField = Annotated[
    Decimal | None,
    PlainValidator(_optional(_quantity)),
    Field(description="a quantity above 0 of at most 18 digits and 8 decimals"),
]
PriceField = Annotated[
    Decimal | None,
    PlainValidator(_optional(_price)),
    Field(description=f"a price above 0 and below 10^12 of at most 28 digits{OR_NONE}"),
]
LevelField = Annotated[
    str | None,
    PlainValidator(_optional(_level)),
    Field(description=f'a price above 0, or a distance such as "2%" (below 100%) or "10pt"{OR_NONE}'),
]
TrailingTypeField = Annotated[
    TrailingType | None,
    PlainValidator(_optional(_one_of(_TRAILING_TYPES))),
    Field(description="POINTS, PERCENT, STEP or null"),
]
DistanceField = Annotated[
    Decimal | None,
    PlainValidator(_optional(_price)),
    Field(description=f"a distance above 0 and below 10^12{OR_NONE}"),
]
SymbolField = Annotated[
    str,
    PlainValidator(_upper(_SYMBOL)),
    Field(description="a symbol: 1 to 64 letters, digits, spaces or any of & - _ . : ! /"),
]
_exchange = Field(description="an exchange: 1 to 20 letters, digits, _ or -")
ExchangeField = Annotated[str, PlainValidator(_upper(_EXCHANGE)), _exchange]
LegExchangeField = Annotated[str | None, PlainValidator(_optional(_upper(_EXCHANGE))), _exchange]
StrategyField = Annotated[
    str,
    PlainValidator(_text(80)),
    Field(description="1 to 80 printable characters without an unresolved {{placeholder}}"),
]
SignalField = Annotated[
    str | None,
    PlainValidator(lambda value: None if value is None else _signal_id(value)),
    Field(description="1 to 128 printable characters without an unresolved {{placeholder}}, or null"),
]
ClientField = Annotated[
    str | None,
    PlainValidator(_optional(_matching(_CLIENT))),
    Field(description="1 to 40 letters, digits or any of _ . -"),
]
NotBuilt = Annotated[None, PlainValidator(_not_built), Field(description="nothing")]
ExitFlag = Annotated[
    bool | None, PlainValidator(_flag), Field(description="true for a leg of an ADJUST that exits, or false")
]
NotRead = Annotated[None, PlainValidator(lambda _: None), Field(description="anything")]
"""Words for people: kept with the body."""
