"""An outcome that stays unknown is told, whatever keeps it unknown, and no entry goes to its symbol meanwhile."""

import logging

import pytest

from domain.broker_reports import BrokerStatus
from domain.errors import OutcomeUnknown, ReadFailed
from domain.notices import NoticeKind
from domain.states import Phase
from tests.engine.dying import die_in_the_call
from tests.support import Desk


class Hangs(BaseException):
    """Stands for a call that does not come back: nothing after it is done."""


def hang(wanted, **_):
    raise Hangs


@pytest.fixture
def lost(desk) -> Desk:
    """One order of unknown outcome."""
    desk.broker.script = [OutcomeUnknown("timed out")]
    desk.post()
    desk.engine.execute_next("default")
    return desk


def unknown_told(desk: Desk) -> int:
    return sum(notice.kind is NoticeKind.UNKNOWN for notice in desk.notices)


def reconcile(desk: Desk) -> None:
    """What the lane's thread does, and what the thread that watches over it does meanwhile."""
    try:
        desk.engine.reconcile("default")
    except Hangs:
        pass
    desk.engine.escalate("default")
    desk.engine.refresh("default", force=True)


def live(desk: Desk, seconds: float) -> None:
    for _ in range(int(seconds / 2)):
        desk.clock.advance(2)
        reconcile(desk)


def fails(desk: Desk) -> None:
    desk.broker.book_error = ReadFailed("502")


def hangs(desk: Desk) -> None:
    desk.broker.read_book = hang  # type: ignore[method-assign]


@pytest.mark.parametrize("broken", [fails, hangs])
def test_it_is_logged_and_told_though_the_book_cannot_be_read_all_that_time(lost, broken, caplog):
    broken(lost)
    with caplog.at_level(logging.WARNING):
        live(lost, 14)
        assert lost.only().escalation == 0
        live(lost, 4)
    assert (lost.only().escalation, unknown_told(lost)) == (1, 0)
    assert any("outcome unknown, registered at" in record.message for record in caplog.records)
    live(lost, 42)
    assert (lost.only().escalation, unknown_told(lost)) == (2, 1)
    live(lost, 60)
    assert unknown_told(lost) == 1
    assert lost.only().phase is Phase.UNKNOWN


@pytest.mark.parametrize("broken", [fails, hangs])
def test_so_it_is_for_an_order_whose_watcher_died_in_the_call(desk, broken):
    desk.post()
    die_in_the_call(desk)
    broken(desk)
    assert desk.only().phase is Phase.SUBMITTING
    live(desk, 60)
    assert (desk.only().phase, unknown_told(desk)) == (Phase.UNKNOWN, 1)


def test_a_claim_that_is_left_behind_while_every_look_hangs_is_found_out_too(desk):
    """Another watcher dies in its call while the threads of this one hang in the broker."""
    other = desk.new_engine("watcher-2")
    desk.look(other)

    def die(command):
        raise Hangs

    desk.broker.before_place = die
    hangs(desk)
    desk.clock.advance(31)
    reconcile(desk)
    desk.post()
    with pytest.raises(Hangs):
        other.execute_next("default")
    desk.kill("watcher-2")
    desk.clock.advance(61)
    desk.engine.escalate("default")
    assert (desk.only().phase, unknown_told(desk)) == (Phase.UNKNOWN, 1)


@pytest.mark.parametrize("broken", [fails, hangs])
def test_no_entry_goes_to_its_symbol_meanwhile_by_any_watcher(lost, broken):
    other = lost.new_engine("watcher-2")
    lost.look(other)
    (early,) = lost.post(strategy_name="OTHER")
    broken(lost)
    live(lost, 60)
    assert early.tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    (late,) = lost.post(strategy_name="THIRD")
    assert late.tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    assert not other.execute_next("default")
    assert lost.broker.placed == []


def test_while_looks_end_it_is_theirs_to_tell(lost, monkeypatch):
    """The watching thread neither reads nor writes anything then."""
    fails(lost)
    live(lost, 4)
    monkeypatch.setattr(lost.store, "get_open_orders", None)
    lost.engine.escalate("default")


def test_what_becomes_unknown_again_is_told_again(desk):
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    desk.post()
    desk.engine.execute_next("default")
    fails(desk)
    live(desk, 62)
    assert unknown_told(desk) == 1
    desk.broker.book_error = None
    live(desk, 2)
    assert (desk.only().phase, desk.broker.orders["B00001"].status) == (Phase.WORKING, BrokerStatus.OPEN)
    desk.broker.orders.clear()
    live(desk, 4)
    assert (desk.only().phase, unknown_told(desk)) == (Phase.UNKNOWN, 2)


def test_two_watchers_tell_it_once_between_them(lost):
    other = lost.new_engine("watcher-2")
    as_read_before = lost.only()
    fails(lost)
    for _ in range(35):
        lost.clock.advance(2)
        reconcile(lost)
        other.reconcile("default")
    assert unknown_told(lost) == 1
    events = lost.rows("SELECT count(*) FROM order_events")
    other._reconciler._escalate([as_read_before])
    assert lost.rows("SELECT count(*) FROM order_events") == events
