"""Read the strategies file: how each strategy's orders are handled.

`[strategies.<name>]` wins over `[default]`, field by field, and `[default]` over the settings EXIT_SCOPE and
SETTLING_SECONDS. The keys that complete alerts stand in `config/alert_defaults.py`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator

from config.alert_defaults import AlertKeys, AlertKeysOfAll, instruments, over
from config.checking import Problems, checked, read_toml, tables_in, unknown
from config.combined import combined
from config.fields import Group, GroupMinimum, GroupSeconds, Incomplete, ReportBuilder, Scope
from config.protection import ClockTime, protection
from config.sizing import currency, legs, prices_of, sizing
from domain.alert_defaults import NO_DEFAULTS, AlertDefaults, AlertDefaultsBook
from domain.limits import GroupPolicy, StrategyBook, StrategyPolicy

_SIZED: Mapping[str, Callable[[object, str, Problems], object]] = {
    "sizing": sizing,
    "legs": legs,
    "currency": currency,
    "prices_of": prices_of,
}
_APART = ("protection", "group_protection")
_SECONDS = {
    "settling_seconds": "settling",
    "group_timeout_seconds": "group_timeout",
    "group_exit_seconds": "group_exit_wait",
}
"""Keys that are numbers of seconds, and the fields of `StrategyPolicy` that they become."""


class _Table(AlertKeys):
    """One table of the file. A field that is not set changes nothing."""

    model_config = ConfigDict(extra="forbid")

    exit_scope: Scope | None = None
    group: Group | None = None
    group_incomplete: Incomplete | None = None
    group_timeout_seconds: GroupSeconds | None = None
    group_exit_seconds: GroupSeconds | None = None
    group_minimum: GroupMinimum | None = None
    settling_seconds: ReportBuilder | None = None
    square_off: ClockTime | None = None
    protection: Annotated[None, Field(description="a table")] = None  # read by `config.protection`
    group_protection: Annotated[None, Field(description="a table")] = None  # read by `config.combined`
    sizing: Annotated[None, Field(description="a table")] = None  # these by `config.sizing`
    legs: Annotated[None, Field(description="a table")] = None
    prices_of: Annotated[None, Field(description="a list")] = None
    currency: Annotated[None, Field(description="a currency")] = None

    @field_validator(*_SECONDS, mode="before")
    @classmethod
    def _only_numbers(cls, value: object) -> object:
        if isinstance(value, bool | str):  # `true` would count as 1, and "5" is a typing error
            raise ValueError
        return value


class _Default(_Table, AlertKeysOfAll):
    """`[default]`."""


@dataclass(frozen=True, slots=True)
class StrategyTables:
    """What the file changes: fields of `StrategyPolicy`, for all strategies and for single ones.

    `alerts`: what it adds to alerts.
    """

    default: Mapping[str, Any] = field(default_factory=dict)
    by_strategy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alerts: AlertDefaultsBook = NO_DEFAULTS

    def over(self, base: StrategyPolicy) -> StrategyBook:
        """Apply the file to `base`, the policy that applies without it."""
        default = replace(base, **self.default)
        own = {name: replace(default, **table) for name, table in self.by_strategy.items()}
        return StrategyBook(default, own)


def read_strategies(path: Path | None, client_ids: Collection[str], problems: Problems) -> StrategyTables:
    """Read the strategies file; without one nothing is changed. `client_ids` are those that are configured.

    What would have no effect is recorded as an error: unknown keys and tables, values that are not valid.
    """
    if path is None:
        return StrategyTables()
    file = read_toml(path, problems)
    for name in sorted(file.keys() - {"default", "strategies"}):
        problems.add(f"{path} {name}", unknown(name, ["default", "strategies"]))
    default = _table(_Default, file.get("default", {}), f"{path} [default]", problems)
    tables = tables_in(file.get("strategies", {}), path, "strategies", problems)
    own = {
        name: _table(_Table, given, f"{path} [strategies.{name}]", problems) for name, given in tables.items()
    }
    _check_clients(default, f"{path} [default]", client_ids, problems)
    _check_grouped(default, default, f"{path} [default]", problems)
    for name, table in own.items():
        _check_clients(table, f"{path} [strategies.{name}]", client_ids, problems)
        _check_grouped(table, {**default, **table}, f"{path} [strategies.{name}]", problems)
    base = over(AlertDefaults(), default)
    alerts = {name: over(base, table) for name, table in own.items()}
    return StrategyTables(
        _policy(default),
        {name: _policy(table) for name, table in own.items()},
        AlertDefaultsBook(base, alerts, default.get("strategy_name")),
    )


def _check_grouped(table: Mapping[str, Any], whole: Mapping[str, Any], name: str, problems: Problems) -> None:
    if table.get("combined") is not None and whole.get("group") is GroupPolicy.INDEPENDENT:
        expected = "expected none while group is independent: then the entries of an alert are no group"
        problems.add(f"{name.removesuffix(']')}.group_protection]", expected)


def _check_clients(
    table: Mapping[str, Any], name: str, client_ids: Collection[str], problems: Problems
) -> None:
    for share in table.get("clients", ()):
        if share.client_id not in client_ids:
            problems.add(f"{name} clients", unknown(share.client_id, client_ids))


def _policy(table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `StrategyPolicy` in a table."""
    fields = {
        "exit_scope",
        "group",
        "group_incomplete",
        "group_minimum",
        "protection",
        "square_off",
        "combined",
    }
    fields |= set(_SECONDS.values())
    return {name: value for name, value in table.items() if name in fields}


def _table(model: type[_Table], given: object, name: str, problems: Problems) -> dict[str, Any]:
    """The fields that a table sets."""
    if not isinstance(given, dict):
        problems.add(name, "expected a table")
        return {}
    protecting, combining = given.get("protection"), given.get("group_protection")
    sized = {key: given[key] for key in _SIZED if key in given}
    given = {key: value for key, value in given.items() if key not in (*_APART, *_SIZED)}
    read = checked(model, given, problems, lambda field: f"{name} {field}")
    table = read.model_dump(exclude_none=True)
    if read.clients is not None:
        table["clients"] = read.clients
    if protecting is not None:
        table["protection"] = protection(protecting, name.removesuffix("]") + ".protection]", problems)
    place = name.removesuffix("]")
    if combining is not None:
        table["combined"] = combined(combining, f"{place}.group_protection]", problems)
    for key, value in sized.items():
        where = f"{place}.{key}]" if key == "legs" else f"{name} {key}"
        if (found := _SIZED[key](value, where, problems)) is not None:
            table[key] = found
    if "sizing" in table and "quantity" in table:
        problems.add(f"{name} sizing", "expected sizing or quantity, got both")
    for key, wanted in _SECONDS.items():
        if key in table:
            table[wanted] = timedelta(seconds=table.pop(key))
    if "symbols" in table:
        table["symbols"] = instruments(table["symbols"], f"{name} symbols", problems)
    return table
