"""The exits that a protection asks for: followed, asked for again where they failed, and never beside a live one."""

from dataclasses import replace

import pytest

from domain.enums import Side
from domain.money import ZERO
from domain.protection import (
    AskedExit,
    Covered,
    EventKind,
    ExitSeen,
    ExitState,
    ProtectionStatus,
    Rule,
)
from domain.protection_exits import followed_exits
from domain.protection_messages import notices_of
from tests.domain.protecting import Run, d, filled, protection
from tests.support import START

FAILED = ExitSeen(ExitState.FAILED, tag="BROKER_REJECTED:RMS")
DONE = ExitSeen(ExitState.DONE)


def fired(*, covered: Covered | None = None, **terms: object) -> Run:
    """A protection whose stop at 98 was met in second 1."""
    return Run(protection(**({"stop_loss": "98"} | terms)), covered or filled()).at(98)


def wait(run: Run, seconds: float, price: object = None) -> Run:
    run.second += seconds - 1
    return run.at(price)


def test_a_failed_exit_is_asked_for_again_ever_later_and_then_no_more():
    run = fired()
    for number, after in enumerate((2, 10, 30), start=1):
        run.ends[f"x{number}"] = FAILED
        run.at(97)  # the level is met all the time: that alone asks for nothing
        wait(run, after - 1, 97)
        assert len(run.exits) == number
        wait(run, 1)  # no price is needed
        assert run.exits[number:] == [(Side.SELL, None)]
    run.ends["x4"] = FAILED
    run.at(97, 97)
    wait(run, 100, 97)
    assert (len(run.exits), run.p.status, run.p.reason) == (4, ProtectionStatus.ENDED, "EXIT_FAILED")
    intents = [s.exit.intent for s in run.steps if s.exit is not None]
    assert len(set(intents)) == 4
    assert run.told.count(EventKind.EXIT_FAILED) == 4


def test_what_a_failure_leads_to_is_told_in_words():
    run = fired()
    texts = []
    for number, after in enumerate((2, 10, 30, 1), start=1):
        run.ends[f"x{number}"] = FAILED
        run.at(97)
        [(_, notice)] = notices_of(run.steps[-1], None, None)
        texts.append((notice.detail, notice.more))
        wait(run, after, 97)
    assert "the exit of 50 units of STRADDLE failed (try 1): BROKER_REJECTED:RMS" in texts[0][0]
    assert "tried again in 2 s" in texts[0][1] and "tried again in 30 s" in texts[2][1]
    assert "held WITHOUT protection" in texts[3][1] and "cli.py flatten --symbol" in texts[3][1]


def test_a_price_that_came_back_does_not_keep_the_second_try_from_going():
    run = fired()
    run.ends["x1"] = FAILED
    run.at(120)
    wait(run, 2, 120)
    assert len(run.exits) == 2


@pytest.mark.parametrize("seen", [None, ExitSeen(ExitState.LIVE)])
def test_nothing_is_tried_beside_an_exit_that_may_be_live(seen):
    run = fired()
    if seen is not None:
        run.ends["x1"] = seen
    wait(run, 300, 90)
    run.covered = filled(60, is_over=False)  # it takes what comes late, too
    run.at(90, 90)
    assert (len(run.exits), run.p.status) == (1, ProtectionStatus.FIRED)


def test_only_what_a_failed_exit_left_is_asked_for_again():
    run = fired(covered=replace(filled(), is_all=False))
    run.ends["x1"] = replace(FAILED, sold=d(20))
    run.covered = replace(run.covered, units=d(30))
    wait(run.at(97), 2, 97)
    assert run.exits[1:] == [(Side.SELL, d(30))]


def test_a_failed_exit_of_what_a_person_has_sold_meanwhile_is_not_asked_for_again():
    run = fired()
    run.ends["x1"] = FAILED
    run.covered = replace(run.covered, units=ZERO)
    wait(run.at(97), 2, 97)
    assert (len(run.exits), run.p.is_watched) == (1, False)


def test_an_exit_that_was_cancelled_is_not_asked_for_again():
    run = fired()
    run.ends["x1"] = ExitSeen(ExitState.WITHDRAWN)
    run.at(97)
    [(_, notice)] = notices_of(run.steps[-1], None, None)
    assert "was cancelled" in notice.detail
    wait(run, 60, 97)
    assert (len(run.exits), run.p.reason) == (1, "EXIT_CANCELLED")


