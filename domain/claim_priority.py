"""Which of the orders that may be sent now is claimed first."""

from collections.abc import Mapping

from domain.enums import ExecutionType
from domain.order import Order

CLAIM_PRIORITY: Mapping[ExecutionType, int] = {
    ExecutionType.EXIT: 0,  # it reduces risk, so no entry is claimed before it
    ExecutionType.ENTRY: 1,
    ExecutionType.ADJUST: 1,
}
"""Of each type that an order has. Lower numbers are claimed first, and of one number the oldest.

A store may keep the number in a column. Whoever changes a number adds a migration that makes that column anew.
"""

EXITS = CLAIM_PRIORITY[ExecutionType.EXIT]
"""The last priority of an exit."""
LAST = max(CLAIM_PRIORITY.values())


def claim_priority(order: Order) -> int:
    """Return the order's place among those that may be sent now: lower first."""
    return CLAIM_PRIORITY[order.execution_type]
