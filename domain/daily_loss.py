"""Decide which part of the broker's profit and loss counts as today's loss. Pure: the store keeps the values.

Three figures never count as a loss of today:

- A figure that the broker still shows from the day before. A broker begins its day, and clears its books, at a time of
  its own.
- A figure that was read only once. After a single wild read entries wait, but they are not stopped for the day.
- A figure that could not be read. It is unknown, not a number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from domain.limits import LimitBook
from domain.money import ZERO, decimal_text

CONFIRMED_AFTER = timedelta(seconds=3)
"""The time between the beginnings of two reads after which they confirm each other.

It is longer than a broker repeats one wrong answer from its cache, and short enough that the next read but one decides
at the default pace.
"""

RESET_WITHIN = timedelta(hours=3)
"""The time after the day's start within which a broker clears its books, before a session opens.

By default the day starts at 06:00 and a session opens at 09:00. What the broker shows from then on counts as today's,
even if it is the figure of the day before.
"""

OF_THE_CLIENT = ""
"""The name under which the client's own limit is latched. A strategy with its own limit is latched under its name."""


@dataclass(frozen=True, slots=True)
class DayLoss:
    """One client's profit and loss of a trading day, in account currency.

    - `pnl`: the last read; None: not known.
    - `known_pnl`: the last read that was known.
    - `carried_pnl`: the last known value of the day before.
    - `is_carried`: True while the broker is assumed to show `carried_pnl` still.
    - `lows`: the falling minima of the reads so far, each with the time at which its read began.
    - `lowest`: the worst value that two reads confirm.
    - `counts_from`: the value from which limits count: zero, or the loss at which an operator lifted a latch.
    - `latched`: the names under which people were notified that entries are stopped: `OF_THE_CLIENT` and strategies.
    """

    day: date
    pnl: Decimal | None = None
    known_pnl: Decimal | None = None
    carried_pnl: Decimal | None = None
    is_carried: bool = False
    lows: tuple[tuple[datetime, Decimal], ...] = ()
    lowest: Decimal | None = None
    counts_from: Decimal = ZERO
    latched: frozenset[str] = field(default_factory=frozenset)

    @property
    def counted_pnl(self) -> Decimal | None:
        """The part of the last read that is today's: zero while it is the day before's, None when not known."""
        return ZERO if self.is_carried else self.pnl


@dataclass(frozen=True, slots=True)
class PnlRead:
    """One read of the profit and loss.

    - `at`: when the read began. `day`: the trading day of that time.
    - `pnl`: the value; None where not all rows were readable.
    - `day_starts`: when the trading day began; None: not known, and then everything counts as today's.
    - `has_filled_today`: an order of ours was filled since the day's start.
    """

    at: datetime
    day: date
    pnl: Decimal | None
    day_starts: datetime | None = None
    has_filled_today: bool = False


def after_read(before: DayLoss | None, read: PnlRead) -> DayLoss:
    """Return the day's loss after this read.

    A read of a later day clears the latches. A read of an earlier day, after the clock was set back, does not.
    """
    kept = _of_day(before, read.day)
    if read.pnl is None:
        return replace(kept, pnl=None, is_carried=False)
    seen = replace(kept, pnl=read.pnl, known_pnl=read.pnl, is_carried=_is_carried(kept, read))
    return seen if seen.is_carried else _counted(seen, read.at, read.pnl)


def _of_day(before: DayLoss | None, day: date) -> DayLoss:
    if before is None:
        return DayLoss(day)
    if day > before.day:
        return DayLoss(day, known_pnl=before.known_pnl, carried_pnl=before.known_pnl)
    return replace(before, day=day)


def _is_carried(state: DayLoss, read: PnlRead) -> bool:
    """Return True while the broker shows exactly the figure of the day before and nothing says that it is today's.

    Doubtful cases count as today's, because a missed loss costs more than a missed entry:

    - any other figure;
    - any figure once an order of ours was filled today;
    - any figure once a session may have opened;
    - any figure while the day's start is not known.
    """
    if read.day_starts is None or read.has_filled_today or read.pnl != state.carried_pnl:
        return False
    return timedelta(0) <= read.at - read.day_starts < RESET_WITHIN


