"""The entries of one alert as a group: how far it has come, and what follows from that. Pure.

Every step is computed anew from the legs' rows, the exits that were asked for, and the clock. So whoever looks next,
after a crash or beside another watcher, comes to the same step. Nothing is remembered but what the group's row holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.cancellation import cancel_wish, hindrance
from domain.combined import Combined, Happened
from domain.enums import Side
from domain.exit_chase import chase_of, ends_of
from domain.limits import GroupPolicy, WhenIncomplete
from domain.money import ZERO
from domain.order import Order
from domain.reason_codes import Reason, reason_of
from domain.states import Status
from domain.times import has_elapsed

MOST_TRIES = 8
"""How often the exit of a leg is asked for before a person is."""
TOLD_AFTER = timedelta(seconds=15)
"""How long an unwinding may wait for something before people are told what for."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=1)
_OVER = (Status.EXECUTED, Status.FAILED)


class GroupState(StrEnum):
    """How far a group has come."""

    FORMING = "FORMING"  # nothing is filled yet
    INCOMPLETE = "INCOMPLETE"  # some of it is filled, and some may still be
    COMPLETE = "COMPLETE"
    UNWINDING = "UNWINDING"  # what is not filled is cancelled, what is filled is exited
    UNWOUND = "UNWOUND"  # nothing is left of it
    LEFT_TO_PERSON = "LEFT_TO_PERSON"  # it is not what the alert wanted, and a person decides

    @property
    def is_open(self) -> bool:
        """True while something is still to follow."""
        return self in (GroupState.FORMING, GroupState.INCOMPLETE, GroupState.UNWINDING)


@dataclass(frozen=True, slots=True)
class LegGroup:
    """One client's entries of an alert that are judged together. Times are aware UTC.

    - `legs`: their command ids. What the policy was at the alert holds until the group has ended.
    - `deadline`: until when all of it has to be filled; None: for as long as its orders live.
    - `why`: why it is not completed.
    - `incomplete_since`: since when some of it is filled and not all.
    - `combined`: what protects it as a whole; None: nothing.
    """

    group_id: str
    alert_id: str
    client_id: str
    strategy_name: str
    policy: GroupPolicy
    when_incomplete: WhenIncomplete
    minimum: int
    legs: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    deadline: datetime | None = None
    state: GroupState = GroupState.FORMING
    why: str = ""
    incomplete_since: datetime | None = None
    unwinding_since: datetime | None = None
    combined: Combined | None = None
    version: int = 1

    @property
    def is_combined(self) -> bool:
        """True while its combined protection may be met. One that leaves already is not asked to leave again."""
        may_leave = self.state is not GroupState.UNWOUND and self.unwinding_since is None
        return may_leave and self.combined is not None and self.combined.is_live

    @property
    def is_watched(self) -> bool:
        """True while anything is still to follow for it."""
        return self.state.is_open or self.is_combined


@dataclass(frozen=True, slots=True)
class LegSeen:
    """A leg as it stands.

    - `held`: how many units its strategy holds there on the leg's side; never below 0.
    - `tries`: the exits that the group has asked of it, in their order, each with its further parts.
    """

    order: Order
    held: Decimal
    tries: tuple[tuple[Order, ...], ...] = ()

    @property
    def exited(self) -> Decimal:
        """What the group's exits took back, in units."""
        return sum((each.filled_quantity for tried in self.tries for each in tried), ZERO)

    @property
    def left(self) -> Decimal:
        """What of its fills is still held. What others have closed meanwhile is not."""
        return max(min(self.order.filled_quantity - self.exited, self.held), ZERO)

    @property
    def is_sold(self) -> bool:
        """True for a leg that is naked without its hedge."""
        return self.order.side is Side.SELL

    def may_move(self, now: datetime) -> bool:
        """Return True while the leg may still be filled."""
        return _may_move(self.order, now)

    def is_exiting(self, now: datetime) -> bool:
        """Return True while an exit of it may be live."""
        return any(_may_move(each, now) for tried in self.tries for each in tried)

    def is_settled(self, now: datetime) -> bool:
        """Return True when nothing of the leg is held, and nothing can be any more."""
        return not (self.may_move(now) or self.is_exiting(now) or self.left)


@dataclass(frozen=True, slots=True)
class ExitWish:
    """An exit that is to be asked for: so many units of a leg, for the `number`-th time.

    `asked_at`: when the try before it began, or the unwinding; the exit's id sorts by it.
    """

    leg: Order
    units: Decimal
    number: int
    asked_at: datetime

    @property
    def intent(self) -> str:
        """The UNIQUE key of the exit."""
        return intent_of(self.leg.command_id, self.number)


