"""When an alert with the same content is no repeat although it comes within the window."""

from collections.abc import Sequence

from domain.alert import Alert, ExecutionType
from domain.order import Order
from domain.ports import Transaction
from domain.reason_codes import Reason, tag_of
from domain.states import Phase, Status

_PASSING = {
    tag_of(reason)
    for reason in (
        Reason.POSITIONS_STALE,
        Reason.OUTCOME_UNKNOWN,
        Reason.NOT_FLAT_IN_TIME,
        Reason.ALERT_TOO_OLD,
    )
}
"""What stopped an entry for the moment. Limits, halts and duplicates stand."""

_FOLLOWS = tag_of(Reason.GROUP_INCOMPLETE)
"""What stopped a leg because of another one: the other one's reason decides."""


def may_be_repeated(tx: Transaction, first: Alert) -> bool:
    """True for an exit whose goal, "flat", was not reached, or is none any more, and for an entry that never began.

    The exit's goal was not reached where every leg failed; and what there is to close now is not what it closed where
    the strategy has entered anew since. A sender that repeats the old exit after that closes the new position: better
    than one that nobody closes.
    """
    legs = tx.orders_of_alert(first.alert_id)
    if first.execution_type is not ExecutionType.EXIT:
        return _never_began(legs)
    if all(leg.status is Status.FAILED for leg in legs):
        return True
    return any(leg.status is Status.EXECUTED and tx.entered_since(leg) for leg in legs)


def _never_began(legs: Sequence[Order]) -> bool:
    """True where no leg was sent, and what stopped each of them may have passed by now."""
    tags = {leg.tag for leg in legs}
    unsent = all(
        leg.phase in (Phase.BLOCKED, Phase.LAPSED) and not leg.attempts and leg.sent_at is None
        for leg in legs
    )
    return unsent and bool(tags & _PASSING) and tags <= _PASSING | {_FOLLOWS}
