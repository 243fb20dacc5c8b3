"""Stop an entry whose protection would be met at once."""

from blockers.rules import Block, Rule
from domain.further_terms import wrong_side
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


RULES: tuple[Rule, ...] = (stop_wrong_side,)
