"""Days with a loss one after the other, and the best that the equity stood at, beside another way of counting."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.past_days import DaySum, best_above, past_of, pause_after, sums_of_days
from domain.pnl import DayResult, Place

MONDAY = date(2026, 11, 2)
HERE, THERE = Place("c", "S", "NFO", "A"), Place("c", "T", "NFO", "A")
RESULTS = st.lists(st.integers(-3, 3), max_size=40)


def days(*results: int, first: date = MONDAY) -> list[DaySum]:
    return [DaySum(first + timedelta(days=n), Decimal(each)) for n, each in enumerate(results)]


def test_losing_days_in_a_row_pause_until_the_next_monday():
    wednesday = MONDAY + timedelta(days=2)
    lost = days(-1, -1)
    assert pause_after(lost, 2, wednesday) == (MONDAY + timedelta(days=7), 2)
    assert pause_after(lost, 3, wednesday) is None
    thursday = wednesday + timedelta(days=1)
    assert pause_after(days(-1, 0, -1), 2, thursday) is None, "a day without a loss ends the streak"
    assert pause_after(lost, 2, MONDAY + timedelta(days=7)) is None, "it is over"
    assert pause_after(lost, 2, MONDAY + timedelta(days=1)) is None, "the present day is not closed"


def test_what_is_traded_in_a_pause_makes_no_new_one():
    assert pause_after(days(-1, -1, -1, -1, -1), 2, MONDAY + timedelta(days=7)) is None


@given(RESULTS, st.integers(1, 5), st.integers(0, 45))
@settings(max_examples=300)
def test_a_pause_always_ends_within_a_week_and_never_begins_without_its_streak(results, most, passed):
    kept, today = days(*results), MONDAY + timedelta(days=passed)
    found = pause_after(kept, most, today)
    closed = [each for each in kept if each.day < today]
    streaks = "".join("l" if each.result < 0 else "w" for each in closed)
    if found is None:
        return
    until, streak = found
    assert streak == most and until.weekday() == 0 and today < until <= today + timedelta(days=7)
    assert "l" * most in streaks


@given(RESULTS, st.integers(0, 45), st.integers(0, 45))
@settings(max_examples=300)
def test_the_best_is_the_highest_of_all_sums_from_the_first_day_of_the_window(results, begins, passed):
    kept, today = days(*results), MONDAY + timedelta(days=passed)
    first = MONDAY + timedelta(days=begins)
    inside = [each.result for each in kept if first <= each.day < today]
    tails = [sum(inside[n:], Decimal(0)) for n in range(len(inside) + 1)]
    assert best_above(kept, first, today) == -min(tails)


def test_a_lift_begins_anew():
    kept, today = days(-5, -5, -5), MONDAY + timedelta(days=3)
    past = past_of(kept, today, most=3, window=30, lifted={})
    assert (past.streak, past.above) == (3, 15)
    again = past_of(kept, today, most=3, window=30, lifted={"losing_days": MONDAY + timedelta(days=2)})
    assert again.pauses_until is None
    lower = past_of(kept, today, most=3, window=30, lifted={"drawdown": MONDAY + timedelta(days=1)})
    assert lower.above == 5


def test_a_day_s_sum_is_what_it_realised_and_what_its_open_part_moved():
    found = sums_of_days(
        [
            DayResult(HERE, MONDAY, Decimal(10), Decimal(3), Decimal(1), 2),
            DayResult(THERE, MONDAY, Decimal(-4), fills=1),
            DayResult(HERE, MONDAY + timedelta(days=1)),
        ]
    )
    assert found == [DaySum(MONDAY, Decimal(4))], "a day on which nothing happened is no day"
    assert sums_of_days([DayResult(THERE, MONDAY, Decimal(-4), fills=1)], "S") == []
