"""Decide when an alert with the same content is no duplicate although it comes within the window."""

from collections.abc import Sequence

from domain.alert import Alert
from domain.enums import ExecutionType
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
        Reason.INSTRUMENTS_STALE,
    )
}
"""The tags of what stopped an entry only for the moment. Blocks by limits, halts and duplicates stand."""

_FOLLOWS = tag_of(Reason.GROUP_INCOMPLETE)
"""The tag of a leg that was stopped because of another leg: the reason of that other leg decides."""


def may_be_repeated(tx: Transaction, first: Alert) -> bool:
    """Return True when the same content is a new alert and not a duplicate of `first`.

    - An exit may be repeated where every leg failed: its goal, a flat position, was not reached.
    - An exit may be repeated where the strategy has entered anew since: what there is to close now is not what the
      first exit closed.
    - An entry may be repeated where it never began.

    A sender that repeats an old exit after a new entry closes the new position. That is better than a position that
    nobody closes.
    """
    legs = tx.orders_of_alert(first.alert_id)
    if first.execution_type is not ExecutionType.EXIT:
        return _never_began(legs)
    if all(leg.status is Status.FAILED for leg in legs):
        return True
    return any(leg.status is Status.EXECUTED and tx.entered_since(leg) for leg in legs)


def _never_began(legs: Sequence[Order]) -> bool:
    """Return True when no leg was sent, and what stopped each of them may have passed by now."""
    tags = {leg.tag for leg in legs}
    unsent = all(
        leg.phase in (Phase.BLOCKED, Phase.LAPSED) and not leg.attempts and leg.sent_at is None
        for leg in legs
    )
    return unsent and bool(tags & _PASSING) and tags <= _PASSING | {_FOLLOWS}
