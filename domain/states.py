"""An order's life: four statuses that operators see, finer phases inside them, one table of transitions.

The same table is compiled into triggers of the database, so an edge that is missing here
is missing for an operator's `UPDATE` too.
"""

from enum import StrEnum

from domain.errors import IllegalTransition


class Status(StrEnum):
    """What operators see."""

    CREATED = "CREATED"
    SENT_TO_BROKER = "SENT_TO_BROKER"
    EXECUTED = "EXECUTED"
    FAILED = "FAILED"


class Phase(StrEnum):
    """Where exactly the order is; each phase belongs to one status."""

    REGISTERED = "REGISTERED"  # durable here, not yet claimed
    SUBMITTING = "SUBMITTING"  # claimed: the call to the broker may be under way
    UNKNOWN = "UNKNOWN"  # the call's outcome is not known: may be live
    WORKING = "WORKING"  # the broker has it
    PARTIALLY_FILLED = "PARTIALLY_FILLED"  # the broker has it, some of it is filled
    FILLED = "FILLED"  # filled in full
    BLOCKED = "BLOCKED"  # one of our rules said no: never sent
    LAPSED = "LAPSED"  # never left us, and the alert's life is over
    REFUSED = "REFUSED"  # the broker refused the request itself
    REJECTED = "REJECTED"  # the broker took it, then rejected it
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
"""Where the broker's own word about an order can lead from any phase in which it may have the order."""

TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    # The self-edge is a resized exit or a postponed retry: still ours alone.
    Phase.REGISTERED: frozenset({Phase.REGISTERED, Phase.SUBMITTING, Phase.BLOCKED, Phase.LAPSED}),
    # Back to REGISTERED only when the request provably never left us.
    Phase.SUBMITTING: _BOOK_SAYS
    | {Phase.REGISTERED, Phase.UNKNOWN, Phase.REFUSED, Phase.LAPSED, Phase.SUBMITTING},
    # The self-edge is an escalation, or sending again with the same id where the broker allows it.
    # REFUSED: the first call's own answer, arriving after its deadline.
    Phase.UNKNOWN: _BOOK_SAYS | {Phase.UNKNOWN, Phase.ABSENT, Phase.REFUSED},
    # UNKNOWN: acknowledged, and later no longer in the book.
    Phase.WORKING: _BOOK_SAYS | {Phase.UNKNOWN},
    Phase.PARTIALLY_FILLED: _BOOK_SAYS - {Phase.WORKING} | {Phase.UNKNOWN},
    # Overfill: the broker reports more than was ordered. Recorded, and loud.
    Phase.FILLED: frozenset({Phase.FILLED}),
    # Never sent, so no word of any broker can be about them.
    Phase.BLOCKED: frozenset(),
    # Real world possibility: the broker shows as live or filled what had been called dead, or called never sent
    # (a proxy that answered for a broker it did reach). Its book wins.
    Phase.LAPSED: _BOOK_SAYS,
    Phase.REFUSED: _BOOK_SAYS,
    Phase.REJECTED: _BOOK_SAYS,
    Phase.CANCELLED: _BOOK_SAYS,
    Phase.EXPIRED: _BOOK_SAYS,
    # The self-edge: a person ends the wait for a late acceptance.
    Phase.ABSENT: _BOOK_SAYS | {Phase.ABSENT},
}

MAY_BE_LIVE = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.WORKING, Phase.PARTIALLY_FILLED})
"""Phases in which the broker may hold a live order of ours."""


def check_transition(current: Phase, target: Phase) -> None:
    """Let an edge of the table pass.

    Raises:
        IllegalTransition: the table has no such edge.
    """
    if target not in TRANSITIONS[current]:
        raise IllegalTransition(f"{current} does not lead to {target}")
