"""The keys of the strategies file that complete alerts: what a platform's alert lacks, and what its names stand for."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from config.checking import Problems, checked
from domain.alert import ClientShare
from domain.alert_defaults import AlertDefaults, Instrument
from domain.enums import OrderType, Side

_STEP = Decimal("1E-8")
_MOST = 1000  # times an alert's quantity
_MOST_CLIENTS = 50


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _no_text(value: object) -> object:
    if isinstance(value, bool | str):  # `true` would count as 1, and "5" is a typing error
        raise ValueError
    return value


def _in_steps(value: Decimal) -> Decimal:
    if value % _STEP:
        raise ValueError
    return value


_Exchange = Annotated[
    str,
    BeforeValidator(_upper),
    Field(pattern=r"^[A-Z0-9_-]{1,20}$", description="1 to 20 letters, digits, _ or -"),
]
_Symbol = Annotated[
    str,
    BeforeValidator(_upper),
    Field(
        pattern=r"^[A-Z0-9&_.:!/ -]{1,64}$",
        description="1 to 64 letters, digits, spaces or any of & - _ . : ! /",
    ),
]
_Product = Annotated[
    Literal["MIS", "NRML", "CNC", "CO", "BO", "MTF"],
    BeforeValidator(_upper),
    Field(description="MIS, NRML, CNC, CO, BO or MTF"),
]
_OrderType = Annotated[
    OrderType, BeforeValidator(_upper), Field(description="MARKET, LIMIT, STOP or STOP_LIMIT")
]
_Side = Annotated[Side, BeforeValidator(_upper), Field(description="BUY or SELL")]
_Quantity = Annotated[
    Decimal,
    BeforeValidator(_no_text),
    AfterValidator(_in_steps),
    Field(
        gt=0, lt=10**15, allow_inf_nan=False, description="a number of units above 0 of at most 8 decimals"
    ),
]


def _shares(given: object) -> tuple[ClientShare, ...]:
    """Read a list of ids, or of tables with an id and a multiplier."""
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_CLIENTS:
        raise ValueError
    shares = tuple(map(_share, given))
    if len({each.client_id for each in shares}) != len(shares):
        raise ValueError
    return shares


def _share(given: object) -> ClientShare:
    table = {"id": given} if isinstance(given, str) else given
    if not isinstance(table, dict) or not table.keys() <= {"id", "multiplier"}:
        raise ValueError
    client_id, multiplier = table.get("id"), table.get("multiplier", 1)
    if not isinstance(client_id, str) or not client_id:
        raise ValueError
    if isinstance(multiplier, bool) or not isinstance(multiplier, int | Decimal):
        raise ValueError
    if not 0 < multiplier <= _MOST or Decimal(multiplier) % _STEP:
        raise ValueError
    return ClientShare(client_id, Decimal(multiplier))


_Clients = Annotated[
    tuple[ClientShare, ...],
    PlainValidator(_shares),
    Field(
        description='a list of client ids, each once, or of { id = "…", multiplier = 2 } with a multiplier above 0'
    ),
]
_Names = Annotated[
    dict[str, Any], Field(description='a table of names in alerts: "NAME" = { symbol = "…", exchange = "…" }')
]


_RollDays = Annotated[
    int,
    BeforeValidator(_no_text),
    Field(ge=0, le=30, strict=True, description="a whole number of days from 0 to 30"),
]


class AlertKeys(BaseModel):
    """The keys of one table that complete alerts."""

    exchange: _Exchange | None = None
    product: _Product | None = None
    order_type: _OrderType | None = None
    quantity: _Quantity | None = None
    side: _Side | None = None
    clients: _Clients | None = None
    symbols: _Names | None = None
    roll_days: _RollDays | None = None


class AlertKeysOfAll(BaseModel):
    """The keys that `[default]` alone has."""

    strategy_name: Annotated[
        str | None, Field(min_length=1, max_length=80, description="1 to 80 characters")
    ] = None


class _Instrument(BaseModel):
    model_config = ConfigDict(extra="forbid")

    symbol: _Symbol | None = None
    exchange: _Exchange | None = None


def instruments(given: Mapping[str, Any], name: str, problems: Problems) -> dict[str, Instrument]:
    """The override table of one strategy. Whatever does not fit is recorded."""
    found: dict[str, Instrument] = {}
    for key, table in given.items():
        place = f"{name} {key}"
        if not isinstance(table, dict):
            problems.add(place, 'expected { symbol = "…" }')
            continue

        def name_of(field: str, place: str = place) -> str:
            return f"{place} {field}"

        row = checked(_Instrument, table, problems, name_of)
        if row.symbol is None and "symbol" not in table:
            problems.add(f"{place} symbol", "not set, expected the symbol that this name stands for")
        found[key.strip().upper()] = Instrument(row.symbol or "", row.exchange)
    return found


def over(base: AlertDefaults, keys: Mapping[str, Any]) -> AlertDefaults:
    """The defaults with these keys over them; its names are added to those there are."""
    values = {
        name: getattr(base, name)
        for name in (*AlertKeys.model_fields, "sizing", "legs", "currency", "prices_of")
    }
    if "sizing" in keys:  # a strategy's own size, of whatever kind, is in place of the default's
        values["quantity"] = None
    if "quantity" in keys:
        values["sizing"] = None
    given = {name: value for name, value in keys.items() if name in values and value is not None}
    given["symbols"] = {**base.symbols, **given.get("symbols", {})}
    return AlertDefaults(**{**values, **given})
