"""Read the strategies file: how each strategy's orders are handled.

`[strategies.<name>]` wins over `[default]`, field by field, and `[default]` over the settings EXIT_SCOPE and
SETTLING_SECONDS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from config.checking import Problems, checked, read_toml, tables_in, unknown
from config.fields import Group, ReportBuilder, Scope
from domain.limits import StrategyBook, StrategyPolicy

_NOT_BUILT = "all_or_none"


class _Table(BaseModel):
    """One table of the file. A field that is not set changes nothing."""

    model_config = ConfigDict(extra="forbid")

    exit_scope: Scope | None = None
    group: Group | None = None
    settling_seconds: ReportBuilder | None = None

    @field_validator("settling_seconds", mode="before")
    @classmethod
    def _only_numbers(cls, value: object) -> object:
        if isinstance(value, bool | str):  # `true` would count as 1, and "5" is a typing error
            raise ValueError
        return value


@dataclass(frozen=True, slots=True)
class StrategyTables:
    """What the file changes: fields of `StrategyPolicy`, for all strategies and for single ones."""

    default: Mapping[str, Any] = field(default_factory=dict)
    by_strategy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def over(self, base: StrategyPolicy) -> StrategyBook:
        """Apply the file to `base`, the policy that applies without it."""
        default = replace(base, **self.default)
        own = {name: replace(default, **table) for name, table in self.by_strategy.items()}
        return StrategyBook(default, own)


def read_strategies(path: Path | None, problems: Problems) -> StrategyTables:
    """Read the strategies file; without one nothing is changed.

    What would have no effect is recorded as an error: unknown keys and tables, values that are not valid.
    """
    if path is None:
        return StrategyTables()
    file = read_toml(path, problems)
    for name in sorted(file.keys() - {"default", "strategies"}):
        problems.add(f"{path} {name}", unknown(name, ["default", "strategies"]))
    default = _table(file.get("default", {}), f"{path} [default]", problems)
    tables = tables_in(file.get("strategies", {}), path, "strategies", problems)
    own = {name: _table(given, f"{path} [strategies.{name}]", problems) for name, given in tables.items()}
    return StrategyTables(default, own)


def _table(given: object, name: str, problems: Problems) -> dict[str, Any]:
    """The fields of `StrategyPolicy` that a table sets."""
    if not isinstance(given, dict):
        problems.add(name, "expected a table")
        return {}
    if given.get("group") == _NOT_BUILT:
        problems.add(f"{name} group", "all_or_none is not built yet, expected independent or hedge_first")
        given = {key: value for key, value in given.items() if key != "group"}
    table = checked(_Table, given, problems, lambda field: f"{name} {field}").model_dump(exclude_none=True)
    if "settling_seconds" in table:
        table["settling"] = timedelta(seconds=table.pop("settling_seconds"))
    return table
