"""Protection, step by step and on many paths: a stop only tightens and fires once, and no more than is held goes."""

from dataclasses import replace

import pytest

from domain.enums import Side
from domain.errors import InvalidProtection
from domain.money import ZERO
from domain.protection import (
    UNFILLED_KEPT,
    Covered,
    EventKind,
    ProtectionStatus,
    Rule,
)
from domain.protection_changes import cancelled, tightened
from domain.protection_messages import notices_of
from domain.protection_step import TRAIL_TOLD_EVERY, step
from domain.protection_terms import TrailingType
from tests.domain.protecting import SECOND, Run, d, filled, mark, protection
from tests.support import START

LEVELS = [
    ({"stop_loss": "98"}, Side.BUY, 98, None),
    ({"stop_loss": "2%"}, Side.BUY, 98, None),
    ({"stop_loss": "2.5pt"}, Side.BUY, "97.5", None),
    ({"stop_loss": "2%"}, Side.SELL, 102, None),
    ({"target": "10pt"}, Side.BUY, None, 110),
    ({"target": "10pt"}, Side.SELL, None, 90),
    ({"stop_loss": "103", "target": "3%"}, Side.SELL, 103, 97),
]


@pytest.mark.parametrize(("terms", "side", "stop", "target"), LEVELS)
def test_levels_count_from_the_average_fill(terms, side, stop, target):
    p = step(protection(side=side, **terms), filled(), None, START).after
    assert (p.stop_price, p.target_price) == (stop and d(stop), target and d(target))
    assert (p.status, p.quantity) == (ProtectionStatus.ACTIVE, 50)


def test_nothing_is_watched_before_the_entry_has_filled_anything():
    run = Run(protection(stop_loss="98"), Covered(ZERO, None, False, ZERO, is_all=True)).at(1)
    assert (run.p.status, run.exits, run.told) == (ProtectionStatus.WAITING, [], [])


@pytest.mark.parametrize(("price", "rule"), [(98, Rule.STOP), (97, Rule.STOP), (110, Rule.TARGET)])
def test_a_level_that_is_met_fires_once_for_all_that_is_held(price, rule):
    run = Run(protection(stop_loss="98", target="110")).at(99, 109, price, price, 90, 120)
    assert run.exits == [(Side.SELL, None)]
    assert (run.p.status, run.p.fired_by, run.p.fired_price) == (ProtectionStatus.FIRED, rule, price)


def test_a_position_that_was_sold_is_bought_back():
    run = Run(protection(side=Side.SELL, stop_loss="2%")).at(101, 102)
    assert run.exits == [(Side.BUY, None)]


def test_where_stop_and_target_are_met_at_once_the_stop_wins():
    run = Run(protection(stop_loss="105", target="104")).at(104)
    assert run.p.fired_by is Rule.STOP


def test_a_trail_in_points_arms_and_follows_the_best_price():
    terms = {"trailing_type": TrailingType.POINTS, "trailing_value": d(3), "trail_when": d(5)}
    run = Run(protection(stop_loss="90", **terms)).at(104)
    assert (run.stop, run.p.is_armed) == (90, False)
    assert run.at(105).stop == 102
    assert run.at(110, 108).stop == 107
    assert run.at(107).exits == [(Side.SELL, None)]
    assert run.p.fired_by is Rule.TRAIL


def test_a_trail_in_percent_counts_from_the_average_fill_and_arms_at_once():
    terms = {"trailing_type": TrailingType.PERCENT, "trailing_value": d(5)}
    run = Run(protection(**terms), filled(average=200)).at(199)
    assert (run.stop, run.p.is_armed) == (190, True)
    assert run.at(210).stop == 200


def test_a_stepped_trail_moves_by_so_much_for_each_so_much():
    terms = {"trailing_type": TrailingType.STEP, "trailing_value": d(2), "trail_when": d(5)}
    run = Run(protection(stop_loss="10pt", **terms)).at(104.99)
    assert run.stop == 90
    assert run.at(105).stop == 92
    assert run.at(114.9).stop == 94
    assert run.at(101).stop == 94


