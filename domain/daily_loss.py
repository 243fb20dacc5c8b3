"""What of the broker's profit and loss counts as the loss of this trading day. Pure: the store keeps its values.

Three things are never taken for a loss of today:

- what the broker still shows of the day before: it begins its day when it pleases, and clears its books then;
- a figure that was read once: a single wild read is an entry's reason to wait, not a day's reason to stop;
- a figure that could not be made out: it is unknown, and no number.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from domain.limits import LimitBook
from domain.money import ZERO, decimal_text

CONFIRMED_AFTER = timedelta(seconds=3)
"""Two reads confirm each other when they began so far apart: longer than a broker repeats one wrong answer from its
cache, and short enough that the next read but one, at the default pace, decides."""

RESET_WITHIN = timedelta(hours=3)
"""A broker clears its books so soon after the day's start, before a session opens (06:00 and 09:00 by default).
What it shows from then on is today's, whatever it was the day before."""

OF_THE_CLIENT = ""
"""The name under which the client's own limit is latched; a strategy with a limit of its own has its own name."""


@dataclass(frozen=True, slots=True)
class DayLoss:
    """One client's profit and loss of a trading day, in account currency.

    `pnl` is what was read last (None: not known), `known_pnl` the last that was known. `carried_pnl` is the last known
    of the day before, `is_carried` True while the broker is taken to show that still. `lows` are the falling minima
    of the reads so far, each with the moment at which its read began; `lowest` is the worst that two reads confirm.
    `counts_from` is from where limits count: zero, or the loss at which an operator lifted a latch. `latched` names
    what a person was told is stopped: `OF_THE_CLIENT` and strategies.
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
        """What was read last as far as it is today's: zero while it is the day before's, None when not known."""
        return ZERO if self.is_carried else self.pnl


@dataclass(frozen=True, slots=True)
class PnlRead:
    """One read: when it began, in which trading day that is, and what was read (None: not all rows were readable).

    `day_starts` None: not known, and then everything counts as today's. `has_filled_today`: an order of ours was
    filled since the day's start.
    """

    at: datetime
    day: date
    pnl: Decimal | None
    day_starts: datetime | None = None
    has_filled_today: bool = False


def after_read(before: DayLoss | None, read: PnlRead) -> DayLoss:
    """The day's loss once this was read. A later day forgets what was latched; an earlier one, by a clock that was set
    back, does not."""
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
    """True while the broker shows to the last digit what it showed on the day before, and nothing says it is today's.

    The doubtful cases count as today's, because a loss that is missed costs more than an entry that is: any other
    figure, any figure once an order of ours was filled today, and any once a session may have opened.
    """
    if read.day_starts is None or read.has_filled_today or read.pnl != state.carried_pnl:
        return False
    return timedelta(0) <= read.at - read.day_starts < RESET_WITHIN


def _counted(state: DayLoss, at: datetime, pnl: Decimal) -> DayLoss:
    """The lowest that two reads confirm is the lowest of `max(earlier, later)` over pairs that are far enough apart."""
    earlier = [low for moment, low in state.lows if at - moment >= CONFIRMED_AFTER]
    confirmed = [] if not earlier else [max(min(earlier), pnl)]
    if state.lowest is not None:
        confirmed.append(state.lowest)
    return replace(state, lows=_falling(state.lows, at, pnl), lowest=min(confirmed, default=None))


def _falling(
    lows: tuple[tuple[datetime, Decimal], ...], at: datetime, pnl: Decimal
) -> tuple[tuple[datetime, Decimal], ...]:
    """The minima as they fell; of those that are old enough for every later read only the last, the lowest, matters.

    One whose moment lies in the future, after the clock was set back, is taken to be of now: it must not wait an hour.
    """
    moments = [(min(moment, at), low) for moment, low in lows]
    if not moments or pnl < moments[-1][1]:
        moments.append((at, pnl))
    old = [each for each in moments if at - each[0] >= CONFIRMED_AFTER]
    return (*old[-1:], *moments[len(old) :])


# limits -----------------------------------------------------------------------------------------------------


def floor_of(limit: Decimal, counts_from: Decimal) -> Decimal:
    """The profit and loss at and below which entries stop."""
    return counts_from - limit


def latch_name(book: LimitBook, strategy_name: str) -> str:
    """Under which name a strategy's limit is latched."""
    return strategy_name if strategy_name in book.by_strategy else OF_THE_CLIENT


def hit(state: DayLoss, book: LimitBook) -> dict[str, Decimal]:
    """The limits that the confirmed lowest has reached, by the name under which they are latched."""
    named = {OF_THE_CLIENT: book.default, **book.by_strategy}
    return {
        name: limits.max_daily_loss
        for name, limits in named.items()
        if limits.max_daily_loss is not None
        and state.lowest is not None
        and state.lowest <= floor_of(limits.max_daily_loss, state.counts_from)
    }


def with_latched(state: DayLoss, names: Iterable[str]) -> DayLoss:
    """The same day with these limits latched as well."""
    return replace(state, latched=state.latched | frozenset(names))


def told_of_latch(state: DayLoss, limits: Mapping[str, Decimal], *, starts: str) -> str:
    """What happened and what it means, for people; `starts` says when the next trading day begins."""
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
    """An operator's word that entries go on after the daily loss limit was hit, and what stood until then.

    `pnl` is the day's profit and loss at the lift; `counts_from` is where limits count from afterwards.
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

    @property
    def means(self) -> str:
        """What follows, for people."""
        counted = decimal_text(self.counts_from)
        whence = f"from the {counted} of now" if self.counts_from else "from zero, as before"
        return f"New entries go again. The limit counts {whence}: once it is lost again, entries stop again."


def standing(state: DayLoss, book: LimitBook) -> tuple[str, ...]:
    """What a lift would lift: limits that were told as hit, and those that are and were not told yet."""
    return tuple(sorted(state.latched | hit(state, book).keys()))


def lifted(state: DayLoss, pnl: Decimal) -> DayLoss:
    """The day after a lift: the limit counts from the loss that there is now (never from a profit), and only what is
    read from now on confirms anything."""
    return replace(state, lows=(), lowest=None, counts_from=min(pnl, ZERO), latched=frozenset())
