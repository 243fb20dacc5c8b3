"""What of the broker's profit and loss counts as today's, over any sequence of reads."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.daily_loss import (
    CONFIRMED_AFTER,
    OF_THE_CLIENT,
    RESET_WITHIN,
    DayLoss,
    PnlRead,
    after_read,
    hit,
    latch_name,
    lifted,
    standing,
    told_of_latch,
    with_latched,
)
from domain.limits import LimitBook, Limits
from domain.money import ZERO
from domain.times import day_start, parse_time, trading_day

ZONE, STARTS = ZoneInfo("Asia/Kolkata"), time(6)
DAY = date(2026, 11, 20)
SIX = parse_time("2026-11-20T00:30:00Z")
OPEN = SIX + RESET_WITHIN
LIMIT = Decimal(5000)
SECOND = timedelta(seconds=1)


def read(at: datetime, pnl: object, *, has_filled_today: bool = False) -> PnlRead:
    day = trading_day(at, ZONE, STARTS)
    value = None if pnl is None else Decimal(str(pnl))
    return PnlRead(at, day, value, day_start(day, ZONE, STARTS), has_filled_today)


def after(*reads: PnlRead, before: DayLoss | None = None) -> DayLoss:
    for each in reads:
        before = after_read(before, each)
    assert before is not None
    return before


def yesterday(pnl: object = -6000) -> DayLoss:
    """The last read before six in the morning."""
    return after(read(SIX - 2 * SECOND, pnl))


def is_hit(state: DayLoss, limit: Decimal = LIMIT) -> bool:
    return bool(hit(state, LimitBook(Limits(max_daily_loss=limit))))


def test_one_read_confirms_nothing_and_two_confirm_the_better_of_them():
    state = after(read(OPEN, -6000))
    assert (state.lowest, state.pnl) == (None, Decimal(-6000))
    assert after(read(OPEN + CONFIRMED_AFTER, -5500), before=state).lowest == -5500
    assert after(read(OPEN + CONFIRMED_AFTER - SECOND, -5500), before=state).lowest is None, "too soon"


def test_a_wild_read_confirms_nothing_whatever_came_before_and_after():
    times = [OPEN + n * 2 * SECOND for n in range(6)]
    state = after(*(read(at, -9_999_999 if n == 3 else -10) for n, at in enumerate(times)))
    assert state.lowest == -10


def test_two_reads_of_one_wrong_answer_within_a_moment_confirm_nothing():
    times = [ZERO, 10, 11, 14]
    state = after(
        *(read(OPEN + int(s) * SECOND, pnl) for s, pnl in zip(times, (0, -9000, -9000, 0), strict=True))
    )
    assert state.lowest == 0


def test_a_loss_that_only_falls_is_confirmed_at_the_pace_of_the_reads():
    state = after(*(read(OPEN + n * SECOND, -1000 * n) for n in range(10)))
    assert state.lowest == -6000, "nine seconds on: what was there three seconds ago"
    assert len(state.lows) <= 4


def test_an_unreadable_read_latches_nothing_and_makes_the_loss_unknown():
    state = after(read(OPEN, -6000), read(OPEN + 5 * SECOND, None))
    assert (state.pnl, state.lowest) == (None, None)
    assert state.counted_pnl is None
    assert is_hit(after(read(OPEN + 9 * SECOND, -6000), before=state)), (
        "but what was read before is not forgotten"
    )


# the day before ---------------------------------------------------------------------------------------------


def test_what_the_broker_still_shows_of_the_day_before_is_not_todays():
    state = after(*(read(SIX + n * SECOND, -6000) for n in range(0, 3600, 60)), before=yesterday())
    assert (state.is_carried, state.lowest, state.counted_pnl, state.pnl) == (
        True,
        None,
        ZERO,
        Decimal(-6000),
    )
    state = after(read(OPEN - SECOND, 0), read(OPEN + 4 * SECOND, 0), before=state)
    assert (state.is_carried, state.lowest) == (False, ZERO)


def test_an_empty_read_in_between_does_not_make_the_day_befores_todays():
    moments = [(0, -6000), (5, 0), (10, 0), (15, -6000), (20, -6000), (25, 0)]
    state = after(*(read(SIX + s * SECOND, pnl) for s, pnl in moments), before=yesterday())
    assert not is_hit(state)


@pytest.mark.parametrize("how", ["another figure", "filled today", "session open", "start not known"])
def test_in_doubt_it_is_todays(how):
    moments = [SIX + 10 * SECOND, SIX + 20 * SECOND]
    if how == "session open":
        moments = [OPEN, OPEN + 10 * SECOND]
    state = yesterday()
    for at in moments:
        seen = read(
            at, "-6000.05" if how == "another figure" else -6000, has_filled_today=how == "filled today"
        )
        if how == "start not known":
            seen = PnlRead(seen.at, seen.day, seen.pnl)
        state = after_read(state, seen)
    assert is_hit(state)


def test_the_last_known_of_the_day_before_is_what_is_compared_with():
    before = after(read(SIX - 9 * SECOND, -6000), read(SIX - 4 * SECOND, None))
    state = after(read(SIX + SECOND, None), read(SIX + 9 * SECOND, -6000), before=before)
    assert state.is_carried


def test_a_new_day_forgets_the_latch_and_a_clock_set_back_does_not():
    state = after(read(OPEN, -6000), read(OPEN + 5 * SECOND, -6000))
    state = with_latched(state, [OF_THE_CLIENT])
    back = after(read(OPEN - timedelta(days=1), 100), before=state)
    assert (back.latched, back.lowest, back.day) == ({OF_THE_CLIENT}, Decimal(-6000), date(2026, 11, 19))
    new = after(read(OPEN + timedelta(days=1), 0), before=state)
    assert (new.latched, new.lowest, new.counts_from) == (frozenset(), None, ZERO)


def test_after_the_clock_was_set_back_a_real_loss_is_confirmed_without_waiting_for_the_old_time():
    state = after(read(OPEN + timedelta(hours=2), -6000), read(OPEN, -6000), read(OPEN + 4 * SECOND, -6000))
    assert is_hit(state)


# any sequence -----------------------------------------------------------------------------------------------

pnls = st.one_of(st.none(), st.sampled_from([-9000, -6000, -5000, -4999, -1, 0, 3000]))
steps = st.lists(st.tuples(st.integers(0, 5000), pnls, st.booleans()), min_size=1, max_size=40)


def sequence(start: datetime, drawn: list[tuple[int, int | None, bool]]) -> list[PnlRead]:
    """Reads of one trading day, milliseconds apart or much more."""
    at, reads = start, []
    for milliseconds, pnl, is_later in drawn:
        at += timedelta(milliseconds=milliseconds) + (timedelta(minutes=20) if is_later else timedelta(0))
        reads.append(read(at, pnl))
    return [each for each in reads if each.day == DAY]


def confirmed(reads: list[PnlRead]) -> bool:
    """By the definition, word by word: two reads, far enough apart, that both show the limit reached."""
    beyond = [r.at for r in reads if r.pnl is not None and r.pnl <= -LIMIT]
    return any(later - earlier >= CONFIRMED_AFTER for earlier in beyond for later in beyond)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps)
def test_the_limit_is_hit_exactly_when_two_reads_of_today_show_it(drawn):
    reads = sequence(OPEN, drawn)
    state = after(*reads)
    assert is_hit(state) == confirmed(reads)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps, st.sampled_from([-9000, -6000, -1, 0]))
def test_a_new_day_is_never_blocked_for_the_day_befores_and_always_for_its_own(drawn, carried):
    reads = sequence(SIX, drawn)
    own = [r for r in reads if r.pnl != carried or r.at >= OPEN]
    state = after(*reads, before=yesterday(carried)) if reads else yesterday(0)
    assert is_hit(state) == confirmed(own)


# lifting and telling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_lift", "still_goes", "stops"),
    [(-6000, -10_999, -11_000), (-1000, -5999, -6000), (0, -4999, -5000), (3000, -4999, -5000)],
)
def test_after_a_lift_the_limit_counts_from_the_loss_of_that_moment(at_lift, still_goes, stops):
    state = after(read(OPEN, -6000), read(OPEN + 4 * SECOND, -6000), read(OPEN + 8 * SECOND, at_lift))
    state = lifted(with_latched(state, [OF_THE_CLIENT]), Decimal(at_lift))
    assert (state.latched, is_hit(state)) == (frozenset(), False)
    state = after(read(OPEN + 12 * SECOND, still_goes), read(OPEN + 16 * SECOND, still_goes), before=state)
    assert not is_hit(state)
    state = after(read(OPEN + 20 * SECOND, stops), read(OPEN + 24 * SECOND, stops), before=state)
    assert is_hit(state)


def test_a_strategy_with_a_limit_of_its_own_is_latched_under_its_name():
    book = LimitBook(
        Limits(max_daily_loss=LIMIT), {"S1": Limits(max_daily_loss=Decimal(100)), "S2": Limits()}
    )
    state = after(read(OPEN, -200), read(OPEN + 4 * SECOND, -200))
    assert hit(state, book) == {"S1": Decimal(100)}
    assert [latch_name(book, name) for name in ("S1", "S2", "S3")] == ["S1", "S2", OF_THE_CLIENT]
    assert standing(with_latched(state, [OF_THE_CLIENT]), book) == (OF_THE_CLIENT, "S1")


def test_a_latch_says_what_happened_what_it_means_and_what_makes_it_doubtful():
    state = after(read(OPEN, -6000), read(OPEN + 4 * SECOND, -6000), before=yesterday())
    text = told_of_latch(state, {OF_THE_CLIENT: LIMIT, "S1": Decimal(100)}, starts="06:00 Asia/Kolkata")
    assert text == (
        "Two reads of the broker's positions show -6000 today (limit -5000; S1: limit -100). The broker showed exactly "
        "this on the day before, too: it may not have begun its new day. New entries are blocked until the next "
        "trading day begins at 06:00 Asia/Kolkata; exits still go."
    )
