"""States by schedule: from which time of day entries only reduce, or none is let through. Pure."""

from dataclasses import replace
from datetime import datetime, time, timedelta

from domain.account_state import AccountState
from domain.limits import ClientPolicy, Limits
from domain.times import day_start, trading_day


def at_this_time(limits: Limits, policy: ClientPolicy, now: datetime) -> Limits:
    """Return the limits with the state that their times ask for now, by the client's clock."""
    state = AccountState.ACTIVE
    if _has_passed(limits.reducing_from, policy, now):
        state = AccountState.REDUCING
    if _has_passed(limits.halted_from, policy, now):
        state = AccountState.HALTED
    return limits if state is limits.scheduled else replace(limits, scheduled=state)


def _has_passed(at: time | None, policy: ClientPolicy, now: datetime) -> bool:
    """Return True from that time on until the trading day ends. A time before the day begins is of the night after."""
    if at is None:
        return False
    day = trading_day(now, policy.zone, policy.day_starts)
    return now >= day_start(day if at >= policy.day_starts else day + timedelta(days=1), policy.zone, at)
