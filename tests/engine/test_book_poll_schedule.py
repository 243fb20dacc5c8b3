"""When the book is read: never too often, and whatever asked for it is not forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.broker_reports import BrokerStatus
from domain.errors import ReadFailed
from domain.states import Status
from engine.client_context import EngineTimings
from tests.support import Desk


@pytest.fixture
def slow(desk) -> Desk:
    """A desk whose broker allows a look each second; it has had one just now."""
    desk.broker.traits = replace(desk.broker.traits, book_interval=1.0)
    desk.clock.advance(60)
    desk.engine.reconcile("default")
    return desk


def looks(desk: Desk, *, seconds: float = 0.0) -> bool:
    """True when reconciling now reads the book."""
    read_book, reads = desk.broker.read_book, []

    def counted(wanted, **_):
        reads.append(wanted)
        return read_book(wanted)

    desk.broker.read_book = counted  # type: ignore[method-assign]
    desk.clock.advance(seconds)
    desk.engine.reconcile("default")
    desk.broker.read_book = read_book  # type: ignore[method-assign]
    return bool(reads)


def test_with_nothing_open_and_nothing_asked_the_book_is_read_now_and_then(slow):
    assert not looks(slow, seconds=9)
    assert slow.engine.book_due_in("default") is None
    assert looks(slow, seconds=1)


def test_a_nudge_that_comes_too_soon_is_kept_until_the_interval_has_passed(slow):
    slow.engine.nudge("default")
    assert not looks(slow, seconds=0.3)
    due = slow.engine.book_due_in("default")
    assert due is not None and timedelta(seconds=0.69) < due < timedelta(seconds=0.7)
    assert not looks(slow, seconds=0.6)
    assert looks(slow, seconds=0.1)
    assert slow.engine.book_due_in("default") is None
    assert not looks(slow, seconds=2), "one nudge, one look"


def test_a_nudge_while_the_book_is_being_read_asks_for_another_look(slow):
    read_book = slow.broker.read_book

    def nudged(wanted, **_):
        book = read_book(wanted)
        slow.engine.nudge("default")
        return book

    slow.broker.read_book = nudged
    slow.clock.advance(31)
    slow.engine.reconcile("default")
    slow.broker.read_book = read_book
    assert looks(slow, seconds=1)


def test_with_an_open_order_a_look_that_came_too_soon_is_made_when_it_may_be(slow):
    slow.broker.fill_at_once = False
    slow.engine.refresh("default", force=True)
    slow.post()
    slow.engine.execute_next("default")
    assert not looks(slow)
    assert slow.engine.book_due_in("default") is not None
    assert looks(slow, seconds=1)


def test_a_look_that_failed_is_made_again_as_soon_as_it_may_be(slow):
    slow.broker.book_error = ReadFailed("502")
    slow.engine.nudge("default")
    assert looks(slow, seconds=1)
    slow.broker.book_error = None
    assert not looks(slow, seconds=0.5)
    assert looks(slow, seconds=0.5)
    assert not looks(slow, seconds=5)


def test_a_look_that_nothing_wants_any_more_is_not_waited_for(slow):
    """Else the lane would come back at once, again and again, until the next sweep."""
    slow.broker.fill_at_once = False
    slow.engine.refresh("default", force=True)
    (order,) = slow.post()
    while slow.engine.execute_next("default"):
        pass
    assert not looks(slow, seconds=0.1)
    assert slow.engine.book_due_in("default") is not None
    slow.broker.report(str(slow.order(order.command_id).broker_order_id), BrokerStatus.COMPLETE, 50)
    slow.new_engine("watcher-2").reconcile("default")  # another watcher's look settles it
    assert slow.order(order.command_id).status is Status.EXECUTED
    assert not looks(slow, seconds=2)
    assert slow.engine.book_due_in("default") is None


@pytest.mark.parametrize(("setting", "brokers", "seconds"), [(2, 5.0, 5), (2, 0.0, 2), (8, 5.0, 8)])
def test_positions_are_read_no_more_often_than_the_broker_allows(make_desk, setting, brokers, seconds):
    desk = make_desk(rules=EngineTimings(positions_refresh=timedelta(seconds=setting)))
    desk.broker.traits = replace(desk.broker.traits, positions_interval=brokers)
    assert desk.engine.refresh("default", force=True)
    desk.clock.advance(seconds - 0.1)
    assert not desk.engine.refresh("default")
    desk.clock.advance(0.1)
    assert desk.engine.refresh("default")
