"""Notices to the operator, as facts. `notifications` makes the texts; a notice is stored with the change it reports."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from domain.actors import actor_of
from domain.exit_chase import is_successor, is_superseded
from domain.order import Order
from domain.states import Phase, Status


class NoticeKind(StrEnum):
    BLOCKED = "BLOCKED"
    PLACED = "PLACED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    REJECTED = "REJECTED"  # the broker refused the request, or rejected the order later
    FAILED = "FAILED"  # every other end without a full fill
    UNKNOWN = "UNKNOWN"  # an outcome unknown for too long
    OVERFILLED = "OVERFILLED"
    RESURRECTED = "RESURRECTED"  # recorded as FAILED, now live or filled: the broker's book wins
    ALERT_REJECTED = "ALERT_REJECTED"  # authenticated and not tradable
    HALTED = "HALTED"
    RESUMED = "RESUMED"
    LOSS_LIMIT_HIT = "LOSS_LIMIT_HIT"  # entries stop for the day
    RISK_LIMIT_HIT = "RISK_LIMIT_HIT"  # another limit than one on a loss
    RISK_WARNING = "RISK_WARNING"  # a share of a limit is used up
    RISK_UNKNOWN = "RISK_UNKNOWN"  # a sum that a limit needs is not known
    DAY_SUMMARY = "DAY_SUMMARY"  # what a trading day brought
    STATE_CHANGED = "STATE_CHANGED"  # a person lets entries only reduce
    LOSS_LIMIT_LIFTED = "LOSS_LIMIT_LIFTED"  # an operator lets them go on
    SYSTEM = "SYSTEM"  # a loop stalled, a broker cannot be read, …
    EXTERNAL_ORDER = "EXTERNAL_ORDER"
    UNREMEMBERED_ORDER = "UNREMEMBERED_ORDER"  # a broker order with our tag that this database does not know
    FROZEN = "FROZEN"  # at the broker for over an hour
    HOLDING_CLEARED = "HOLDING_CLEARED"  # the broker shows flat what a strategy held
    POSITION_DIFFERS = "POSITION_DIFFERS"  # our strategies hold something else than the broker shows
    EXTERNAL_POSITION = "EXTERNAL_POSITION"  # the broker shows a position where no strategy holds anything
    ADOPTED = "ADOPTED"  # a person made units of the account a strategy's holding
    POSITION_AGREES = "POSITION_AGREES"  # such a difference is gone
    STOP_FIRED = "STOP_FIRED"  # a protection asked for an exit
    TARGET_FIRED = "TARGET_FIRED"
    TIME_EXIT = "TIME_EXIT"  # the time to exit came
    STOP_AT_COST = "STOP_AT_COST"  # a stop was moved to the average fill
    PROFIT_LOCKED = "PROFIT_LOCKED"  # a part of a profit is kept by the stop from now on
    TRAIL_ARMED = "TRAIL_ARMED"
    TRAIL_MOVED = "TRAIL_MOVED"
    PROTECTION_UNKNOWN = "PROTECTION_UNKNOWN"  # without a usable price for too long
    NO_STOP = "NO_STOP"  # the distance of a protection's stop leads to 0 or below
    PROTECTIVE_EXIT_FAILED = "PROTECTIVE_EXIT_FAILED"
    PROTECTED_AGAIN = "PROTECTED_AGAIN"  # what was filled after a protection's exit was over


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to the operator.

    - `detail`: the reason or the text, where no order has it.
    - `by`: who said or did it, where that was a person.
    - `more`: what follows from it, on a line of its own, where the kind alone does not say.
    """

    kind: NoticeKind
    client_id: str
    order: Order | None = None
    alert_id: str | None = None
    symbol: str | None = None
    detail: str = ""
    by: str = ""
    more: str = ""


def notices_for(before: Order | None, after: Order, actor: str = "") -> tuple[Notice, ...]:
    """Return the notices that a change of an order needs, if any; a pure function of the change and of who made it."""
    by = actor if actor_of(actor).is_person else ""

    def notice(kind: NoticeKind, detail: str = "") -> Notice:
        return Notice(kind, after.client_id, after, after.alert_id, after.symbol, detail, by)

    if before is None:
        return ()
    told = []
    # An exit that is priced anew is one exit: its new orders are events in its story, and no news.
    if before.broker_order_id is None and after.broker_order_id is not None and not is_successor(after):
        told.append(notice(NoticeKind.PLACED))
    if before.status is Status.FAILED and after.status is not Status.FAILED:
        told.append(notice(NoticeKind.RESURRECTED, f"was {before.tag}"))
    if after.filled_quantity > before.filled_quantity:
        if after.filled_quantity > after.quantity:
            told.append(notice(NoticeKind.OVERFILLED))
        if after.phase is Phase.FILLED and before.phase is not Phase.FILLED:
            told.append(notice(NoticeKind.FILLED))
        elif after.phase is Phase.PARTIALLY_FILLED or before.status is after.status is Status.FAILED:
            told.append(notice(NoticeKind.PARTIALLY_FILLED))
    elif after.phase is Phase.FILLED and before.phase is not Phase.FILLED:
        told.append(notice(NoticeKind.FILLED))
    if after.status is Status.FAILED and before.status is not Status.FAILED and not is_superseded(after):
        told.append(notice(_FAILED_KIND.get(after.phase, NoticeKind.FAILED)))
    if after.escalation >= 2 and after.escalation > before.escalation:
        told.append(_louder(after, notice))
    return tuple(told)


def _louder(after: Order, notice: Callable[[NoticeKind, str], Notice]) -> Notice:
    """Return the notice of a state that has lasted too long."""
    if after.phase is Phase.UNKNOWN:
        return notice(NoticeKind.UNKNOWN, "")
    if after.phase is Phase.REGISTERED:
        return notice(NoticeKind.SYSTEM, f"the exit is not sent yet: {after.reason_message}")
    how = f" ({after.reason_message})" if after.reason_message else ""
    return notice(
        NoticeKind.SYSTEM, f"a market order rests at the broker, not all of it filled{how}: cancel it or wait"
    )


_FAILED_KIND = {
    Phase.BLOCKED: NoticeKind.BLOCKED,
    Phase.REFUSED: NoticeKind.REJECTED,
    Phase.REJECTED: NoticeKind.REJECTED,
}
