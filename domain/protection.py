"""Protection of a position: what it is, what happened to it, and what it asks for. Pure; it places nothing itself.

`domain.protection_step` is the rule that moves it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.enums import Side
from domain.further_terms import further_of
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.protection_terms import TrailingType

UNFILLED_KEPT = timedelta(hours=1)
"""How long the protection of an entry that ended short of its quantity is kept: the broker may show a late fill."""


class ProtectionStatus(StrEnum):
    """Where a protection stands."""

    WAITING = "WAITING"  # its entry has filled nothing yet
    ACTIVE = "ACTIVE"
    FIRED = "FIRED"  # its exit is asked for
    ENDED = "ENDED"


class Rule(StrEnum):
    """What fired."""

    STOP = "STOP"
    TRAIL = "TRAIL"
    LOCK = "LOCK"
    TARGET = "TARGET"
    TIME = "TIME"


class EventKind(StrEnum):
    """What happened to a protection."""

    OPENED = "OPENED"  # its entry was registered
    FILLED = "FILLED"  # it covers more (also what a failed exit left), or its entry's average moved
    NO_STOP = "NO_STOP"  # the distance of its stop leads to 0 or below
    SHRUNK = "SHRUNK"  # it covers less: another exit took units
    ARMED = "ARMED"
    MOVED = "MOVED"  # its stop was tightened by the trail
    AT_COST = "AT_COST"  # its stop was moved to the average fill
    LOCKED = "LOCKED"  # a part of the profit is kept from now on
    LOCK_STEPPED = "LOCK_STEPPED"  # more of it
    CHANGED = "CHANGED"  # by a person
    UNKNOWN = "UNKNOWN"
    KNOWN = "KNOWN"
    FIRED = "FIRED"
    EXIT_FAILED = "EXIT_FAILED"  # an exit that it asked for came to nothing, or to a part
    AGAIN = "AGAIN"  # its exit is over, and something of its entry is held: it is covered again
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class ProtectionEvent:
    """One event of a protection's history. `facts`: figures and codes, by name."""

    kind: EventKind
    at: datetime
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AskedExit:
    """An exit that a protection asked for, until it is over. `is_all`: of all that the strategy held in the symbol."""

    command_id: str
    rule: Rule
    units: Decimal
    is_all: bool


@dataclass(frozen=True, slots=True)
class Protection:
    """The protection of what one entry has filled.

    Quantities are in units of the symbol, prices in its currency, times aware UTC.

    - `command_id`: the entry's.
    - `stop_loss` to `protection_json`: the terms, as the alert brought them.
    - `filled`, `average_price`: the entry's fills, as they were last seen; `quantity`: what of them is covered now.
    - `target_price`: of several targets, the next one's; `targets_sold`: units for which each of several has asked.
    - `exited`: units for which exits were asked, less those that came back because their exit failed.
    - `exits`: the exits whose end is not known yet.
    - `failures`: exits of it that failed, one after the other; `retry_at`: when the next one is due, by `retry_rule`
      and for at most `retry_units`. None: none is.
    - `is_watched`: False once it is over for good.
    - `active_since`: when the first fill was seen; `best_price`: the best mark since then.
    - `is_at_cost`: its stop was moved to the average fill, which is done once.
    - `locked_steps`: how many further steps of the profit are locked, at most so far; None: none of it is locked.
    - `exit_at`: when it exits whatever the price is.
    - `over_since`: when its entry was first seen to be over with less than its quantity filled.
    - `version`: counts the writes; each compares it first.
    """

    protection_id: str
    command_id: str
    client_id: str
    strategy_name: str
    exchange: str
    symbol: str
    product: str
    side: Side
    stop_loss: str | None
    target: str | None
    trailing_type: TrailingType | None
    trailing_value: Decimal | None
    trail_when: Decimal | None
    protection_json: str | None
    created_at: datetime
    updated_at: datetime
    status: ProtectionStatus = ProtectionStatus.WAITING
    generation: int = 1
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    quantity: Decimal = ZERO
    exited: Decimal = ZERO
    active_since: datetime | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    targets_sold: tuple[Decimal, ...] = ()
    best_price: Decimal | None = None
    is_armed: bool = False
    is_at_cost: bool = False
    locked_steps: int | None = None
    exit_at: datetime | None = None
    mark_price: Decimal | None = None
    mark_at: datetime | None = None
    over_since: datetime | None = None
    unknown_since: datetime | None = None
    is_unknown: bool = False
    trail_told_at: datetime | None = None
    fired_by: Rule | None = None
    fired_at: datetime | None = None
    fired_price: Decimal | None = None
    exit_command_id: str | None = None
    exits: tuple[AskedExit, ...] = ()
    failures: int = 0
    retry_at: datetime | None = None
    retry_rule: Rule | None = None
    retry_units: Decimal | None = None
    reason: str | None = None
    is_watched: bool = True
    version: int = 0

    @property
    def intent(self) -> str:
        """The UNIQUE key of the exit that its present generation may ask for."""
        return f"{self.client_id}|protection|{self.protection_id}|{self.generation}"


