"""The calls of a day and of an hour: entries leave some for exits, a restart forgets nothing, and they begin anew."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from broker.rate_limit.limiter import Rate, RateBudget
from broker.rate_limit.state import State
from domain.errors import NotSent
from tests.contract.broker_contract import ContractClock

ZONE = ZoneInfo("Asia/Kolkata")
RATE = Rate(1000, per_day=10, kept_of_day=3, zone=ZONE)


@pytest.fixture
def budget(tmp_path, clock):
    """Makes the budget of one more process."""
    return lambda: RateBudget(
        tmp_path / "default.budget", clock, RATE, sleep=lambda seconds: clock.advance(seconds=seconds)
    )


def test_entries_leave_calls_for_exits_and_no_exit_is_stopped(budget):
    for _ in range(7):
        budget().take(urgent=False)
    with pytest.raises(NotSent, match="this day's calls") as caught:
        budget().take(urgent=False)
    assert caught.value.code == "RATE_LIMIT"
    for _ in range(5):  # more than are left: the broker decides
        budget().take(urgent=True)


def test_exits_count_for_entries(budget):
    for _ in range(7):
        budget().take(urgent=True)
    with pytest.raises(NotSent):
        budget().take(urgent=False)


def test_the_day_is_that_of_the_market(tmp_path):
    clock = ContractClock(datetime(2026, 11, 20, 18, 20, tzinfo=UTC))  # 23:50 in India
    budget = RateBudget(tmp_path / "b", clock, RATE, sleep=lambda seconds: clock.advance(seconds=seconds))
    for _ in range(7):
        budget.take(urgent=False)
    clock.advance(minutes=5)
    with pytest.raises(NotSent):
        budget.take(urgent=False)
    clock.advance(minutes=6)
    budget.take(urgent=False)


def test_a_budget_without_a_day_keeps_its_files_form(tmp_path, clock):
    path = tmp_path / "default.budget"
    RateBudget(path, clock, Rate(10, per_minute=100)).take(urgent=False)
    assert len(State.from_json(path.read_bytes()).calls) == 1 and path.read_bytes().count(b"{") == 4
    RateBudget(path, clock, RATE).take(urgent=False)  # an older file, from now on with a day
    state = State.from_json(path.read_bytes())
    assert (state.day, state.of_day) == (datetime(2026, 11, 20).toordinal(), 1)


def test_a_day_needs_a_zone():
    with pytest.raises(ValueError, match="zone"):
        Rate(10, per_day=5)


def test_the_hour_leaves_calls_for_exits_and_passes_minute_by_minute(tmp_path, clock):
    def budget():
        rate = Rate(1000, per_hour=10, kept_of_hour=3)
        return RateBudget(tmp_path / "b", clock, rate, sleep=lambda seconds: clock.advance(seconds=seconds))

    for _ in range(7):
        budget().take(urgent=False)
        clock.advance(minutes=1)
    with pytest.raises(NotSent, match="this hour's calls"):
        budget().take(urgent=False)
    for _ in range(5):
        budget().take(urgent=True)
    clock.advance(minutes=53, seconds=30)  # the first of the entries counts still
    with pytest.raises(NotSent):
        budget().take(urgent=False)
    clock.advance(minutes=6)  # and now five of them are over an hour ago
    budget().take(urgent=False)
    clock.advance(hours=-5)  # a clock that was set back does not count what is to come
    budget().take(urgent=False)


def test_a_file_with_the_hour_keeps_the_day(tmp_path, clock):
    path = tmp_path / "b"
    both = Rate(1000, per_hour=10, per_day=10, kept_of_day=3, zone=ZONE)
    for _ in range(2):
        RateBudget(path, clock, both).take(urgent=False)
    state = State.from_json(path.read_bytes())
    assert (state.of_hour, state.of_day) == (2, 2)
