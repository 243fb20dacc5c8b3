"""When an alert with the same content is no repeat although it comes within the window."""

from domain.alert import Alert, ExecutionType
from domain.ports import Transaction
from domain.states import Status


def may_be_repeated(tx: Transaction, first: Alert) -> bool:
    """True for an exit whose goal, "flat", was not reached, or is none any more.

    It was not where every leg failed; and what there is to close now is not what it closed where the strategy has
    entered anew since. A sender that repeats the old exit after that closes the new position: better than one that
    nobody closes.
    """
    if first.execution_type is not ExecutionType.EXIT:
        return False
    legs = tx.orders_of_alert(first.alert_id)
    if all(leg.status is Status.FAILED for leg in legs):
        return True
    return any(leg.status is Status.EXECUTED and tx.entered_since(leg) for leg in legs)
