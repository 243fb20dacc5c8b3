"""Read the limits file: what each client and each strategy may do at most.

The more specific table wins, field by field. From the strongest:

- `[clients.<id>.strategies.<name>]`
- `[clients.<id>]` and `[strategies.<name>]`; where both set a field, the tighter of the two applies, because neither
  is more specific
- `[default]`
- the settings RISK_*, GUARD_* and POSITIONS_*
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from config.checking import Problems, checked, read_toml, tables_in, unknown
from config.fields import Age, Amount, Count
from domain.limits import LimitBook, Limits

Table = Mapping[str, Any]
"""The fields of `Limits` that a table sets."""


class _LimitTable(BaseModel):
    """One table of the file. The names are those of `Limits`; None: the table does not set the field."""

    model_config = ConfigDict(extra="forbid")

    max_daily_loss: Amount | None = None
    max_order_quantity: Amount | None = None
    max_order_value: Amount | None = None
    max_orders_per_minute: Count | None = None
    max_open_orders: Count | None = None
    max_entries: Count | None = None
    positions_max_age_seconds: Age | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _only_numbers(cls, value: object) -> object:
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
    for name in sorted(file.keys() - {"default", "clients", "strategies"}):
        problems.add(f"{path} {name}", unknown(name, ["default", "clients", "strategies"]))
    default = _table(file.get("default", {}), f"{path} [default]", problems)
    strategies = _strategies(file, path, "strategies", problems)
    clients = tables_in(file.get("clients", {}), path, "clients", problems)
    for client_id in sorted(clients.keys() - set(client_ids)) if client_ids else ():
        problems.add(f"{path} [clients.{client_id}]", unknown(client_id, client_ids))

    books = {}
    for client_id in client_ids:
        given = clients.get(client_id, {})
        fields = {key: value for key, value in given.items() if key != "strategies"}
        client = _table(fields, f"{path} [clients.{client_id}]", problems)
        own = _strategies(given, path, f"clients.{client_id}.strategies", problems)
        books[client_id] = _book({**asdict(base), **default}, client, strategies, own)
    return books


def _strategies(parent: Table, path: Path, table: str, problems: Problems) -> dict[str, Table]:
    found = tables_in(parent.get("strategies", {}), path, table, problems)
    return {key: _table(value, f"{path} [{table}.{key}]", problems) for key, value in found.items()}


def _table(given: object, name: str, problems: Problems) -> Table:
    if not isinstance(given, dict):
        problems.add(name, "expected a table")
        return {}
    table = checked(_LimitTable, given, problems, lambda field: f"{name} {field}")
    return table.model_dump(exclude_unset=True)


def _book(base: Table, client: Table, everywhere: Mapping[str, Table], own: Mapping[str, Table]) -> LimitBook:
    def for_strategy(name: str) -> Limits:
        general = everywhere.get(name, {})
        tighter = {field: min(value, client.get(field, value)) for field, value in general.items()}
        return Limits(**{**base, **client, **tighter, **own.get(name, {})})

    return LimitBook(
        Limits(**{**base, **client}), {name: for_strategy(name) for name in everywhere.keys() | own.keys()}
    )
