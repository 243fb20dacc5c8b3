"""Exits by the clock: of the day and the zone of the entry, at once where the time passed while nothing ran."""

from decimal import Decimal

import pytest

from domain.limits import StrategyPolicy
from domain.notices import NoticeKind
from domain.protection import ProtectionStatus
from domain.protection_terms import Terms
from domain.states import Phase, Status
from tests.engine.watching import Market, Watched
from tests.support import START, Desk, leg

# The clock of these tests starts at 04:00 UTC, which is 09:30 in India.
AT_TEN = Terms(exit_at="10:00")


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path, AT_TEN)


def test_a_clock_time_is_of_the_entrys_day_in_the_zone_of_trading(watched):
    watched.at(110)
    watched.desk.clock.at = START.replace(hour=4, minute=29, second=58)
    watched.at(None)
    assert watched.exits == []
    watched.at(None, None, None)
    assert [exit_.is_full_exit for exit_ in watched.exits] == [True]
    watched.settle()
    assert watched.desk.store.holdings("default") == []
    assert NoticeKind.TIME_EXIT in {n.kind for n in watched.desk.notices}


def test_a_time_that_passed_while_nothing_ran_fires_when_a_watcher_begins(watched):
    watched.at(110)
    watched.desk.clock.advance(5 * 3600)
    watched.watchers[0] = watched.watcher("after the restart")
    watched.watchers[0].watch(watched.context)
    assert len(watched.exits) == 1
    watched.watchers[1].watch(watched.context)
    assert len(watched.exits) == 1


def test_minutes_count_from_the_first_fill(tmp_path):
    watched = Watched(tmp_path, Terms(exit_after_minutes=Decimal(2)))
    watched.at(110)
    exit_at = watched.protection.exit_at
    watched.watchers[0] = watched.watcher("after the restart")
    watched.at(*[110] * 115)
    assert (watched.exits, watched.protection.exit_at) == ([], exit_at)
    watched.at(*[None] * 8)
    assert len(watched.exits) == 1


@pytest.mark.parametrize(("clock", "passes"), [("09:30", False), ("08:00", False), ("09:31", True)])
def test_an_entry_after_its_time_to_exit_is_refused(tmp_path, clock, passes):
    desk = Desk(tmp_path)
    [order] = desk.post(leg(protection=Terms(stop_loss="100", exit_at=clock)))
    if passes:
        assert order.phase is Phase.REGISTERED
    else:
        assert (order.status, order.tag) == (Status.FAILED, "VALIDATION_FAILED:EXIT_TIME_PASSED")
        assert desk.store.protection(f"p-{order.command_id}") is None


def test_the_stop_may_come_first(tmp_path):
    watched = Watched(tmp_path, Terms(stop_loss="100", exit_at="10:00"))
    watched.at(110, 99)
    watched.settle()
    watched.desk.clock.advance(3600)
    watched.at(110)
    assert (len(watched.exits), watched.protection.status) == (1, ProtectionStatus.FIRED)


def test_a_strategy_is_flat_after_its_square_off_whatever_its_entries_brought(tmp_path):
    squared = StrategyPolicy(square_off="15:10", protection=Terms(stop_loss="50%"))
    watched = Watched.__new__(Watched)
    watched.desk = desk = Desk(tmp_path, strategy=squared)
    watched.market = Market(desk)
    watched.watchers = [watched.watcher("w1")]
    [watched.entry] = desk.post(leg())
    desk.post(leg("BANKNIFTY", protection=Terms(target="900")))
    watched.settle()
    watched.market.prices["BANKNIFTY"] = Decimal(110)
    watched.at(110)
    assert watched.protection.stop_price == Decimal("56.25")
    desk.clock.at = START.replace(hour=9, minute=40)  # 15:10 in India
    watched.at(None)
    watched.settle()
    assert {exit_.symbol for exit_ in watched.exits} == {"BANKNIFTY", watched.entry.symbol}
    assert desk.store.holdings("default") == []
    [late] = desk.post(leg("LATE"))
    assert late.tag == "VALIDATION_FAILED:EXIT_TIME_PASSED"