def test_a_targets_exit_that_was_cancelled_leaves_the_stop():
    run = Run(protection(stop_loss="98", target="110")).at(110)
    run.ends["x1"] = ExitSeen(ExitState.WITHDRAWN)
    run.at(105)
    [(_, notice)] = notices_of(run.steps[-1], None, None)
    assert "somebody cancelled it" in notice.detail and "only the stop goes on" in notice.more
    wait(run, 60, 111)
    assert (len(run.exits), run.p.target_price, run.p.is_watched) == (1, None, True)
    run.at(97)
    assert (run.p.fired_by, len(run.exits)) == (Rule.STOP, 2)


def test_a_target_that_cannot_be_sold_is_dropped_and_its_stop_goes_on():
    run = Run(protection(stop_loss="98", target="110")).at(110)
    for number, after in enumerate((2, 10, 30, 1), start=1):
        run.ends[f"x{number}"] = FAILED
        wait(run.at(111), after, 111)
    assert (len(run.exits), run.p.target_price, run.p.is_watched) == (4, None, True)
    run.at(97)
    assert (run.p.fired_by, len(run.exits)) == (Rule.STOP, 5)


def test_a_stop_that_is_met_does_not_wait_for_the_second_try_of_a_target():
    run = Run(protection(stop_loss="98", target="110")).at(110)
    run.ends["x1"] = FAILED
    run.at(109, 98)
    assert (run.p.fired_by, len(run.exits)) == (Rule.STOP, 2)


def test_a_fill_that_shows_after_the_exit_is_over_is_protected_again():
    run = fired(covered=replace(filled(20), is_full=False))
    run.ends["x1"] = DONE
    run.covered = replace(run.covered, units=ZERO)
    run.at(97)
    assert run.p.is_watched
    run.covered = replace(filled(50, held=30), is_full=True)
    run.ends["x1"] = ExitSeen(ExitState.LIVE)  # a further part of it is under way
    run.at(97, 97)
    assert len(run.exits) == 1
    run.ends["x1"] = DONE
    run.at(99)
    assert (run.p.status, run.p.quantity, run.told[-1]) == (ProtectionStatus.ACTIVE, 30, EventKind.FILLED)
    assert run.told[-2] is EventKind.AGAIN
    assert run.at(98).exits[1:] == [(Side.SELL, None)]


def test_it_is_over_when_its_exit_is_and_nothing_more_can_come():
    run = fired()
    run.ends["x1"] = DONE
    run.covered = replace(run.covered, units=ZERO)
    run.at(97)
    assert (run.p.status, run.p.is_watched) == (ProtectionStatus.FIRED, False)
    assert not run.at(90).steps[-1].changes


def test_the_tries_of_a_target_are_none_of_the_stops():
    run = Run(protection(stop_loss="98", target="110")).at(110)
    for number, after in enumerate((2, 10), start=1):
        run.ends[f"x{number}"] = FAILED
        wait(run.at(105), after, 105)
    run.ends["x3"] = FAILED
    run.at(105, 98)
    assert (run.p.fired_by, len(run.exits)) == (Rule.STOP, 4)
    for number, after in enumerate((2, 10, 30, 1), start=4):
        run.ends[f"x{number}"] = FAILED
        wait(run.at(105), after, 105)
    assert (len(run.exits), run.p.reason) == (7, "EXIT_FAILED")


def test_a_target_that_is_given_up_leaves_the_second_try_of_a_stop():
    part = replace(filled(), is_all=False)
    run = Run(replace(protection(stop_loss="98", target="110"), failures=3), part)
    targets, stops = (
        AskedExit("x1", Rule.TARGET, d(25), is_all=False),
        AskedExit("x2", Rule.STOP, d(25), is_all=False),
    )
    p = replace(run.at(100).p, exits=(stops, targets), exited=d(50), failures=2)
    after, events = followed_exits(p, {"x1": FAILED, "x2": FAILED}, START)
    assert [event.facts["next"] for event in events] == ["RETRY", "RULE_DROPPED"]
    assert (after.retry_rule, after.retry_units, after.target) == (Rule.STOP, 25, None)


def test_of_a_target_that_is_given_up_no_late_fill_is_told():
    run = Run(protection(stop_loss="98", target="110")).at(110)
    for number, after in enumerate((2, 10, 30, 1), start=1):
        run.ends[f"x{number}"] = FAILED
        run.at(105)
        assert len(notices_of(run.steps[-1], None, None)) == 1
        wait(run, after, 105)