def _counted(state: DayLoss, at: datetime, pnl: Decimal) -> DayLoss:
    """Update the confirmed lowest: the minimum of `max(earlier, later)` over pairs of reads far enough apart."""
    earlier = [low for moment, low in state.lows if at - moment >= CONFIRMED_AFTER]
    confirmed = [] if not earlier else [max(min(earlier), pnl)]
    if state.lowest is not None:
        confirmed.append(state.lowest)
    return replace(state, lows=_falling(state.lows, at, pnl), lowest=min(confirmed, default=None))


def _falling(
    lows: tuple[tuple[datetime, Decimal], ...], at: datetime, pnl: Decimal
) -> tuple[tuple[datetime, Decimal], ...]:
    """Update the falling minima with a read. Of those old enough to confirm, only the last and lowest is kept.

    A minimum with a time in the future, after the clock was set back, gets the present time. Otherwise it could confirm
    nothing until the clock has caught up.
    """
    moments = [(min(moment, at), low) for moment, low in lows]
    if not moments or pnl < moments[-1][1]:
        moments.append((at, pnl))
    old = [each for each in moments if at - each[0] >= CONFIRMED_AFTER]
    return (*old[-1:], *moments[len(old) :])


# limits -----------------------------------------------------------------------------------------------------


def floor_of(limit: Decimal, counts_from: Decimal) -> Decimal:
    """Return the profit and loss at and below which entries stop."""
    return counts_from - limit


def latch_name(book: LimitBook, strategy_name: str) -> str:
    """Return the name under which a strategy's limit is latched."""
    return strategy_name if strategy_name in book.by_strategy else OF_THE_CLIENT


def hit(state: DayLoss, book: LimitBook) -> dict[str, Decimal]:
    """Return the limits that the confirmed lowest has reached, by the name under which they are latched."""
    named = {OF_THE_CLIENT: book.default, **book.by_strategy}
    return {
        name: limits.max_daily_loss
        for name, limits in named.items()
        if limits.max_daily_loss is not None
        and state.lowest is not None
        and state.lowest <= floor_of(limits.max_daily_loss, state.counts_from)
    }


def with_latched(state: DayLoss, names: Iterable[str]) -> DayLoss:
    """Return the day with these limits latched as well."""
    return replace(state, latched=state.latched | frozenset(names))


def told_of_latch(state: DayLoss, limits: Mapping[str, Decimal], *, starts: str) -> str:
    """Explain to people what happened and what it means; `starts`: when the next trading day begins."""
    lowest = decimal_text(state.lowest or ZERO)
    since = (
        f", counted from {decimal_text(state.counts_from)}, where it was lifted" if state.counts_from else ""
    )
    named = "; ".join(
        f"{'' if name == OF_THE_CLIENT else f'{name}: '}limit -{decimal_text(limit)}"
        for name, limit in sorted(limits.items())
    )
    before = (
        " The broker showed exactly this on the day before, too: it may not have begun its new day."
        if state.known_pnl == state.carried_pnl
        else ""
    )
    return (
        f"Two reads of the broker's positions show {lowest} today ({named}{since}).{before} "
        f"New entries are blocked until the next trading day begins at {starts}; exits still go."
    )


@dataclass(frozen=True, slots=True)
class Lift:
    """An operator's decision that entries go on after the daily loss limit was hit, and the state until then.

    `pnl`: the day's profit and loss at the lift. `counts_from`: the value from which limits count afterwards.
    """

    client_id: str
    at: datetime
    by: str
    reason: str
    day: date
    lowest: Decimal | None
    pnl: Decimal
    counts_from: Decimal
    latched: tuple[str, ...]
    stops: tuple[
        str, ...
    ] = ()  # what else was lifted, for people: limits of strategies, on profit, trailing ones

    @property
    def means(self) -> str:
        """What the lift means, as a text for people."""
        if not self.latched:
            return "New entries go again. What was lifted counts from now: once it is reached again, they stop again."
        counted = decimal_text(self.counts_from)
        whence = f"from the {counted} of now" if self.counts_from else "from zero, as before"
        return f"New entries go again. The limit counts {whence}: once it is lost again, entries stop again."


def standing(state: DayLoss, book: LimitBook) -> tuple[str, ...]:
    """Return what a lift would lift: the latched limits, and those that are hit but not notified yet."""
    return tuple(sorted(state.latched | hit(state, book).keys()))


def lifted(state: DayLoss, pnl: Decimal) -> DayLoss:
    """Return the day's state after a lift.

    The limit counts from the present loss, never from a profit. Only reads from now on can confirm a loss.
    """
    return replace(state, lows=(), lowest=None, counts_from=min(pnl, ZERO), latched=frozenset())
