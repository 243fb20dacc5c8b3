"""A stop that moves to cost once, and exits by the clock, which need no price."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side
from domain.further_terms import cost_fault, further_of, further_text
from domain.money import ZERO
from domain.protection import Covered, EventKind, ExitSeen, ExitState, ProtectionStatus, Rule
from domain.protection_messages import notices_of
from domain.protection_terms import Terms, TrailingType
from tests.domain.protecting import Run, d, filled, protection
from tests.support import START

FAILED = ExitSeen(ExitState.FAILED, tag="BROKER_REJECTED:RMS")


def run_of(
    terms: Terms, *, seconds: int | None = None, covered: Covered | None = None, **more: object
) -> Run:
    """`seconds`: from the start to the clock time at which it exits."""
    at = None if seconds is None else START + timedelta(seconds=seconds)
    return Run(protection(protection_json=further_text(terms, at), **more), covered or filled())


@pytest.mark.parametrize(
    ("trigger", "offset", "side", "price", "stop"),
    [
        ("5pt", None, Side.BUY, 105, 100),
        ("5pt", "1pt", Side.BUY, 105, 101),
        ("5%", "2%", Side.BUY, 105, 102),
        ("5pt", "1pt", Side.SELL, 95, 99),
    ],
)
def test_the_stop_moves_to_cost_after_the_agreed_move(trigger, offset, side, price, stop):
    terms = Terms(cost_trigger=trigger, cost_offset=offset)
    run = run_of(terms, side=side, stop_loss="90" if side is Side.BUY else "110").at(100, price)
    assert (run.stop, run.told[-1]) == (stop, EventKind.AT_COST)
    [(_, notice)] = notices_of(run.steps[-1], None, None)
    assert f"the stop is moved to cost, {stop}" in notice.detail
    assert run.at(stop).exits == [(side.opposite, None)]


def test_it_does_so_once_and_never_loosens():
    run = run_of(Terms(cost_trigger="5pt"), stop_loss="90", covered=filled(20, is_over=False)).at(104)
    assert run.stop == 90
    run.at(105)
    run.covered = filled(50, 96)
    run.at(101, 106, 104)
    assert (run.stop, run.told.count(EventKind.AT_COST)) == (100, 1)
    tight = run_of(Terms(cost_trigger="5pt"), trailing_type=TrailingType.POINTS, trailing_value=d(2)).at(105)
    assert tight.stop == 103


def test_at_its_time_it_exits_whatever_the_price_is():
    run = run_of(Terms(exit_at="15:10"), seconds=10, stop_loss="98").at(*[100] * 9)
    assert run.exits == []
    run.at(None, None)
    assert (run.exits, run.p.fired_by, run.p.status) == (
        [(Side.SELL, None)],
        Rule.TIME,
        ProtectionStatus.FIRED,
    )
    [(_, notice)] = notices_of(run.steps[-2], None, None)
    assert "the time to exit has come (15:10); 50 units exit at market" in notice.detail


def test_minutes_count_from_the_first_fill():
    run = run_of(
        Terms(exit_after_minutes=d("0.5")), covered=Covered(ZERO, None, False, ZERO, is_all=True)
    ).at(None)
    run.second += 100
    run.at(None)
    run.covered = filled(20, is_over=False)
    run.at(None)
    run.covered = filled(50)
    run.second += 28
    assert run.at(None).exits == []
    assert run.at(None).exits == [(Side.SELL, None)]


def test_the_earlier_of_two_times_counts():
    run = run_of(Terms(exit_at="15:10", exit_after_minutes=d(60)), seconds=5).at(*[None] * 5)
    assert len(run.exits) == 1


def test_a_time_that_passed_while_nothing_ran_fires_at_once():
    run = run_of(Terms(exit_at="15:10"), seconds=10).at(100)
    run.second = 7200
    assert run.at(None).exits == [(Side.SELL, None)]


def test_a_fill_whose_price_is_not_known_exits_by_the_clock_too():
    run = run_of(Terms(exit_at="15:10"), seconds=3, covered=replace(filled(), average=None)).at(
        None, None, None
    )
    assert run.exits == [(Side.SELL, None)]


def test_what_is_filled_after_the_time_exits_at_once():
    part = replace(filled(20, is_over=False), is_all=False)
    run = run_of(Terms(exit_at="15:10"), seconds=2, covered=part).at(None, None)
    run.ends["x1"] = ExitSeen(ExitState.DONE)
    run.covered = replace(filled(50, held=30), is_all=False)
    run.at(None)
    assert run.exits == [(Side.SELL, d(20)), (Side.SELL, d(30))]


def test_an_exit_by_the_clock_that_fails_is_asked_for_again_and_then_the_stop_goes_on():
    run = run_of(Terms(exit_at="15:10"), seconds=2, stop_loss="98").at(100, 100)
    for number, after in enumerate((2, 10, 30, 1), start=1):
        run.ends[f"x{number}"] = FAILED
        run.at(100)
        assert len(run.exits) == number
        run.second += after - 1
        run.at(100)
    assert (len(run.exits), run.p.exit_at, run.p.is_watched) == (4, None, True)
    run.at(97)
    assert (run.p.fired_by, len(run.exits)) == (Rule.STOP, 5)


def test_without_a_stop_it_is_over_when_the_clocks_exit_failed_for_good():
    run = run_of(Terms(exit_at="15:10"), seconds=1).at(100)
    for number, after in enumerate((2, 10, 30, 1), start=1):
        run.ends[f"x{number}"] = FAILED
        run.at(100)
        run.second += after
        run.at(100)
    assert run.p.reason == "EXIT_FAILED"


def test_the_clock_does_not_wait_for_the_second_try_of_a_target():
    run = run_of(Terms(exit_at="15:10"), seconds=3, target="105").at(105)
    run.ends["x1"] = FAILED
    run.at(100, 100)
    assert (run.p.fired_by, len(run.exits)) == (Rule.TIME, 2)


@pytest.mark.parametrize(
    ("trigger", "offset", "field"),
    [
        ("105", None, "trigger"),
        ("5pt", "1%", "offset"),
        ("5pt", "5pt", "offset"),
        ("5pt", "4pt", None),
        ("5pt", None, None),
    ],
)
def test_a_move_to_cost_that_cannot_be_meant_is_named(trigger, offset, field):
    fault = cost_fault(Terms(cost_trigger=trigger, cost_offset=offset))
    assert (None if fault is None else fault[0]) == (field and f"move_to_cost.{field}")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(80, 120)), min_size=1, max_size=20), st.integers(1, 20))
def test_on_every_path_nothing_is_held_after_the_time_unasked_for(prices, at):
    terms = Terms(exit_at="15:10", cost_trigger="5pt", cost_offset="1pt")
    run = run_of(terms, seconds=at, stop_loss="90").at(*prices)
    if len(prices) >= at:
        assert len(run.exits) == 1
    stops = [s.after.stop_price for s in run.steps if s.after.stop_price is not None]
    assert stops == sorted(stops)


def test_the_text_of_further_terms_is_read_as_it_was_written():
    terms = Terms(
        targets=(("10pt", d(50)), ("20pt", d(50))),
        lot_size=d(25),
        cost_trigger="1%",
        cost_offset="0.5%",
        exit_at="15:10",
        exit_after_minutes=d("7.5"),
    )
    read = further_of(further_text(terms, START))
    assert [each.value for each in read.targets] == ["10pt", "20pt"]
    assert (read.lot_size, read.cost_trigger.text, read.cost_offset.text) == (25, "1%", "0.5%")
    assert (read.exit_clock, read.exit_at, read.exit_after) == ("15:10", START, timedelta(seconds=450))
    assert further_text(Terms(stop_loss="2%")) is None