def test_of_a_stop_that_follows_the_price_people_are_told_now_and_then():
    run = Run(protection(trailing_type=TrailingType.POINTS, trailing_value=d(3)))
    run.at(101, 102, 103)
    run.second += int(TRAIL_TOLD_EVERY.total_seconds())
    run.at(104, 105)
    assert [s.tells_trail for s in run.steps] == [True, False, False, True, False]


def test_a_stop_does_not_move_back_when_the_average_of_the_fills_does():
    run = Run(protection(stop_loss="2%"), filled(20, 100, is_over=False)).at(100)
    run.covered = filled(50, 90)
    assert run.at(99).stop == 98
    assert run.p.quantity == 50


def test_fills_and_other_exits_change_what_is_covered():
    run = Run(protection(stop_loss="98"), filled(20, is_over=False)).at(100)
    run.covered = filled(50)
    assert run.at(100).p.quantity == 50
    run.covered = filled(50, held=30)
    assert run.at(100).p.quantity == 30
    run.covered = filled(50, held=0)
    assert run.at(90).p.status is ProtectionStatus.ENDED
    assert run.exits == []
    assert run.told == [EventKind.FILLED, EventKind.FILLED, EventKind.SHRUNK, EventKind.ENDED]


def test_what_a_strategy_holds_beside_it_is_not_taken_along():
    run = Run(protection(stop_loss="98"), replace(filled(), is_all=False)).at(98)
    assert run.exits == [(Side.SELL, d(50))]


def test_fills_after_an_exit_of_a_part_are_covered_by_the_next_generation():
    run = Run(protection(stop_loss="98"), replace(filled(20, is_over=False), is_all=False)).at(98)
    assert (run.p.status, run.p.generation, run.p.exited) == (ProtectionStatus.ACTIVE, 2, 20)
    run.covered = Covered(d(50), d(100), True, d(30), is_all=False)
    run.at(97)
    assert run.exits == [(Side.SELL, d(20)), (Side.SELL, d(30))]
    assert len({s.exit.intent for s in run.steps if s.exit is not None}) == 2


NO_MARKS = {
    "missing": None,
    "zero": mark(0, 20),
    "negative": mark(-1, 20),
    "not a number": mark("NaN", 20),
    "of another symbol": mark(1, 20, symbol="BANKNIFTY"),
    "of another exchange": mark(1, 20, exchange="NSE"),
    "stale": mark(1, 4),
    "from before the fill": mark(1, -1),
    "from the future": mark(1, 60),
}


@pytest.mark.parametrize("seen", NO_MARKS.values(), ids=NO_MARKS)
def test_without_a_usable_price_nothing_moves_and_after_a_while_it_is_unknown(seen):
    run = Run(protection(stop_loss="98", trailing_type=TrailingType.POINTS, trailing_value=d(1))).at(100)
    levels = (run.stop, run.p.best_price)
    run.second = 20
    run.look(seen)
    assert EventKind.UNKNOWN not in run.told  # a single lost price is a lag
    run.second = 36
    run.look(None if seen is None else replace(seen, at=seen.at + 16 * SECOND))
    run.look(None)
    assert (run.stop, run.p.best_price, run.exits) == (*levels, [])
    assert run.told.count(EventKind.UNKNOWN) == 1
    assert run.p.is_unknown
    run.at(100)
    assert (run.told[-1], run.p.is_unknown) == (EventKind.KNOWN, False)


def test_a_price_from_before_the_fill_does_not_count():
    run = Run(protection(stop_loss="98"), second=1)
    run.look(mark(90, 0))
    run.look(mark(90, 0.5))
    assert (run.p.status, run.exits) == (ProtectionStatus.ACTIVE, [])
    run.look(mark(90, 1))
    assert len(run.exits) == 1


def test_an_entry_that_ends_without_a_fill_keeps_its_protection_for_a_while():
    run = Run(protection(stop_loss="98"), Covered(ZERO, None, True, ZERO, is_all=True)).at(100)
    assert run.p.status is ProtectionStatus.WAITING  # the broker may show that it was filled after all
    run.second += int(UNFILLED_KEPT.total_seconds()) + 1
    assert run.at(100).p.status is ProtectionStatus.ENDED


