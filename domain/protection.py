"""Protection of a position: a stop, a target and a trail that the watcher looks after. Pure; it places nothing itself.

`step` is the one rule: from a protection and what is known now it makes the protection as it is then, what happened,
and the exit that is wanted, if any.

- A stop only tightens. That holds for the fills of the entry too: where its average moves, the stop never moves back.
- A protection fires once a generation. Its exit's id derives from both, so nobody can ask for another one.
- It covers what its entry has filled, as far as its strategy still holds it, and ends when nothing is held any more.
- Without a usable price its state is unknown: nothing moves and nothing fires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.enums import Side
from domain.errors import InvalidProtection
from domain.marks import Mark, MarkFault, fault_of
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.protection_terms import (
    Level,
    LevelUnit,
    TrailingType,
    above_zero,
    distance,
    level_of,
    price_of,
    tighter,
)

UNKNOWN_TOLD_AFTER = timedelta(seconds=15)
"""How long a protection may be unknown before people are notified: a single lost price is only a lag."""
UNFILLED_KEPT = timedelta(hours=1)
"""How long the protection of an entry that ended short of its quantity is kept: the broker may show a late fill."""
TRAIL_TOLD_EVERY = timedelta(minutes=5)
"""How often people are notified of a stop that follows the price."""


class ProtectionStatus(StrEnum):
    """Where a protection stands."""

    WAITING = "WAITING"  # its entry has filled nothing yet
    ACTIVE = "ACTIVE"
    FIRED = "FIRED"  # its exit is asked for
    ENDED = "ENDED"


OPEN = (ProtectionStatus.WAITING, ProtectionStatus.ACTIVE)


class Rule(StrEnum):
    """What fired."""

    STOP = "STOP"
    TRAIL = "TRAIL"
    TARGET = "TARGET"


class EventKind(StrEnum):
    """What happened to a protection."""

    OPENED = "OPENED"  # its entry was registered
    FILLED = "FILLED"  # it covers more, or its entry's average moved
    NO_STOP = "NO_STOP"  # the distance of its stop leads to 0 or below
    SHRUNK = "SHRUNK"  # it covers less: another exit took units
    ARMED = "ARMED"
    MOVED = "MOVED"  # its stop was tightened by the trail
    CHANGED = "CHANGED"  # by a person
    UNKNOWN = "UNKNOWN"
    KNOWN = "KNOWN"
    FIRED = "FIRED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class ProtectionEvent:
    """One event of a protection's history. `facts`: figures and codes, by name."""

    kind: EventKind
    at: datetime
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Protection:
    """The protection of what one entry has filled.

    Quantities are in units of the symbol, prices in its currency, times aware UTC.

    - `command_id`: the entry's.
    - `stop_loss` to `trail_when`: the terms, as the alert brought them.
    - `filled`, `average_price`: the entry's fills, as they were last seen; `quantity`: what of them is covered now.
    - `exited`: units for which earlier generations have asked for an exit.
    - `active_since`: when the first fill was seen; `best_price`: the best mark since then.
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
    best_price: Decimal | None = None
    is_armed: bool = False
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
    reason: str | None = None
    version: int = 0

    @property
    def is_open(self) -> bool:
        """True while it may still fire."""
        return self.status in OPEN

    @property
    def intent(self) -> str:
        """The UNIQUE key of the exit that its present generation may ask for."""
        return f"{self.client_id}|protection|{self.protection_id}|{self.generation}"


@dataclass(frozen=True, slots=True)
class Covered:
    """What is known of the position that a protection covers.

    - `filled`, `average`: the entry's fills; `entry_is_over`: no more of them are expected.
    - `is_full`: it has filled its whole quantity, so that no late fill can come either.
    - `units`: what of them the strategy still holds; `is_all`: it holds nothing else in the symbol, in any product.
    """

    filled: Decimal
    average: Decimal | None
    entry_is_over: bool
    units: Decimal
    is_all: bool
    is_full: bool = True


@dataclass(frozen=True, slots=True)
class WantedExit:
    """An exit at market. `intent`: the UNIQUE key.

    `quantity`: None for all that the strategy holds in the symbol, in whatever product: it may have been converted.
    """

    intent: str
    side: Side
    quantity: Decimal | None


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
        events = tuple(
            replace(event, facts={**event.facts, "exit": command_id})
            if event.kind is EventKind.FIRED
            else event
            for event in self.events
        )
        return replace(self, after=replace(self.after, exit_command_id=command_id), events=events)


def protection_of(entry: Order) -> tuple[Protection, ProtectionEvent]:
    """Make the protection of an entry that was just registered, with its first event."""
    at = entry.created_at
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


def step(protection: Protection, covered: Covered, mark: Mark | None, now: datetime) -> Step:
    """Follow the entry's fills and what is held, then the price; see the top of this module."""
    if not protection.is_open:
        return Step(protection, protection)
    if covered.average is None and covered.filled:
        if protection.average_price is None:  # nothing to count from: neither levels nor a trail
            if not covered.units and protection.quantity and covered.entry_is_over:
                return _stepped(protection, *_ended(protection, "NOTHING_HELD", now), now)
            held = replace(protection, quantity=covered.units)
            return _stepped(protection, *_unknown(held, MarkFault.FILL_UNPRICED, now), now)
        covered = replace(covered, average=protection.average_price)
    after, events = _follow(protection, covered, now)
    if after.status is not ProtectionStatus.ACTIVE or not after.quantity:
        return _stepped(protection, after, events, now)
    after = replace(after, active_since=min(after.active_since or now, now))
    fault = fault_of(mark, after.exchange, after.symbol, since=after.active_since or now, now=now)
    if fault is not None or mark is None:
        after, more = _unknown(after, fault or MarkFault.MISSING, now)
        return _stepped(protection, after, events + more, now)
    after, more = _known(after, mark, now)
    after, moved = _trailed(after, mark, now)
    events += more + moved
    rule = met(after, mark.price)
    if rule is not None:
        return _fired(protection, after, events, rule, mark, covered, now)
    tells = bool(moved) and _is_due(after.trail_told_at, now)
    if tells:
        after = replace(after, trail_told_at=now)
    return replace(_stepped(protection, after, events, now), tells_trail=tells)


