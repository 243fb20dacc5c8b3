"""What the trading days before today say: days with a loss one after the other, and the best that the equity stood at.

A day's result is what it realised and how much what is open gained or lost on it. Where the price of what was open was
never known on a day, that part counts on the next day on which it is. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from domain.money import ZERO
from domain.pnl import DayResult

KEPT_FOR = 92
"""Days that are looked back at for losing days: a longer streak does not matter."""


class DaySum(NamedTuple):
    """The result of a closed trading day, of a client or of a strategy."""

    day: date
    result: Decimal


class PastDays(NamedTuple):
    """What the closed days ask for of one sum.

    - `pauses_until`: the day on which entries go again after too many losing days; None: they were not too many.
    - `streak`: how many days with a loss made it pause.
    - `above`: by how much the best of the window lies above where the equity stood when today began; never below 0.
    """

    pauses_until: date | None = None
    streak: int = 0
    above: Decimal = ZERO


NOTHING_PAST = PastDays()


def sums_of_days(results: Iterable[DayResult], strategy_name: str = "") -> list[DaySum]:
    """Return the days on which anything happened, oldest first: of one strategy, or of all where none is named."""
    sums = dict[date, Decimal]()
    traded = set[date]()
    for each in results:
        if strategy_name not in ("", each.where.strategy_name):
            continue
        rest = ZERO if each.unrealized is None else each.unrealized
        sums[each.day] = sums.get(each.day, ZERO) + each.realized + rest - each.carried
        if each.fills or sums[each.day]:
            traded.add(each.day)
    return [DaySum(day, result) for day, result in sorted(sums.items()) if day in traded]


def pause_after(days: Sequence[DaySum], most: int, today: date) -> tuple[date, int] | None:
    """Return the day on which entries go again, and the streak, if so many days with a loss came one after the other.

    The pause lasts until the next week's Monday, as seen from the day after the last of them. What is traded in a pause
    counts for no new one.
    """
    streak, until = 0, None
    for day, result in days:
        if day >= today or (until is not None and day < until):
            continue
        streak = streak + 1 if result < 0 else 0
        if streak >= most:
            until = _next_week(day + timedelta(days=1))
            streak = 0
    return None if until is None or today >= until else (until, most)


def _next_week(day: date) -> date:
    return day + timedelta(days=7 - day.weekday())


def best_above(days: Sequence[DaySum], first: date, today: date) -> Decimal:
    """Return by how much the best of the closed days since `first` lies above where today began."""
    stands = best = ZERO
    for day, result in days:
        if first <= day < today:
            stands += result
            best = max(best, stands)
    return best - stands


def past_of(
    days: Sequence[DaySum], today: date, *, most: int | None, window: int, lifted: Mapping[str, date]
) -> PastDays:
    """Return what the closed days ask for.

    Args:
        most: how many days with a loss are allowed one after the other; None: any number.
        window: of how many days the best is looked for, today with them.
        lifted: the last day on which an operator lifted `losing_days` or `drawdown`; it counts from the day after.
    """
    pause = None
    if most is not None:
        since = lifted.get("losing_days")
        pause = pause_after([each for each in days if since is None or each.day >= since], most, today)
    first = today - timedelta(days=window - 1)
    if "drawdown" in lifted:
        first = max(first, lifted["drawdown"] + timedelta(days=1))
    above = best_above(days, first, today)
    return PastDays(None, 0, above) if pause is None else PastDays(*pause, above)
