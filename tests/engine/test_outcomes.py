"""What becomes of an order for every answer that a broker can give, and where the answer is late or not recorded."""

from decimal import Decimal

import pytest

from domain.enums import TestMode
from domain.errors import NotSent, Refused, StoreUnavailable
from domain.notices import NoticeKind
from domain.states import Phase, Status
from tests.support import kinds


def test_happy_path_is_told_and_leaves_its_events(desk):
    (order,) = desk.post()
    assert order.status is Status.CREATED
    desk.settle()
    order = desk.order(order.command_id)
    assert (order.status, order.filled_quantity, order.average_price) == ("EXECUTED", 50, Decimal("112.5"))
    assert kinds(desk) == [NoticeKind.PLACED, NoticeKind.FILLED]
    path = [row[0] for row in desk.rows("SELECT to_phase FROM order_events ORDER BY event_id")]
    assert path == ["REGISTERED", "SUBMITTING", "WORKING", "FILLED"]
    assert desk.rows("SELECT status, order_id FROM order_intents") == [("ORDER_PLACED", "B00001")]
    assert desk.rows("SELECT decision_type, reason_code FROM alerts") == [("EXECUTED", "EXEC_ORDER_PLACED")]


def test_not_sent_goes_back_and_is_sent_once_later(desk):
    desk.broker.script = [NotSent("no connection")]
    desk.post()
    desk.engine.tick()
    order = desk.only()
    assert (order.status, order.phase, order.attempts, order.sent_at) == ("CREATED", "REGISTERED", 0, None)
    assert not desk.engine.execute_next("default"), "it must wait before it is tried again"
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_not_sent_until_the_alerts_life_is_over_lapses(desk):
    desk.broker.script = [NotSent("no connection")] * 500
    desk.post()
    for _ in range(200):
        desk.engine.tick()
        desk.clock.advance(3)
    order = desk.only()
    assert (order.phase, order.tag) == (Phase.LAPSED, "NOT_SENT:ALERT_TOO_OLD")
    assert desk.broker.placed == []
    assert NoticeKind.FAILED in kinds(desk)


def test_refused_is_failed_with_the_brokers_code(desk):
    desk.broker.script = [Refused("Insufficient margin for order", "RMS7")]
    desk.post()
    desk.settle()
    order = desk.only()
    assert (order.status, order.tag, order.reason_code) == (
        "FAILED",
        "BROKER_REJECTED:RMS7",
        "INSUFFICIENT_FUNDS",
    )
    assert kinds(desk) == [NoticeKind.REJECTED]


def test_an_adapters_defect_is_an_unknown_outcome(desk):
    def fail(command):
        raise ZeroDivisionError

    desk.broker.before_place = fail
    desk.post()
    desk.engine.execute_next("default")
    assert desk.only().phase is Phase.UNKNOWN


def test_a_call_past_its_deadline_is_unknown_and_its_late_answer_counts(desk):
    def hang(command):
        desk.clock.advance(desk.rules.broker_deadline.total_seconds() + 1)
        assert desk.engine.expire_overdue("default") == 1
        assert desk.only().phase is Phase.UNKNOWN

    desk.broker.before_place = hang
    desk.post()
    desk.engine.execute_next("default")
    order = desk.only()
    assert (order.phase, order.broker_order_id) == (Phase.WORKING, "B00001")


def test_an_answer_that_cannot_be_recorded_is_recorded_later(desk, monkeypatch):
    desk.post()
    write = desk.store.write
    failures: list[int] = []

    def failing(work):
        if desk.broker.placed and not failures:
            failures.append(1)
            raise StoreUnavailable("disk full")
        return write(work)

    monkeypatch.setattr(desk.store, "write", failing)
    with pytest.raises(StoreUnavailable):
        desk.engine.execute_next("default")
    assert desk.only().phase is Phase.SUBMITTING
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_an_answer_that_was_kept_too_long_does_not_touch_a_later_claim(desk):
    desk.broker.script = [NotSent("no connection")]
    desk.post()
    desk.engine.tick()
    submitter = desk.engine._submitter
    first_claim = desk.only()
    desk.clock.advance(1)
    stale = []

    def record_the_old_answer(command):
        submitter.outcomes._record_anew(first_claim, NotSent("no connection"), resend=False)
        stale.append(desk.only().phase)

    desk.broker.before_place = record_the_old_answer
    desk.settle()
    assert stale == [Phase.SUBMITTING]
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_test_mode_walks_the_whole_way_without_the_broker(desk):
    (good,) = desk.post(test_mode=TestMode.SUCCESS)
    desk.settle()
    assert desk.order(good.command_id).status is Status.EXECUTED
    assert desk.order(good.command_id).broker_order_id.startswith("TEST-")
    assert desk.broker.placed == []
    assert desk.rows("SELECT * FROM holdings") == []
