"""Lift limits on the day's profit and loss that were hit, inside the transaction that records the lift."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.daily_loss import DayLoss, Lift, lifted, standing
from domain.errors import NothingToLift
from domain.limits import LimitBook
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.ports import Transaction
from domain.risk_stops import EventKind, RiskEvent, RiskRule, Stop, is_of_the_day


def lift_in(tx: Transaction, client_id: str, book: LimitBook, *, at: datetime, by: str, reason: str) -> Lift:
    """Lift every limit that is latched or hit, record that permanently, and notify of it; returns the lift.

    Raises:
        NothingToLift: no limit is latched, or the day's profit and loss is not known.
    """
    before = tx.day_loss(client_id)
    latched = () if before is None else standing(before, book)
    stops = [stop for stop in tx.risk_stops(client_id) if _is_liftable(stop, at)]
    if not latched and not stops:
        raise NothingToLift(
            f"no daily loss limit of {client_id} is latched, nor another limit of its day: nothing was changed"
        )
    named = tuple(f"{stop.key.rule.words} of {stop.whose}" for stop in stops)
    if before is None or not latched:
        figure = stops[0].figure or ZERO
        lift = Lift(client_id, at, by, reason, at.date(), None, figure, ZERO, (), named)
    else:
        pnl = _known(before, client_id)
        after = lifted(before, pnl)
        lift = Lift(
            client_id, at, by, reason, before.day, before.lowest, pnl, after.counts_from, latched, named
        )
        tx.keep_day_loss(client_id, after)
        tx.keep_lift(lift)
    for stop in stops:
        if stop.key.rule is RiskRule.TRAILING_LOSS:  # it trails from now on
            tx.drop_stop(stop.key._replace(rule=RiskRule.BEST))
        tx.put_stop(replace(stop, lifted_at=at, counts_from=None))
        tx.add_risk_event(RiskEvent(at, stop.key, EventKind.LIFTED, f"by {by}: {reason}"))
    stood = f"It stood at {decimal_text(lift.lowest)}. " if lift.lowest is not None else ""
    also = f"Lifted: {', '.join(named)}. " if named else ""
    told = f"By {by}: {reason}. {also}{stood}{lift.means}"
    tx.notify(Notice(NoticeKind.LOSS_LIMIT_LIFTED, client_id, detail=told, by=by))
    return lift


def _is_liftable(stop: Stop, at: datetime) -> bool:
    return is_of_the_day(stop) and stop.is_confirmed and stop.is_standing(at)


def _known(loss: DayLoss, client_id: str) -> Decimal:
    pnl = loss.counted_pnl
    if pnl is None:
        raise NothingToLift(
            f"the profit and loss of {client_id} is not known (a position at the broker is unreadable), so no limit "
            "could count from it: nothing was changed; lift it once it is known again"
        )
    return pnl
