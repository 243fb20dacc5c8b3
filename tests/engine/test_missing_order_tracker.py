"""An acknowledged order of which the book, although it can be read, says nothing."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import Book, BrokerStatus
from domain.enums import ExecutionType
from domain.errors import ReadFailed
from domain.notices import NoticeKind
from domain.states import Phase, Status
from tests.support import Desk, leg


@pytest.fixture
def desk(tmp_path):
    """One order rests at the broker; `forget` takes it out of a book that is then not complete."""
    desk = Desk(tmp_path)
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    read = desk.broker.read_book
    desk.read_book = read

    def forget():
        desk.broker.read_book = lambda wanted, **_: Book(desk.clock.now(), (), complete=False)

    desk.forget = forget
    return desk


def look(desk, *seconds):
    for each in seconds:
        desk.clock.advance(each)
        desk.engine.reconcile("default")
    return desk.only()


def test_an_order_that_a_readable_book_does_not_show_is_called_unknown_and_told(desk):
    desk.forget()
    assert look(desk, 1, 5, 5, 4).phase is Phase.WORKING
    order = look(desk, 2)
    assert (order.phase, order.broker_order_id) == (Phase.UNKNOWN, "B00001")
    assert order.reason_message == "outcome unknown: the broker's book, which can be read, does not show it"
    desk.clock.advance(60)
    look(desk, 1)
    assert [n.kind for n in desk.notices].count(NoticeKind.UNKNOWN) == 1


def test_one_book_that_lags_is_not_enough_however_old_the_order(desk):
    desk.clock.advance(3600)
    desk.forget()
    look(desk, 1, 10)
    desk.broker.read_book = desk.read_book
    look(desk, 2)
    desk.forget()
    assert look(desk, 5, 10).phase is Phase.WORKING


def test_two_lags_with_books_between_that_could_not_be_read_are_two_lags(desk):
    desk.forget()
    look(desk, 1)
    shown, desk.broker.read_book = desk.broker.read_book, desk.read_book
    desk.broker.book_error = ReadFailed("timeout")
    look(desk, 5, 5, 5, 5)
    desk.broker.book_error, desk.broker.read_book = None, shown
    assert look(desk, 1, 10).phase is Phase.WORKING
    assert look(desk, 6).phase is Phase.UNKNOWN


def test_books_that_cannot_be_read_say_nothing_either_way(desk):
    desk.broker.book_error = ReadFailed("timeout")
    assert look(desk, 5, 5, 5, 5, 5).phase is Phase.WORKING


def test_a_status_that_nobody_knows_is_told_and_the_next_known_one_counts(desk):
    desk.broker.report("B00001", BrokerStatus.UNRECOGNISED)
    assert look(desk, 1, 14).phase is Phase.WORKING
    order = look(desk, 2)
    assert order.phase is Phase.UNKNOWN
    assert (
        order.reason_message == "outcome unknown: the broker's book gives B00001 a status that is not known"
    )
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    order = look(desk, 1)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, Decimal(50))


def test_an_exit_of_such_a_status_is_known_to_keep_others_waiting(desk):
    """It cannot be told that it has ended, but a person can: then the position may be closed again."""
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    look(desk, 1)
    desk.clock.advance(1)
    desk.engine.refresh("default", force=True)
    [leaving] = desk.post(leg(qty=None, side=None), execution_type=ExecutionType.EXIT)
    desk.engine.tick()
    desk.broker.report("B00002", BrokerStatus.UNRECOGNISED)
    desk.clock.advance(1)
    desk.engine.reconcile("default")
    desk.clock.advance(16)
    desk.engine.reconcile("default")
    assert desk.order(leaving.command_id).phase is Phase.UNKNOWN
    desk.commands.resolve(leaving.command_id, by="ann", failed_reason="the terminal says it ended")
    desk.broker.orders["B00002"] = replace(desk.broker.orders["B00002"], status=BrokerStatus.REJECTED)
    [again] = desk.post(leg(qty=None, side=None), execution_type=ExecutionType.EXIT, signal_id="again")
    desk.engine.tick()
    assert desk.order(again.command_id).broker_order_id == "B00003"


def test_what_changed_while_the_book_was_judged_is_left_alone(desk):
    desk.forget()
    look(desk, 1, 10)
    judge = desk.engine._reconciler._unheard.heard

    def late(client_id, orders, book):
        desk.commands.cancel(orders[0].command_id, by="ann")
        return judge(client_id, orders, book)

    desk.engine._reconciler._unheard.heard = late
    assert look(desk, 10).phase is Phase.WORKING
