"""What a database says of itself: what was proven, what was archived, what works. The same for every kind of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from domain.account import BrokerAccount

MAX_PROBLEMS = 1_000  # listed in the report; the rest is only counted


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `where` is a command_id or the name of what else is concerned; `what` is a sentence."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """How much was checked, and which problems were found."""

    orders: int = 0
    events: int = 0  # in orders.db
    archived: int = 0  # orders of the archive
    checkpoints: int = 0
    adoptions: int = 0  # rows by which a person added units to a strategy's holding
    uncovered: int = 0  # events after the last checkpoint
    # The last checkpoint's hash. If a copy is kept elsewhere, a rewrite of what it covers is always detected.
    head: str = ""
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Count a problem, and list it while fewer than `MAX_PROBLEMS` are listed."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(where, what))

    @property
    def exit_code(self) -> int:
        """The exit code: 0: no problem; 1: at least one problem; 3: no problem found, but not all could be checked."""
        return 1 if self.problem_count else 3 if self.warnings else 0


@dataclass(frozen=True, slots=True)
class ArchiveProgress:
    """How many rows were moved."""

    orders: int
    events: int
    messages: int

    def __add__(self, other: "ArchiveProgress") -> "ArchiveProgress":
        return ArchiveProgress(
            self.orders + other.orders, self.events + other.events, self.messages + other.messages
        )


NOTHING = ArchiveProgress(0, 0, 0)


class Health(StrEnum):
    """Whether a thing works."""

    OK = "OK"
    WARN = "WARN"  # works, but not as meant
    FAIL = "FAIL"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. `advice` is empty if nothing is to be done."""

    health: Health
    name: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """The state that the settings make one expect."""

    beat_max_age: timedelta
    positions_max_age: Mapping[str, timedelta]  # by client
    telegram: bool  # messages are sent
    accounts: Mapping[str, BrokerAccount] = field(default_factory=dict)  # by client
    exits_off: Collection[str] = ()  # clients with a real broker that is sent nothing
    loss_limited: Collection[str] = ()  # clients whose entries are blocked while the day's loss is unknown
