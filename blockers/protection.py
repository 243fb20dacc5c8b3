"""Stop an entry whose protection would be met at once, by the price or by the clock."""

from blockers.rules import Block, Rule
from domain.further_terms import further_of, wrong_side
from domain.order import Order
from domain.protection_terms import is_protected
from domain.reason_codes import Reason
from domain.risk_facts import Facts


def stop_wrong_side(order: Order, facts: Facts) -> Block | None:
    """Block an entry whose stop or target is on the wrong side of the price at which it is to be filled.

    Without any such price the watcher judges by the fills.
    """
    if not is_protected(order):
        return None
    price = order.price or order.trigger_price or order.reference_price
    found = None if price is None else wrong_side(order, price, order.side.sign)
    return None if found is None else Block(Reason.STOP_WRONG_SIDE, found)


def exit_time_passed(order: Order, facts: Facts) -> Block | None:
    """Block an entry that comes at or after the clock time at which it is to exit."""
    further = further_of(order.protection_json)
    if further.exit_at is None or order.created_at < further.exit_at:
        return None
    return Block(Reason.EXIT_TIME_PASSED, further.exit_clock or "")


RULES: tuple[Rule, ...] = (stop_wrong_side, exit_time_passed)