def test_an_entry_that_rested_for_long_keeps_its_protection_after_its_end():
    run = Run(protection(stop_loss="98"), Covered(ZERO, None, False, ZERO, is_all=True)).at(100)
    run.second += 2 * int(UNFILLED_KEPT.total_seconds())
    run.covered = Covered(ZERO, None, True, ZERO, is_all=True, is_full=False)
    assert run.at(100, 100).p.status is ProtectionStatus.WAITING
    writes = [each.changes for each in run.steps]
    assert writes == [False, True, False]  # when it was over is written once
    run.covered = filled(20)
    assert run.at(98).exits == [(Side.SELL, None)]


@pytest.mark.parametrize("by_stop", [True, False])
def test_a_late_fill_after_all_was_sold_is_covered(by_stop):
    part = replace(filled(20), is_all=False, is_full=False)
    run = Run(protection(stop_loss="98"), part).at(98 if by_stop else 100)
    run.covered = replace(part, units=ZERO)
    assert run.at(100, 100).p.status is ProtectionStatus.ACTIVE
    sold = len(run.exits)
    assert (sold, run.steps[-1].changes) == (int(by_stop), False)
    run.covered = replace(filled(50, held=30), is_all=False)
    run.at(97)
    assert run.exits[sold:] == [(Side.SELL, d(30))]


def test_it_ends_when_no_late_fill_can_be_expected_any_more():
    run = Run(protection(stop_loss="98"), replace(filled(20), is_full=False)).at(100)
    run.covered = replace(run.covered, units=ZERO)
    assert run.at(100).p.is_watched
    run.second += int(UNFILLED_KEPT.total_seconds()) + 1
    assert run.at(100).p.reason == "NOTHING_HELD"


def test_a_clock_that_is_set_back_keeps_no_stop_from_being_watched_and_told():
    run = Run(protection(stop_loss="98"), second=7200).at(100, None)
    run.second = 0  # two hours back
    run.at(*[None] * 17)
    assert run.p.is_unknown
    run.at(98)
    assert run.exits == [(Side.SELL, None)]


def test_a_trail_is_not_armed_by_a_best_price_of_before_the_average_moved():
    terms = {"trailing_type": TrailingType.POINTS, "trailing_value": d(3), "trail_when": d(5)}
    run = Run(protection(**terms), filled(10, is_over=False)).at(104)
    run.covered = filled(50, 98)
    assert not run.at(99).p.is_armed
    assert run.at(103).stop == 100
    run.covered = filled(60, 90)
    assert run.at(101).stop == 100  # an armed stop stays


def test_an_unpriced_fill_that_was_sold_is_over():
    run = Run(protection(stop_loss="98"), replace(filled(), average=None)).at(100)
    run.covered = replace(run.covered, units=ZERO)
    assert run.at(100).p.reason == "NOTHING_HELD"


@pytest.mark.parametrize("stop", ["200pt", "100pt"])
def test_a_stop_at_0_or_below_is_none_and_is_told(stop):
    run = Run(protection(stop_loss=stop)).at(99, 98)
    assert run.stop is None
    assert run.told == [EventKind.FILLED, EventKind.NO_STOP]
    [(_, notice)] = notices_of(run.steps[0], None, None)
    assert f"have no stop: a stop_loss of {stop} from the average fill of 100" in (notice.detail or "")


def test_a_person_tightens_and_cancels_and_never_loosens():
    run = Run(protection(stop_loss="98", target="110")).at(100)
    now = START + 2 * SECOND
    changed = tightened(run.p, stop=d(99), target=d(105), by="ann", now=now)
    assert (changed.after.stop_price, changed.after.target_price) == (99, 105)
    assert step(changed.after, filled(60, 90), None, now).after.target_price == 105
    for stop in (98, 97):
        with pytest.raises(InvalidProtection, match="only tightens"):
            tightened(run.p, stop=d(stop), target=None, by="ann", now=now)
    over = cancelled(run.p, by="ann", reason="by hand", now=now).after
    assert (over.status, over.reason) == (ProtectionStatus.ENDED, "CANCELLED")
    assert step(over, filled(), mark(1, 2), now).exit is None
    with pytest.raises(InvalidProtection, match="not over"):
        tightened(over, stop=d(99), target=None, by="ann", now=now)