def _stepped(
    before: Protection, after: Protection, events: tuple[ProtectionEvent, ...], now: datetime
) -> Step:
    if after == before:
        return Step(before, before)
    return Step(before, replace(after, updated_at=now, version=before.version + 1), events)


Followed = tuple[Protection, tuple[ProtectionEvent, ...]]


def _follow(p: Protection, covered: Covered, now: datetime) -> Followed:
    """Cover what the entry has filled and its strategy still holds."""
    p = replace(p, over_since=_over_since(p, covered, now))
    if not covered.filled:
        is_late = p.over_since is not None and now - p.over_since > UNFILLED_KEPT
        return _ended(p, "UNFILLED", now) if is_late and not p.filled else (p, ())
    after = p
    assert covered.average is not None
    if (covered.filled, covered.average) != (p.filled, p.average_price):
        best = p.best_price if p.is_armed or covered.average == p.average_price else None
        after = replace(p, filled=covered.filled, average_price=covered.average, best_price=best)
        after = _with_levels(after, now)
    if covered.units != after.quantity:
        after = replace(after, quantity=covered.units)
    if not covered.units:
        if _is_settled(after, covered, now):
            return _ended(after, "NOTHING_HELD", now)
        after = replace(after, unknown_since=None, is_unknown=False)
    if (after.quantity, after.stop_price, after.target_price) == (p.quantity, p.stop_price, p.target_price):
        return after, ()
    kind = EventKind.SHRUNK if after.filled == p.filled else EventKind.FILLED
    facts = _facts(quantity=after.quantity, average=covered.average, stop=after.stop_price)
    events = [ProtectionEvent(kind, now, facts | _facts(target=after.target_price))]
    if p.average_price is None and after.stop_loss is not None and after.stop_price is None:
        events.append(ProtectionEvent(EventKind.NO_STOP, now, _facts(average=covered.average)))
    return after, tuple(events)