def intent_of(command_id: str, number: int) -> str:
    """Return the UNIQUE key of a leg's exit of that number."""
    return f"group|{command_id}|{number}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows for a group: how it stands then, which legs are taken back, and which exits are asked for.

    `waits_for`: what an unwinding still waits for, where that has lasted so long that people are told.
    `events`: what happened to its combined protection.
    """

    before: LegGroup
    after: LegGroup
    legs: tuple[LegSeen, ...]
    take_back: tuple[Order, ...] = ()
    exits: tuple[ExitWish, ...] = ()
    waits_for: tuple[LegSeen, ...] = field(default=())
    events: tuple[Happened, ...] = ()

    @property
    def changes(self) -> bool:
        """True where anything is to be written."""
        return self.after is not self.before or bool(self.take_back or self.exits)


def decide(group: LegGroup, legs: Sequence[LegSeen], now: datetime, *, halt: str | None = None) -> Decision:
    """Return what follows for an open group.

    Args:
        legs: all of its legs.
        halt: why entries of its client or strategy are halted; None: they are not.
    """
    if group.state is GroupState.UNWINDING:
        return _unwind(group, group, tuple(legs), now)
    whole = [leg for leg in legs if leg.order.status is Status.EXECUTED]
    if len(whole) == len(legs):
        return _moved(group, legs, now, GroupState.COMPLETE)
    why = _why_not(group, legs, len(whole), now, halt)
    if why:
        return _give_up(group, tuple(legs), why, now)
    pending = [leg.order for leg in legs if leg.order.status not in _OVER]
    if group.policy is GroupPolicy.BEST_EFFORT and (not pending or _is_late(group, now)):
        return _close(group, tuple(legs), len(whole), now)
    is_begun = any(leg.order.filled_quantity for leg in legs)
    if is_begun and group.state is GroupState.FORMING:
        return _moved(group, legs, now, GroupState.INCOMPLETE, incomplete_since=now)
    return Decision(group, group, tuple(legs))


def is_naked(legs: Sequence[LegSeen]) -> bool:
    """Return True where units of a sold leg are held and a bought leg of the group is not held in full."""
    is_sold = any(leg.is_sold and leg.left for leg in legs)
    return is_sold and any(not leg.is_sold and leg.left < leg.order.quantity for leg in legs)


def _why_not(group: LegGroup, legs: Sequence[LegSeen], whole: int, now: datetime, halt: str | None) -> str:
    """Say why the group will not become what it has to; empty: it may."""
    failed = [leg.order for leg in legs if leg.order.status is Status.FAILED]
    is_best_effort = group.policy is GroupPolicy.BEST_EFFORT
    needed = min(group.minimum, len(legs)) if is_best_effort else len(legs)
    if len(legs) - len(failed) < needed:
        return f"{failed[0].side} {failed[0].symbol} has ended ({failed[0].tag})"
    if halt is not None and whole < needed and group.when_incomplete is WhenIncomplete.UNWIND:
        return f"entries are halted ({halt})"
    if _is_late(group, now) and whole < needed:
        allowed = 0 if group.deadline is None else (group.deadline - group.created_at).total_seconds()
        return f"not filled within {allowed:g} s"
    return ""


def _is_late(group: LegGroup, now: datetime) -> bool:
    return group.deadline is not None and now >= group.deadline


def _give_up(group: LegGroup, legs: tuple[LegSeen, ...], why: str, now: datetime) -> Decision:
    is_begun = any(leg.order.filled_quantity for leg in legs)
    since = group.incomplete_since or (now if is_begun else None)
    if group.when_incomplete is WhenIncomplete.UNWIND:
        # The exits' ids follow from when the unwinding began; one that begins anew goes on with the same.
        began = group.unwinding_since or now
        after = _as(group, GroupState.UNWINDING, now, why=why, incomplete_since=since, unwinding_since=began)
        return _unwind(group, after, legs, now)
    is_over = all(leg.is_settled(now) for leg in legs)
    state = GroupState.UNWOUND if is_over else GroupState.LEFT_TO_PERSON
    return _moved(group, legs, now, state, why=why, incomplete_since=since)


def _close(group: LegGroup, legs: tuple[LegSeen, ...], whole: int, now: datetime) -> Decision:
    """Take what there is: the minimum is filled, and what is not filled by now is taken back."""
    if any(leg.order.status not in _OVER for leg in legs):
        return Decision(group, group, legs, take_back=_to_take_back(legs))
    return _moved(group, legs, now, GroupState.COMPLETE, why=f"{whole} of {len(legs)} legs")


def _unwind(before: LegGroup, group: LegGroup, legs: tuple[LegSeen, ...], now: datetime) -> Decision:
    """Take back what is not filled, and exit what is: sold legs first, and hedges when no sold leg can be held."""
    take_back = _to_take_back(legs)
    if all(leg.is_settled(now) for leg in legs):
        return replace(_moved(group, legs, now, GroupState.UNWOUND), before=before)
    is_covered = all(leg.is_settled(now) for leg in legs if leg.is_sold)
    exits = list[ExitWish]()
    for leg in legs:
        if not (leg.is_sold or is_covered) or leg.order.status not in _OVER:
            continue
        if not leg.left or leg.is_exiting(now):
            continue
        stopped = _stopped(leg)
        if stopped:
            left = _as(group, GroupState.LEFT_TO_PERSON, now, why=f"{group.why}; {stopped}")
            return Decision(before, left, legs, take_back=take_back)
        if _is_due(leg, now):
            exits.append(_wish(group, leg))
    began = group.unwinding_since or now
    waits = (
        tuple(leg for leg in legs if not leg.is_settled(now)) if has_elapsed(began, now, TOLD_AFTER) else ()
    )
    return Decision(before, group, legs, take_back, tuple(exits), waits)


def _to_take_back(legs: Sequence[LegSeen]) -> tuple[Order, ...]:
    """List the legs whose cancel can be requested now and was not yet."""
    return tuple(
        leg.order
        for leg in legs
        if leg.order.status not in _OVER
        and leg.order.cancel_requested_at is None
        and hindrance(leg.order.phase, leg.order.broker_order_id) is None
    )


def _wish(group: LegGroup, leg: LegSeen) -> ExitWish:
    asked_at = leg.tries[-1][0].created_at if leg.tries else group.unwinding_since
    assert asked_at is not None
    return ExitWish(leg.order, leg.left, len(leg.tries) + 1, asked_at)


def _is_due(leg: LegSeen, now: datetime) -> bool:
    """Return True when the next exit of a leg may be asked for: a fill may not be in the positions yet."""
    if not leg.tries:
        return True
    last = leg.tries[-1][-1]
    pause = min(_FIRST_PAUSE * 2 ** (len(leg.tries) - 1), _LONGEST_PAUSE)
    return has_elapsed(last.updated_at or last.created_at, now, pause)


def _stopped(leg: LegSeen) -> str:
    """Say why no further exit of the leg is asked for; empty: it may be."""
    if not leg.tries:
        return ""
    first, *parts = leg.tries[-1]
    ends = ends_of(first, parts)  # an exit that was priced anew was cancelled by us, and goes on
    if any(_was_withdrawn(each) for each in ends):
        return f"the exit of {first.symbol} was cancelled"
    last = ends[-1]
    if len(leg.tries) >= MOST_TRIES:
        return f"no exit of {last.symbol} closed it ({last.tag or last.phase}, {len(leg.tries)} tries)"
    return ""


def _was_withdrawn(order: Order) -> bool:
    """Return True for an exit that a person took back; not where we asked for the cancel to price it anew."""
    by_hand = cancel_wish(order) is not None and not chase_of(order).asked
    return order.status is Status.FAILED and (by_hand or reason_of(order.tag) is Reason.CANCELLED_BEFORE_SENT)


def _may_move(order: Order, now: datetime) -> bool:
    return order.status not in _OVER or order.is_provisional(now)


def _as(group: LegGroup, state: GroupState, now: datetime, **changes: object) -> LegGroup:
    return replace(group, state=state, updated_at=now, version=group.version + 1, **changes)  # type: ignore[arg-type]


def _moved(
    group: LegGroup, legs: Sequence[LegSeen], now: datetime, state: GroupState, **changes: object
) -> Decision:
    return Decision(group, _as(group, state, now, **changes), tuple(legs))


def leave(group: LegGroup, legs: Sequence[LegSeen], why: str, combined: Combined, now: datetime) -> Decision:
    """Let a group leave as a whole because its combined protection is met."""
    after = _as(group, GroupState.UNWINDING, now, why=why, unwinding_since=now, combined=combined)
    return _unwind(group, after, tuple(legs), now)


def moved_on(group: LegGroup, now: datetime) -> LegGroup:
    """Return the group as it is written after something of it has changed, and not its state."""
    return _as(group, group.state, now)


def reopened(group: LegGroup, now: datetime) -> LegGroup:
    """Return a group that was unwound, after a leg of it came to life again or was filled late."""
    return _as(group, GroupState.UNWINDING, now)
