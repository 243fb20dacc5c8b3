"""Lift a daily loss limit that was hit, inside the transaction that records the lift."""

from datetime import datetime
from decimal import Decimal

from domain.daily_loss import DayLoss, Lift, lifted, standing
from domain.errors import NothingToLift
from domain.limits import LimitBook
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.ports import Transaction


def lift_in(tx: Transaction, client_id: str, book: LimitBook, *, at: datetime, by: str, reason: str) -> Lift:
    """Lift every limit that is latched or hit, record that permanently, and notify of it; returns the lift.

    Raises:
        NothingToLift: no limit is latched, or the day's profit and loss is not known.
    """
    before = tx.day_loss(client_id)
    latched = () if before is None else standing(before, book)
    if before is None or not latched:
        raise NothingToLift(f"no daily loss limit of {client_id} is latched: nothing was changed")
    pnl = _known(before, client_id)
    after = lifted(before, pnl)
    lift = Lift(client_id, at, by, reason, before.day, before.lowest, pnl, after.counts_from, latched)
    tx.keep_day_loss(client_id, after)
    tx.keep_lift(lift)
    told = f"By {by}: {reason}. It stood at {decimal_text(before.lowest or ZERO)}. {lift.means}"
    tx.notify(Notice(NoticeKind.LOSS_LIMIT_LIFTED, client_id, detail=told, by=by))
    return lift


def _known(loss: DayLoss, client_id: str) -> Decimal:
    pnl = loss.counted_pnl
    if pnl is None:
        raise NothingToLift(
            f"the profit and loss of {client_id} is not known (a position at the broker is unreadable), so no limit "
            "could count from it: nothing was changed; lift it once it is known again"
        )
    return pnl
