"""Decide when an alert with the same content is no duplicate although it comes within the window."""

from collections.abc import Sequence

from domain.alert import Alert
from domain.enums import ExecutionType
from domain.exit_chase import ends_of, is_of_leg
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
    ends = [(leg, _ends(tx, leg)) for leg in legs]
    if all(any(each.status is Status.FAILED for each in rows) for _, rows in ends):
        return True
    return any(
        all(each.status is Status.EXECUTED for each in rows) and tx.entered_since(leg) for leg, rows in ends
    )


def _ends(tx: Transaction, leg: Order) -> list[Order]:
    """The rows by which a leg is judged: where it was priced anew, or left in slices, further parts of it tell."""
    parts = [part for part in tx.parts(leg.command_id) if is_of_leg(part)]
    return ends_of(leg, parts)


def _never_began(legs: Sequence[Order]) -> bool:
    """Return True when no leg was sent, and what stopped each of them may have passed by now."""
    tags = {leg.tag for leg in legs}
    unsent = all(
        leg.phase in (Phase.BLOCKED, Phase.LAPSED) and not leg.attempts and leg.sent_at is None
        for leg in legs
    )
    return unsent and bool(tags & _PASSING) and tags <= _PASSING | {_FOLLOWS}
