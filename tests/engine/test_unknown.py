"""An outcome that nobody knows: what settles it, what does not, and what waits until it is settled."""

from dataclasses import replace
from decimal import Decimal

import pytest

from command_service import ResolvedFill
from domain.broker_capabilities import IdClass
from domain.broker_reports import Book, BrokerStatus
from domain.errors import OutcomeUnknown, ReadFailed, Refused
from domain.notices import NoticeKind
from domain.reason_codes import Reason
from domain.states import Phase, Status
from notifications.messages import render
from tests.engine.by_hand import resting_elsewhere
from tests.engine.test_late_evidence import spin
from tests.support import EXIT, MARKET_EXIT, kinds, leg


def test_an_unknown_outcome_that_reached_the_broker_is_found_by_its_tag(desk):
    desk.broker.script = [("after", OutcomeUnknown("read timed out"))]
    desk.post()
    assert desk.engine.execute_next("default")
    assert desk.only().phase is Phase.UNKNOWN
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_an_unknown_outcome_is_never_called_failed_before_absence_is_proven(make_desk):
    desk = make_desk(id_class=IdClass.C1)
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.settle(5)
    assert desk.only().phase is Phase.UNKNOWN, "the call may still be on its way"
    desk.clock.advance(desk.rules.sending_ends.total_seconds())
    desk.settle()
    order = desk.only()
    assert (order.phase, order.tag) == (Phase.ABSENT, "BROKER_ABSENT:PROVEN")
    assert desk.broker.placed == []


def test_a_book_that_cannot_be_read_proves_nothing_and_gets_louder(desk):
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.broker.book_error = ReadFailed("502")
    desk.post()
    for _ in range(80):
        desk.engine.tick()
        desk.clock.advance(1)
    order = desk.only()
    assert (order.phase, order.escalation) == (Phase.UNKNOWN, 2)
    assert kinds(desk).count(NoticeKind.UNKNOWN) == 1


def test_a_book_of_one_day_proves_nothing_about_the_day_before(desk):
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.engine.tick()
    desk.clock.advance(18 * 3600)
    desk.broker.covers_from = desk.clock.now()
    desk.settle()
    assert desk.only().phase is Phase.UNKNOWN


def test_an_acknowledged_order_that_leaves_the_book_is_unknown_loud_and_never_sent_again(make_desk):
    desk = make_desk(id_class=IdClass.C4)
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    desk.broker.orders.clear()
    desk.clock.advance(70)
    desk.settle(10)
    assert desk.only().phase is Phase.UNKNOWN
    assert len(desk.broker.placed) == 1
    assert NoticeKind.UNKNOWN in kinds(desk)
    desk.commands.resolve(order.command_id, by="op", failed_reason="not at the broker")
    assert desk.only().status is Status.FAILED


def test_no_new_entry_on_a_symbol_with_an_unknown_outcome(desk):
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.engine.tick()
    (other,) = desk.post(strategy_name="OTHER")
    assert other.tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    (elsewhere,) = desk.post(leg("BANKNIFTY26NOVFUT"), strategy_name="OTHER")
    assert elsewhere.tag is None


@pytest.mark.parametrize("id_class", [IdClass.C0, IdClass.C1, IdClass.C2])
def test_where_the_id_is_not_unique_for_ever_nothing_is_sent_twice(make_desk, id_class):
    desk = make_desk(id_class=id_class)
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.settle(200)
    assert desk.broker.placed == []


def test_where_the_id_is_unique_for_ever_it_is_sent_again_under_the_same_id(make_desk):
    desk = make_desk(id_class=IdClass.C4)
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.settle(10)
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_the_refusal_of_a_resend_proves_nothing(make_desk):
    desk = make_desk(id_class=IdClass.C4)
    desk.broker.script = [OutcomeUnknown("read timed out"), Refused("no"), Refused("no"), Refused("no")]
    desk.post()
    desk.settle(2)
    assert desk.only().phase is Phase.UNKNOWN


def test_a_late_refusal_of_the_first_send_says_nothing_of_the_one_that_followed(make_desk):
    """The first call hung and was sent again, that outcome is not known either, and then the first one answers."""
    desk = make_desk(id_class=IdClass.C4)
    desk.broker.script = [OutcomeUnknown("first"), ("after", OutcomeUnknown("second"))]
    desk.broker.fill_at_once = False
    desk.post()
    desk.engine.execute_next("default")
    first_claim = desk.only()
    read_book = desk.broker.read_book
    desk.broker.read_book = lambda wanted, **_: Book(desk.clock.now(), (), complete=True)
    desk.clock.advance(3)
    desk.engine.reconcile("default")
    assert (desk.only().phase, desk.only().attempts) == (Phase.UNKNOWN, 2)
    desk.engine._submitter.outcomes._record_anew(first_claim, Refused("no", "X"), resend=False)
    assert desk.only().phase is Phase.UNKNOWN, "the second send may be live, and is"
    desk.broker.read_book = read_book
    desk.settle()
    assert desk.only().phase is Phase.WORKING


def test_an_operator_resolves_an_unknown_outcome(desk):
    desk.broker.script = [OutcomeUnknown("timeout")]
    desk.broker.book_error = ReadFailed("502")
    (order,) = desk.post()
    desk.engine.tick()
    desk.commands.resolve(order.command_id, by="op", executed=ResolvedFill("X9", Decimal(50), Decimal(110)))
    order = desk.order(order.command_id)
    assert (order.status, order.broker_order_id, order.average_price) == ("EXECUTED", "X9", 110)


def test_an_exit_that_is_proven_absent_says_what_is_still_open_and_what_to_do(desk):
    desk.post()
    desk.settle()
    desk.broker.script = [OutcomeUnknown("timed out")]
    (order,) = desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    desk.clock.advance(60)
    desk.settle()
    after = desk.order(order.command_id)
    assert after.tag == "BROKER_ABSENT:PROVEN"
    assert after.reason_message == (
        f"{Reason.PROVEN.sentence}. STRADDLE still holds 50 MIS of NIFTY26NOV24500CE at NFO: send the EXIT again, or "
        "exit it by hand (outcome unknown: timed out)"
    )
    notice = next(n for n in desk.notices if n.kind is NoticeKind.FAILED)
    assert "BROKER_ABSENT:PROVEN · STRADDLE still holds 50 MIS" in render(notice)


def test_a_book_that_contradicts_what_a_person_said_during_its_read_is_told(desk):
    """It was filled, said the person; the book that was being read then shows it cancelled with nothing filled."""
    resting_elsewhere(desk)
    desk.broker.script = [("after", OutcomeUnknown("read timed out"))]
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    assert desk.engine.execute_next("default")
    right, number = desk.broker.read_book, max(desk.broker.orders)
    desk.broker.orders[number] = replace(desk.broker.orders[number], status=BrokerStatus.CANCELLED)

    def read(refs, *, urgent=False):
        desk.broker.read_book = right
        book = right(refs, urgent=urgent)
        fill = ResolvedFill(number, Decimal(50), Decimal(100), "seen in the terminal")
        desk.commands.resolve(order.command_id, by="cli:ann", executed=fill)
        return book

    desk.broker.read_book = read
    spin(desk, 20)
    assert desk.order(order.command_id).status is Status.EXECUTED
    assert any("CANCELLED" in notice.detail and "50" in notice.detail for notice in desk.notices)