def _over_since(p: Protection, covered: Covered, now: datetime) -> datetime | None:
    """Return since when the entry is over with a part or nothing filled; None: it is not, or it is full."""
    if not covered.entry_is_over or (covered.is_full and covered.filled):
        return None
    return min(p.over_since or now, now)  # the clock may have been set back


def _is_settled(p: Protection, covered: Covered, now: datetime) -> bool:
    """Return True when no fill of the entry is expected any more, not even a late one."""
    if p.over_since is None:
        return covered.entry_is_over
    return now - p.over_since > UNFILLED_KEPT


def _with_levels(p: Protection, now: datetime) -> Protection:
    """Set the levels from the average fill. The stop never moves back, wherever the average goes."""
    stop = price_of(p.stop_loss, p.average_price, -p.side.sign)
    target = price_of(p.target, p.average_price, p.side.sign)
    return replace(
        p,
        status=ProtectionStatus.ACTIVE,
        active_since=p.active_since or now,
        stop_price=tighter(p.side, p.stop_price, stop),
        target_price=target,
    )


def _ended(p: Protection, reason: str, now: datetime) -> Followed:
    after = replace(p, status=ProtectionStatus.ENDED, quantity=ZERO, reason=reason, unknown_since=None)
    return replace(after, is_unknown=False), (ProtectionEvent(EventKind.ENDED, now, {"reason": reason}),)


def _unknown(p: Protection, fault: MarkFault, now: datetime) -> Followed:
    since = min(p.unknown_since or now, now)  # the clock may have been set back
    if p.is_unknown or now - since < UNKNOWN_TOLD_AFTER:
        return replace(p, unknown_since=since), ()
    event = ProtectionEvent(EventKind.UNKNOWN, now, {"fault": fault.value})
    return replace(p, unknown_since=since, is_unknown=True), (event,)


def _known(p: Protection, mark: Mark, now: datetime) -> Followed:
    if p.unknown_since is None:
        return p, ()
    after = replace(p, unknown_since=None, is_unknown=False)
    if not p.is_unknown:
        return after, ()
    return after, (ProtectionEvent(EventKind.KNOWN, now, _facts(price=mark.price)),)


def _trailed(p: Protection, mark: Mark, now: datetime) -> Followed:
    """Remember the best price, and let the stop follow it."""
    assert p.average_price is not None
    events: tuple[ProtectionEvent, ...] = ()
    after = p
    best = tighter(
        p.side, p.best_price, mark.price
    )  # the better price is on the side to which a stop tightens
    if best != p.best_price:
        after = replace(p, best_price=best, mark_price=mark.price, mark_at=mark.at)
    best = tighter(p.side, p.average_price, best)
    assert best is not None
    gained = (best - p.average_price) * p.side.sign
    if not after.is_armed and _arms(after, gained):
        after = replace(after, is_armed=True)
        events += (ProtectionEvent(EventKind.ARMED, now, _facts(price=mark.price)),)
    stop = tighter(p.side, p.stop_price, above_zero(_trail_stop(after, best, gained)))
    if stop != p.stop_price:
        after = replace(after, stop_price=stop)
        facts = _facts(price=mark.price, before=p.stop_price, stop=stop)
        events += (ProtectionEvent(EventKind.MOVED, now, facts),)
    return after, events


def _arms(p: Protection, gained: Decimal) -> bool:
    if p.trailing_type is None:
        return False
    assert p.average_price is not None
    is_percent = p.trailing_type is TrailingType.PERCENT
    return gained >= distance(p.trail_when or ZERO, p.average_price, is_percent=is_percent)


