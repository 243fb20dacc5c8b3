"""The states of an order: four statuses that operators see, finer phases inside them, one table of transitions.

The same table is compiled into triggers of the database, so the database also rejects an operator's `UPDATE` along an
edge that is missing here.
"""

from enum import StrEnum

from domain.errors import IllegalTransition


class Status(StrEnum):
    """The status of an order, as operators see it."""

    CREATED = "CREATED"
    SENT_TO_BROKER = "SENT_TO_BROKER"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"


class Phase(StrEnum):
    """The exact state of an order; each phase belongs to one status."""

    REGISTERED = "REGISTERED"  # durable here, not yet claimed
    SUBMITTING = "SUBMITTING"  # claimed: the call to the broker may be in progress
    UNKNOWN = "UNKNOWN"  # the call's outcome is not known: the order may be live
    WORKING = "WORKING"  # the broker has it
    PARTIALLY_FILLED = "PARTIALLY_FILLED"  # the broker has it, and part of it is filled
    FILLED = "FILLED"  # filled in full
    BLOCKED = "BLOCKED"  # blocked by one of our rules: never sent
    LAPSED = "LAPSED"  # will not be sent any more: never left us, or turned away
    REFUSED = "REFUSED"  # the broker refused the request itself
    REJECTED = "REJECTED"  # the broker accepted the request, then rejected the order
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    ABSENT = "ABSENT"  # proven: the broker never had it


STATUS_OF: dict[Phase, Status] = {
    Phase.REGISTERED: Status.CREATED,
    Phase.SUBMITTING: Status.SENT_TO_BROKER,
    Phase.UNKNOWN: Status.SENT_TO_BROKER,
    Phase.WORKING: Status.SENT_TO_BROKER,
    Phase.PARTIALLY_FILLED: Status.SENT_TO_BROKER,
    Phase.FILLED: Status.EXECUTED,
    Phase.BLOCKED: Status.FAILED,
    Phase.LAPSED: Status.FAILED,
    Phase.REFUSED: Status.FAILED,
    Phase.REJECTED: Status.FAILED,
    Phase.CANCELLED: Status.FAILED,
    Phase.EXPIRED: Status.FAILED,
    Phase.ABSENT: Status.FAILED,
}

_BOOK_SAYS = frozenset(
    {
        Phase.WORKING,
        Phase.PARTIALLY_FILLED,
        Phase.FILLED,
        Phase.REJECTED,
        Phase.CANCELLED,
        Phase.EXPIRED,
    }
)
"""The phases that the broker's book can lead to from any phase in which the broker may have the order."""

TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    # The self-edge is a resized exit or a postponed retry.
    Phase.REGISTERED: frozenset({Phase.REGISTERED, Phase.SUBMITTING, Phase.BLOCKED, Phase.LAPSED}),
    # Back to REGISTERED only when the request provably never left us, or the broker says that it turned it away.
    Phase.SUBMITTING: _BOOK_SAYS
    | {Phase.REGISTERED, Phase.UNKNOWN, Phase.REFUSED, Phase.LAPSED, Phase.SUBMITTING},
    # The self-edge is an escalation, or sending again with the same id where the broker allows it.
    # REFUSED: the answer to the first call, which arrived after its deadline.
    Phase.UNKNOWN: _BOOK_SAYS | {Phase.UNKNOWN, Phase.ABSENT, Phase.REFUSED},
    # UNKNOWN: acknowledged, and later missing from the book.
    Phase.WORKING: _BOOK_SAYS | {Phase.UNKNOWN},
    Phase.PARTIALLY_FILLED: _BOOK_SAYS - {Phase.WORKING} | {Phase.UNKNOWN},
    # The self-edge is an overfill (the broker reports more than was ordered), or a book that later shows less than was
    # filled. Both are recorded and people are notified.
    Phase.FILLED: frozenset({Phase.FILLED}),
    # Never sent, so no broker's report can be about it.
    Phase.BLOCKED: frozenset(),
    # The broker's book wins where it shows an order as live or filled that was recorded as ended or never sent. This
    # happens, for example, when a proxy answers with an error for a broker that it did reach.
    Phase.LAPSED: _BOOK_SAYS,
    Phase.REFUSED: _BOOK_SAYS,
    Phase.REJECTED: _BOOK_SAYS,
    Phase.CANCELLED: _BOOK_SAYS,
    Phase.EXPIRED: _BOOK_SAYS,
    # The self-edge: an operator ends the wait for a late acceptance.
    Phase.ABSENT: _BOOK_SAYS | {Phase.ABSENT},
}

MAY_BE_LIVE = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.WORKING, Phase.PARTIALLY_FILLED})
"""Phases in which the broker may hold a live order of ours."""


def check_transition(current: Phase, target: Phase) -> None:
    """Check that the table has this transition.

    Raises:
        IllegalTransition: the table has no such edge.
    """
    if target not in TRANSITIONS[current]:
        raise IllegalTransition(f"{current} does not lead to {target}")
