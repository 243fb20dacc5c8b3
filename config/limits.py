"""Read the limits file: what each client and each strategy may do at most.

The more specific table wins, field by field. From the strongest:

- `[clients.<id>.strategies.<name>]`
- `[clients.<id>]` and `[strategies.<name>]`; where both set a field, the tighter of the two applies, because neither
  is more specific
- `[default]`
- the settings RISK_*, GUARD_* and POSITIONS_*

`[symbols.<name>]` and `[clients.<id>.symbols.<name>]` are about the orders in a symbol, whoever trades it: they hold
beside all of these, and where both set a field, the tighter applies.

Some limits are about a sum: the day's profit and loss, trades, positions, exposure (the fields of `OwnLimits`). In a
strategy's table such a limit is about the strategy's own sum, and the client's about the client's: both hold.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from config.checking import Problems, checked, read_toml, tables_in, unknown
from config.fields import (
    Action,
    After,
    Age,
    Amount,
    ClockTime,
    CollarPercent,
    Count,
    DrawdownDays,
    LosingDays,
    Minutes,
    Names,
    Scope,
    Share,
)
from domain.limits import LimitBook, Limits, OwnLimits, SymbolLimits
from domain.tighter import tighter

Table = Mapping[str, Any]
"""The fields of `Limits` that a table sets."""

_OF_SUMS = frozenset(each.name for each in fields(OwnLimits))
_OF_SYMBOLS = frozenset(
    {"max_trades_per_day", "max_open_positions", "max_gross_exposure", "max_net_exposure"}
)
_OF_ORDERS_THERE = frozenset(
    {
        "max_order_quantity",
        "max_order_value",
        "max_entries",
        "cooldown_minutes",
        "cooldown_after",
        "price_collar_percent",
        "products",
        "reducing_from",
        "halted_from",
    }
)
_NOT_LIMITS = frozenset({"own", "of_symbols", "scheduled"})
_WORDS = frozenset(
    {
        "on_daily_loss",
        "on_daily_profit",
        "cooldown_after",
        "flatten_scope",
        "restricted_symbols",
        "products",
        "reducing_from",
        "halted_from",
    }
)


class _LimitTable(BaseModel):
    """One table of the file. The names are those of `Limits`; None: the table does not set the field."""

    model_config = ConfigDict(extra="forbid")

    max_daily_loss: Amount | None = None
    max_daily_profit: Amount | None = None
    on_daily_loss: Action | None = None
    on_daily_profit: Action | None = None
    trailing_loss: Amount | None = None
    trail_step: Amount | None = None
    warn_at: Share | None = None
    max_trades_per_day: Count | None = None
    max_open_positions: Count | None = None
    max_gross_exposure: Amount | None = None
    max_net_exposure: Amount | None = None
    cooldown_minutes: Minutes | None = None
    cooldown_after: After | None = None
    stop_streak: Count | None = None
    stop_streak_minutes: Minutes | None = None
    stop_streak_pause_minutes: Minutes | None = None
    pnl_tolerance: Amount | None = None
    flatten_scope: Scope | None = None
    max_order_quantity: Amount | None = None
    max_order_value: Amount | None = None
    max_orders_per_minute: Count | None = None
    max_open_orders: Count | None = None
    max_entries: Count | None = None
    positions_max_age_seconds: Age | None = None
    max_losing_days: LosingDays | None = None
    max_drawdown: Amount | None = None
    drawdown_days: DrawdownDays | None = None
    price_collar_percent: CollarPercent | None = None
    restricted_symbols: Names | None = None
    products: Names | None = None
    reducing_from: ClockTime | None = None
    halted_from: ClockTime | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _only_numbers(cls, value: object, info: ValidationInfo) -> object:
        if info.field_name in _WORDS:
            return value
        if type(value) not in (int, Decimal):  # `true` would count as 1, and "5" is a typing error
            raise ValueError
        return value


def read_limits(
    path: Path | None, base: Limits, client_ids: Collection[str], problems: Problems
) -> dict[str, LimitBook]:
    """Read each client's limits: `base` with what the file changes; without a file `base` alone.

    What would have no effect is recorded as an error: unknown keys, unknown clients, values that are no numbers.
    """
    if path is None:
        return {client_id: LimitBook(base) for client_id in client_ids}
    file = read_toml(path, problems)
    for name in sorted(file.keys() - {"default", "clients", "strategies", "symbols"}):
        problems.add(f"{path} {name}", unknown(name, ["default", "clients", "strategies", "symbols"]))
    default = _table(file.get("default", {}), f"{path} [default]", problems)
    strategies = _named(file, path, "strategies", problems)
    symbols = _symbols(file, path, "symbols", problems)
    clients = tables_in(file.get("clients", {}), path, "clients", problems)
    for client_id in sorted(clients.keys() - set(client_ids)) if client_ids else ():
        problems.add(f"{path} [clients.{client_id}]", unknown(client_id, client_ids))

    books = {}
    for client_id in client_ids:
        given = clients.get(client_id, {})
        fields = {key: value for key, value in given.items() if key not in ("strategies", "symbols")}
        client = _table(fields, f"{path} [clients.{client_id}]", problems)
        own = _named(given, path, f"clients.{client_id}.strategies", problems)
        book = _book({**_values(base), **default}, client, strategies, own)
        of_client = _symbols(given, path, f"clients.{client_id}.symbols", problems)
        books[client_id] = replace(book, by_symbol=(*symbols, *of_client))
    return books


def _symbols(parent: Table, path: Path, table: str, problems: Problems) -> tuple[SymbolLimits, ...]:
    """Read the tables of symbols. All that are about an order's symbol hold, the tighter where they set the same."""
    found = []
    for name, values in _named(parent, path, table, problems).items():
        for field in sorted(values.keys() - _OF_SYMBOLS - _OF_ORDERS_THERE):
            allowed = ", ".join(sorted(_OF_SYMBOLS | _OF_ORDERS_THERE))
            problems.add(f"{path} [{table}.{name}] {field}", f"not for a symbol, expected one of {allowed}")
        of_orders = {field: value for field, value in values.items() if field in _OF_ORDERS_THERE}
        sums = {field: value for field, value in values.items() if field in _OF_SYMBOLS}
        found.append(SymbolLimits(name, of_orders, **sums))
    return tuple(found)