def _trail_stop(p: Protection, best: Decimal, gained: Decimal) -> Decimal | None:
    """Return the stop that the trail asks for; None: the trail is not armed, or there is none."""
    if not p.is_armed or p.trailing_value is None or p.average_price is None:
        return None
    if p.trailing_type is TrailingType.STEP:
        if p.stop_loss is None or not p.trail_when or gained <= 0:
            return None
        first = level_of(p.stop_loss).price(p.average_price, -p.side.sign)
        return first + p.side.sign * p.trailing_value * (gained // p.trail_when)
    is_percent = p.trailing_type is TrailingType.PERCENT
    return best - p.side.sign * distance(p.trailing_value, p.average_price, is_percent=is_percent)


def met(p: Protection, price: Decimal) -> Rule | None:
    """Return the rule that this price meets. Where stop and target are met by the same price, the stop wins."""
    if p.stop_price is not None and (price - p.stop_price) * p.side.sign <= 0:
        return Rule.TRAIL if p.is_armed else Rule.STOP
    if p.target_price is not None and (price - p.target_price) * p.side.sign >= 0:
        return Rule.TARGET
    return None


def _fired(
    before: Protection,
    p: Protection,
    events: tuple[ProtectionEvent, ...],
    rule: Rule,
    mark: Mark,
    covered: Covered,
    now: datetime,
) -> Step:
    """Ask for the exit. What the entry fills after an exit of a part is covered by the next generation.

    An exit of everything follows later fills by itself.
    """
    units = p.quantity
    wanted = WantedExit(p.intent, p.side.opposite, None if covered.is_all else units)
    facts = _facts(price=mark.price, quantity=units, stop=p.stop_price, target=p.target_price)
    event = ProtectionEvent(EventKind.FIRED, now, {"rule": rule.value, **facts})
    after = replace(
        p,
        fired_by=rule,
        fired_at=now,
        fired_price=mark.price,
        mark_price=mark.price,
        mark_at=mark.at,
        exited=p.exited + units,
        quantity=ZERO,
    )
    if covered.is_all or _is_settled(p, covered, now):
        after = replace(after, status=ProtectionStatus.FIRED)
    else:
        after = replace(after, generation=p.generation + 1)
    return replace(_stepped(before, after, (*events, event), now), exit=wanted)


def _is_due(told_at: datetime | None, now: datetime) -> bool:
    return told_at is None or now - told_at >= TRAIL_TOLD_EVERY


def _facts(**values: Decimal | None) -> dict[str, str]:
    return {name: decimal_text(value) for name, value in values.items() if value is not None}


# by a person --------------------------------------------------------------------------------------------------


def cancelled(p: Protection, *, by: str, reason: str, now: datetime) -> Step:
    """End a protection because a person says so; the position stays.

    Raises:
        InvalidProtection: it is over.
    """
    _require_open(p)
    after, [event] = _ended(p, "CANCELLED", now)
    event = replace(event, facts={**event.facts, "by": by, "why": reason})
    return _stepped(p, after, (event,), now)


def tightened(p: Protection, *, stop: Decimal | None, target: Decimal | None, by: str, now: datetime) -> Step:
    """Set the stop tighter, or the target anew, as prices.

    Raises:
        InvalidProtection: it is over or covers nothing yet, the stop would not be tighter, or a price is missing.
    """
    _require_open(p)
    if stop is None and target is None:
        raise InvalidProtection("stop_price", "expected a stop_price, a target_price or both")
    if p.status is not ProtectionStatus.ACTIVE:
        raise InvalidProtection(
            "protection_id", "expected one that covers something: its entry has no fill yet"
        )
    after = p
    if stop is not None:
        if stop == p.stop_price or tighter(p.side, p.stop_price, stop) != stop:
            way = "above" if p.side is Side.BUY else "below"
            limit = decimal_text(p.stop_price or ZERO)
            raise InvalidProtection("stop_price", f"expected a price {way} {limit}: a stop only tightens")
        after = replace(after, stop_price=stop)
    if target is not None:
        after = replace(after, target=Level(LevelUnit.PRICE, target).text, target_price=target)
    facts = {"by": by, **_facts(before=p.stop_price, stop=after.stop_price, target=after.target_price)}
    return _stepped(p, after, (ProtectionEvent(EventKind.CHANGED, now, facts),), now)


def _require_open(p: Protection) -> None:
    if not p.is_open:
        raise InvalidProtection("protection_id", f"expected one that is not over: this one is {p.status}")
