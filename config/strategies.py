"""Read the strategies file: how each strategy's orders are handled.

`[strategies.<name>]` wins over `[default]`, field by field, and `[default]` over the settings EXIT_SCOPE and
SETTLING_SECONDS. The keys that complete alerts stand in `config/alert_defaults.py`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import ConfigDict, Field, field_validator

from config.alert_defaults import AlertKeys, AlertKeysOfAll, instruments, over
from config.checking import Problems, checked, read_toml, tables_in, unknown
from config.combined import combined
from config.door import STRATEGY_SECRET, SendersList
from config.fields import Group, GroupMinimum, GroupSeconds, Incomplete, ReportBuilder, Scope
from config.protection import ClockTime, protection
from config.sizing import currency, legs, prices_of, sizing
from domain.alert_defaults import NO_DEFAULTS, AlertDefaults, AlertDefaultsBook
from domain.limits import GroupPolicy, StrategyBook, StrategyPolicy
from domain.senders import ANYBODY, SendersBook

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
    senders: SendersList | None = None
    secret: Annotated[None, Field(description="a text")] = None  # read by `_secret`
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


class NamedSecret(NamedTuple):
    """A strategy's secret, and what the operator calls it."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class StrategyTables:
    """What the file changes: fields of `StrategyPolicy`, for all strategies and for single ones.

    - `alerts`: what it adds to alerts.
    - `senders`: who may send each strategy's alerts.
    - `secrets`: those of strategies that have one, and how each is called.
    """

    default: Mapping[str, Any] = field(default_factory=dict)
    by_strategy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alerts: AlertDefaultsBook = NO_DEFAULTS
    senders: SendersBook = ANYBODY
    secrets: Mapping[str, NamedSecret] = field(default_factory=dict)

    def over(self, base: StrategyPolicy) -> StrategyBook:
        """Apply the file to `base`, the policy that applies without it."""
        default = replace(base, **self.default)
        own = {name: replace(default, **table) for name, table in self.by_strategy.items()}
        return StrategyBook(default, own)


def read_strategies(
    path: Path | None,
    client_ids: Collection[str],
    problems: Problems,
    variables: Mapping[str, str] | None = None,
) -> StrategyTables:
    """Read the strategies file; without one nothing is changed. `client_ids` are those that are configured.

    `variables`: those of the environment and `.env` that may hold strategies' secrets.

    What would have no effect is recorded as an error: unknown keys and tables, values that are not valid.
    """
    variables = variables or {}
    if path is None:
        _check_used(variables, {}, problems)
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
    secrets = _secrets(file, tables, path, variables, problems)
    base = over(AlertDefaults(), default)
    alerts = {name: over(base, table) for name, table in own.items()}
    return StrategyTables(
        _policy(default),
        {name: _policy(table) for name, table in own.items()},
        AlertDefaultsBook(base, alerts, default.get("strategy_name")),
        SendersBook(
            default.get("senders"),
            {name: table["senders"] for name, table in own.items() if "senders" in table},
        ),
        secrets,
    )


def _check_grouped(table: Mapping[str, Any], whole: Mapping[str, Any], name: str, problems: Problems) -> None:
    if table.get("combined") is not None and whole.get("group") is GroupPolicy.INDEPENDENT:
        expected = "expected none while group is independent: then the entries of an alert are no group"
        problems.add(f"{name.removesuffix(']')}.group_protection]", expected)


def _secrets(
    file: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]],
    path: Path,
    variables: Mapping[str, str],
    problems: Problems,
) -> dict[str, NamedSecret]:
    """The secrets of the strategies that have one: the text itself, or `{ env = "STRATEGY_SECRET_…" }`."""
    if "secret" in (default if isinstance(default := file.get("default"), dict) else {}):
        problems.add(
            f"{path} [default] secret",
            "expected in a table [strategies.<name>]: WEBHOOK_SECRET is that of all",
        )
    found: dict[str, NamedSecret] = {}
    used: dict[str, str] = {}
    for name, table in tables.items():
        if "secret" not in table:
            continue
        called = f"{path} [strategies.{name}] secret"
        given = table["secret"]
        if (
            isinstance(given, dict)
            and given.keys() == {"env"}
            and str(given["env"]).startswith(STRATEGY_SECRET)
        ):
            variable = str(given["env"])
            used[variable] = name
            if variable not in variables:
                problems.add(called, f"{variable} is not set, expected it in the environment or .env")
                continue
            found[name] = NamedSecret(variables[variable], variable)
        elif isinstance(given, str) and given.strip():
            found[name] = NamedSecret(given.strip(), called)
        else:
            problems.add(called, f'expected a text that is not empty, or {{ env = "{STRATEGY_SECRET}…" }}')
    _check_used(variables, used, problems)
    return found


def _check_used(variables: Mapping[str, str], used: Mapping[str, str], problems: Problems) -> None:
    for variable in sorted(variables.keys() - used.keys()):
        problems.add(variable, f'no strategy names it, expected secret = {{ env = "{variable}" }} of one')


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
    apart = {"protection", "secret", *_SIZED}
    given = {key: value for key, value in given.items() if key not in apart}
    read = checked(model, given, problems, lambda field: f"{name} {field}")
    table = read.model_dump(exclude_none=True)
    if read.clients is not None:
        table["clients"] = read.clients
    if read.senders is not None:
        table["senders"] = read.senders
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