class ExitState(StrEnum):
    """What came of an exit."""

    LIVE = "LIVE"  # it may still sell something, or its outcome is not known
    DONE = "DONE"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"  # somebody cancelled it


@dataclass(frozen=True, slots=True)
class ExitSeen:
    """What is known of an exit. `sold`: units, its further parts among them; `tag`: why it failed."""

    state: ExitState
    sold: Decimal = ZERO
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Covered:
    """What is known of the position that a protection covers.

    - `filled`, `average`: the entry's fills; `entry_is_over`: no more of them are expected.
    - `is_full`: it has filled its whole quantity, so that no late fill can come either.
    - `units`: what of them the strategy still holds; `is_all`: it holds nothing else in the symbol, in any product.
    - `exits`: what is known of its exits whose end was not known, and of the last one, by their ids.
    """

    filled: Decimal
    average: Decimal | None
    entry_is_over: bool
    units: Decimal
    is_all: bool
    is_full: bool = True
    exits: Mapping[str, ExitSeen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WantedExit:
    """An exit at market. `intent`: the UNIQUE key.

    `quantity`: None for all that the strategy holds in the symbol, in whatever product: it may have been converted.
    `units`: those that the protection covered.
    """

    intent: str
    side: Side
    quantity: Decimal | None
    rule: Rule
    units: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """What one step makes of a protection."""

    before: Protection
    after: Protection
    events: tuple[ProtectionEvent, ...] = ()
    exit: WantedExit | None = None
    tells_trail: bool = False  # people are to be notified of the stop that moved

    @property
    def changes(self) -> bool:
        """True when there is anything to be written."""
        return self.after != self.before

    def with_exit(self, command_id: str) -> "Step":
        """Return the step with the row of the exit that it asked for."""
        assert self.exit is not None
        asked = AskedExit(command_id, self.exit.rule, self.exit.units, is_all=self.exit.quantity is None)
        events = tuple(
            replace(event, facts={**event.facts, "exit": command_id})
            if event.kind is EventKind.FIRED
            else event
            for event in self.events
        )
        after = replace(self.after, exit_command_id=command_id, exits=(*self.after.exits, asked))
        return replace(self, after=after, events=events)


def protection_of(entry: Order) -> tuple[Protection, ProtectionEvent]:
    """Make the protection of an entry that was just registered, with its first event."""
    at, further = entry.created_at, further_of(entry.protection_json)
    protection = Protection(
        protection_id=f"p-{entry.command_id}",
        command_id=entry.command_id,
        client_id=entry.client_id,
        strategy_name=entry.strategy_name,
        exchange=entry.exchange,
        symbol=entry.symbol,
        product=entry.product,
        side=entry.side,
        stop_loss=entry.stop_loss,
        target=entry.target,
        trailing_type=entry.trailing_type,
        trailing_value=entry.trailing_value,
        trail_when=entry.trail_when,
        protection_json=entry.protection_json,
        targets_sold=(ZERO,) * len(further.targets),
        exit_at=further.exit_at,
        created_at=at,
        updated_at=at,
    )
    return protection, ProtectionEvent(EventKind.OPENED, at, {})


def allotted(protections: Iterable[Protection], held: Decimal) -> dict[str, Decimal]:
    """Share what a strategy holds (units, unsigned) among its protections there, by id: never more than is held.

    Exits close what was bought first, so the youngest protection is served first.
    """
    shares, left = dict[str, Decimal](), max(held, ZERO)
    for each in sorted(protections, key=lambda p: (p.created_at, p.protection_id), reverse=True):
        shares[each.protection_id] = units = min(max(each.filled - each.exited, ZERO), left)
        left -= units
    return shares


Followed = tuple[Protection, tuple[ProtectionEvent, ...]]
"""A protection after a part of a step, and what happened in it."""


def changed(p: Protection, **values: object) -> Protection:
    """Return the protection with these values; the very same where it has them. Most steps change nothing."""
    if all(getattr(p, name) == value for name, value in values.items()):
        return p
    return replace(p, **values)  # type: ignore[arg-type]


def stepped(
    before: Protection, after: Protection, events: tuple[ProtectionEvent, ...], now: datetime
) -> Step:
    """Return the step between two states; one that changes nothing where they are the same."""
    if after is before or after == before:
        return Step(before, before)
    return Step(before, replace(after, updated_at=now, version=before.version + 1), events)


def ended(p: Protection, reason: str, now: datetime) -> Followed:
    """End a protection for good."""
    after = replace(
        p,
        status=ProtectionStatus.ENDED,
        quantity=ZERO,
        reason=reason,
        unknown_since=None,
        is_unknown=False,
        retry_at=None,
        retry_rule=None,
        retry_units=None,
        is_watched=False,
    )
    return after, (ProtectionEvent(EventKind.ENDED, now, {"reason": reason}),)


def figures(**values: Decimal | None) -> dict[str, str]:
    """Return figures as the facts of an event."""
    return {name: decimal_text(value) for name, value in values.items() if value is not None}