def _named(parent: Table, path: Path, table: str, problems: Problems) -> dict[str, Table]:
    found = tables_in(parent.get(table.rpartition(".")[2], {}), path, table, problems)
    return {key: _table(value, f"{path} [{table}.{key}]", problems) for key, value in found.items()}


def _table(given: object, name: str, problems: Problems) -> Table:
    if not isinstance(given, dict):
        problems.add(name, "expected a table")
        return {}
    table = checked(_LimitTable, given, problems, lambda field: f"{name} {field}")
    return table.model_dump(exclude_unset=True)


def _values(base: Limits) -> Table:
    return {each.name: getattr(base, each.name) for each in fields(base) if each.name not in _NOT_LIMITS}


def _book(base: Table, client: Table, everywhere: Mapping[str, Table], own: Mapping[str, Table]) -> LimitBook:
    def for_strategy(name: str) -> Limits:
        general, special = everywhere.get(name, {}), own.get(name, {})
        both = {
            field: tighter(field, value, client.get(field, value))
            for field, value in general.items()
            if field not in _OF_SUMS
        }
        exact = {field: value for field, value in special.items() if field not in _OF_SUMS}
        sums = {field: value for field, value in {**general, **special}.items() if field in _OF_SUMS}
        return Limits(**{**base, **client, **both, **exact, "own": OwnLimits(**sums)})

    return LimitBook(
        Limits(**{**base, **client}), {name: for_strategy(name) for name in everywhere.keys() | own.keys()}
    )
