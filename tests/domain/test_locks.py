"""Lock and trail: from one profit on a part of it is kept, and more with each further step."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side
from domain.further_terms import further_of, further_text
from domain.locks import Lock
from domain.notices import NoticeKind
from domain.protection import EventKind, ExitSeen, ExitState, Protection, ProtectionStatus, Rule
from domain.protection_messages import notices_of
from domain.protection_terms import LockTexts, Terms, TrailingType
from tests.domain.protecting import Run, d, filled, protection

TEN_FOUR = LockTexts("10pt", "4pt", "5pt", "2pt")


def run_of(lock: LockTexts = TEN_FOUR, **more: object) -> Run:
    return Run(protection(protection_json=further_text(Terms(lock=lock)), **more), filled())


@pytest.mark.parametrize(
    ("lock", "side", "price", "stop"),
    [
        (TEN_FOUR, Side.BUY, 109, None),
        (TEN_FOUR, Side.BUY, 110, 104),
        (TEN_FOUR, Side.BUY, "114.95", 104),
        (TEN_FOUR, Side.BUY, 115, 106),
        (TEN_FOUR, Side.BUY, 131, 112),
        (TEN_FOUR, Side.SELL, 90, 96),
        (TEN_FOUR, Side.SELL, 79, 92),
        (LockTexts("10pt", "4pt"), Side.BUY, 150, 104),
        (LockTexts("10pt", None), Side.BUY, 110, 100),
        (LockTexts("2%", "1%", "1%", "0.5%"), Side.BUY, 104, 102),
    ],
)
def test_from_the_agreed_profit_on_a_part_of_it_is_kept(lock, side, price, stop):
    assert run_of(lock, side=side).at(100, price).stop == (None if stop is None else d(stop))


def test_each_step_is_an_event_and_the_lock_is_told_once():
    run = run_of(stop_loss="90").at(100, 110, 112, 115, 120, 113, 120)
    assert run.told[1:] == [EventKind.LOCKED, EventKind.LOCK_STEPPED, EventKind.LOCK_STEPPED]
    notices = [notice for s in run.steps for _, notice in notices_of(s, None, None)]
    assert [notice.kind for notice in notices] == [NoticeKind.PROFIT_LOCKED]
    assert "profit is locked, the stop is 104" in notices[0].detail and "It was 90." in notices[0].more
    facts = [event.facts for s in run.steps for event in s.events if event.kind is EventKind.LOCK_STEPPED]
    assert [(f["step"], f["before"], f["stop"]) for f in facts] == [("1", "104", "106"), ("2", "106", "108")]


def test_it_exits_once_at_what_is_kept_and_says_why():
    run = run_of(stop_loss="90").at(116, 107, 106, 105, 80)
    assert (run.exits, run.p.fired_by, run.p.status) == (
        [(Side.SELL, None)],
        Rule.LOCK,
        ProtectionStatus.FIRED,
    )
    [(_, notice)] = notices_of(run.steps[2], None, None)
    assert "last price 106 met the stop that keeps the profit at 106" in notice.detail


def test_the_stop_never_goes_back_to_what_is_kept():
    beside = run_of(trailing_type=TrailingType.POINTS, trailing_value=d(3)).at(110)
    assert beside.stop == 107
    by_hand = run_of(stop_loss="90").at(101)
    by_hand.p = replace(by_hand.p, stop_price=d(105))
    assert by_hand.at(110).stop == 105


def test_a_falling_average_takes_nothing_back_and_repeats_no_step():
    run = run_of()
    run.covered = filled(20, is_over=False)
    run.at(115)
    assert (run.stop, run.p.locked_steps) == (106, 1)
    run.covered = filled(50, 98)
    run.at(109, 112)
    assert (run.stop, run.p.locked_steps) == (106, 1)
    assert run.at(118).stop == 106  # two steps from 98 on: 98 + 8
    assert run.at(123).stop == 108


def test_a_target_whose_exit_was_cancelled_leaves_the_lock_to_come():
    run = run_of(target="105").at(105)
    run.ends["x1"] = ExitSeen(ExitState.WITHDRAWN)
    run.at(103, 111, 104)
    assert (run.p.fired_by, len(run.exits)) == (Rule.LOCK, 2)


def restarted(p: Protection) -> Protection:
    """As a restart finds it: from its columns alone."""
    further_of.cache_clear()
    return replace(p)


LOCKS = st.builds(
    lambda at, floor, step, trail: LockTexts(
        f"{at}pt",
        f"{min(floor, at - 1)}pt" if min(floor, at - 1) else None,
        None if step is None else f"{step}pt",
        None if step is None else f"{min(trail, step)}pt",
    ),
    st.integers(1, 20),
    st.integers(0, 20),
    st.one_of(st.none(), st.integers(1, 6)),
    st.integers(1, 6),
)
PRICES = st.lists(st.tuples(st.one_of(st.none(), st.integers(70, 140)), st.booleans()), max_size=25)


def walked(lock: LockTexts, side: Side, prices, *, restarts: bool) -> Run:
    """Follow the prices; where a moment is marked, the process dies before it has committed, or after it."""
    run = run_of(lock, side=side, stop_loss="25pt")
    for price, dies in prices:
        if restarts and dies:
            kept, second = run.p, run.second
            run.at(price)  # computed, and never committed
            run.p, run.second = restarted(kept), second
            run.steps.pop()
        run.at(price)
        if restarts and dies:
            run.p = restarted(run.p)
    return run


@settings(max_examples=400, deadline=None)
@given(LOCKS, st.sampled_from(list(Side)), PRICES)
def test_on_every_path_levels_only_tighten_it_fires_once_and_restarts_change_nothing(lock, side, prices):
    run = walked(lock, side, prices, restarts=False)
    levels = [s.after.stop_price * side.sign for s in run.steps if s.after.stop_price is not None]
    assert levels == sorted(levels)
    assert len(run.exits) <= 1 and run.told.count(EventKind.LOCKED) <= 1
    for (
        s
    ) in run.steps:  # what is kept lies on the near side of the best price: the mark that locks never exits
        if s.after.locked_steps is not None and s.after.best_price is not None:
            assert (s.after.best_price - s.after.stop_price) * side.sign > 0
    again = walked(lock, side, prices, restarts=True)
    assert (again.p, [s.events for s in again.steps]) == (run.p, [s.events for s in run.steps])


@given(st.integers(1, 50), st.integers(0, 49), st.integers(1, 9), st.integers(1, 9), st.integers(0, 400))
def test_what_is_kept_never_reaches_the_profit(at, floor, step, trail, best):
    lock = Lock(d(at), d(floor), d(step), d(trail))
    steps = lock.steps(d(best))
    if lock.fault is None and steps is not None:
        assert lock.kept(steps) < best
