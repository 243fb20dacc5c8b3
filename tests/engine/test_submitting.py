"""What becomes of an order for every answer a broker can give, and for none."""

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.alert import ExecutionType, OrderType, TestMode
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused, StoreUnavailable
from domain.notices import NoticeKind
from domain.reports import Book, BrokerStatus, IdClass
from domain.states import Phase, Status
from tests.support import Desk, leg

MARKET_EXIT = leg(qty=None, side=None, order_type=OrderType.MARKET, price=None)


def exit_alert(**changes):
    return {"execution_type": ExecutionType.EXIT, **changes}


def kinds(desk: Desk) -> list[str]:
    return [n.kind for n in desk.notices]


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


def test_the_claim_and_the_client_id_are_durable_before_the_broker_hears_of_it(desk):
    seen = []

    def look(command):
        row = desk.only()
        seen.append((row.status, row.phase, row.client_order_id == command.client_order_id))

    desk.broker.before_place = look
    desk.post()
    desk.settle()
    assert seen == [("SENT_TO_BROKER", "SUBMITTING", True)]


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


def test_a_claim_whose_process_slept_is_not_sent(desk):
    claimed = desk.engine._submitter._claim_entry
    seat = desk.engine._seats["default"]
    desk.post()

    def sleepy(seat, order):
        result = claimed(seat, order)
        desk.clock.advance(desk.rules.submit_window.total_seconds() + 1)
        return result

    desk.engine._submitter._claim_entry = sleepy
    assert desk.engine._submitter.execute_next(seat)
    assert desk.broker.placed == []
    assert desk.only().phase is Phase.REGISTERED


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


def test_a_rejection_after_the_acknowledgement(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.engine.tick()
    assert desk.only().phase is Phase.WORKING
    desk.broker.report("B00001", BrokerStatus.REJECTED, reason="RMS: price out of range", code="RMS1")
    desk.settle()
    order = desk.only()
    assert (order.tag, order.reason_message) == ("BROKER_REJECTED:RMS1", "RMS: price out of range")


def test_a_cancel_after_a_partial_fill_keeps_the_fill(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    desk.settle()
    assert desk.only().phase is Phase.PARTIALLY_FILLED
    desk.broker.report("B00001", BrokerStatus.CANCELLED, 20)
    desk.settle()
    order = desk.only()
    assert (order.tag, order.filled_quantity) == ("BROKER_CANCELLED", 20)
    assert desk.rows("SELECT net_quantity FROM holdings") == [("20",)]


def test_what_was_called_dead_and_then_filled_is_executed_loudly(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.CANCELLED)
    desk.settle()
    assert desk.only().status is Status.FAILED
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.clock.advance(31)
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    assert NoticeKind.RESURRECTED in kinds(desk)


def test_an_overfill_is_recorded_and_told(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 60)
    desk.settle()
    assert desk.only().filled_quantity == 60
    assert NoticeKind.OVERFILLED in kinds(desk)


def test_a_broker_order_that_no_row_explains_is_told_once(desk):
    desk.post()
    desk.settle()
    strange = desk.broker.orders["B00001"]
    desk.broker.products["X1"] = "MIS"
    desk.broker.orders["X1"] = type(strange)(
        "X1", None, BrokerStatus.OPEN, "NFO", "RELIANCE", strange.side, Decimal(5)
    )
    for _ in range(3):
        desk.clock.advance(31)
        desk.settle()
    assert kinds(desk).count(NoticeKind.EXTERNAL_ORDER) == 1
    assert desk.rows("SELECT broker_order_id, symbol FROM external_orders") == [("X1", "RELIANCE")]


def test_test_mode_walks_the_whole_way_without_the_broker(desk):
    (good,) = desk.post(test_mode=TestMode.SUCCESS)
    desk.settle()
    assert desk.order(good.command_id).status is Status.EXECUTED
    assert desk.order(good.command_id).broker_order_id.startswith("TEST-")
    assert desk.broker.placed == []
    assert desk.rows("SELECT * FROM holdings") == []


def test_live_trading_off_blocks_everything_visibly(make_desk):
    desk = make_desk(is_real=True, live_allowed=False)
    (blocked,) = desk.post()
    assert blocked.tag == "GUARD_BLOCKED:ORDER_BLOCKED_LIVE_TRADING"
    (exit_,) = desk.post(MARKET_EXIT, **exit_alert())
    assert exit_.tag == "GUARD_BLOCKED:ORDER_BLOCKED_LIVE_TRADING"
    desk.settle()
    assert desk.broker.placed == []
    assert {r[0] for r in desk.rows("SELECT status FROM order_intents")} == {"ORDER_BLOCKED_LIVE_TRADING"}


def test_a_halt_between_registration_and_claim_stops_the_entry(desk):
    desk.post()
    desk.commands.halt("default", by="operator", reason="news")
    desk.settle()
    assert desk.only().tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert desk.broker.placed == []


def test_cancel_before_and_after_the_send(desk):
    desk.broker.fill_at_once = False
    (first,) = desk.post()
    assert desk.commands.cancel(first.command_id, by="op").tag == "NOT_SENT:CANCELLED_BEFORE_SENT"
    (second,) = desk.post(leg("BANKNIFTY26NOVFUT"))
    desk.settle()
    desk.commands.cancel(second.command_id, by="op")
    desk.settle()
    assert desk.broker.cancelled == ["B00001"]
    assert desk.order(second.command_id).tag == "BROKER_CANCELLED"


def test_two_watchers_send_once(desk):
    other = desk.new_engine("watcher-2")
    desk.look(other)
    taken = []

    def steal(command):
        taken.append(other.execute_next("default"))

    desk.broker.before_place = steal
    desk.post()
    desk.engine.execute_next("default")
    desk.settle()
    assert taken == [False]
    assert len(desk.broker.placed) == 1


def test_a_dead_watchers_claim_is_found_out_at_once(make_desk):
    desk = make_desk(id_class=IdClass.C4)

    class Killed(BaseException):
        pass

    def die(command):
        raise Killed

    desk.broker.before_place = die
    desk.post()
    with pytest.raises(Killed):
        desk.engine.execute_next("default")
    desk.kill()
    desk.broker.before_place = lambda command: None
    desk.engine = desk.new_engine("watcher-2")
    desk.engine.tick()
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_a_living_watchers_claim_is_left_to_it_while_its_call_may_last(desk):
    other = desk.new_engine("watcher-2")

    def look(command):
        other.tick()
        assert desk.only().phase is Phase.SUBMITTING

    desk.broker.before_place = look
    desk.post()
    desk.engine.execute_next("default")
    assert len(desk.broker.placed) == 1


# exits ------------------------------------------------------------------------------------------------------


def test_an_exit_takes_its_side_and_quantity_from_the_position(desk):
    desk.post()
    desk.settle()
    (order,) = desk.post(leg(qty=500, order_type=OrderType.MARKET, price=None), **exit_alert())
    desk.settle()
    order = desk.order(order.command_id)
    assert (order.side, order.quantity, order.status) == ("SELL", 50, "EXECUTED")


def test_a_cap_takes_part_of_the_position(desk):
    desk.post()
    desk.settle()
    (order,) = desk.post(leg(qty=20, order_type=OrderType.MARKET, price=None), **exit_alert())
    desk.settle()
    assert desk.order(order.command_id).quantity == 20
    assert desk.rows("SELECT net_quantity FROM holdings") == [("30",)]


def test_an_exit_of_nothing_is_no_position(desk):
    (order,) = desk.post(MARKET_EXIT, **exit_alert())
    desk.settle()
    assert desk.order(order.command_id).tag == "GUARD_BLOCKED:NO_POSITION"
    assert desk.broker.placed == []


def test_two_exits_at_once_never_reverse(desk):
    desk.post()
    desk.settle()
    desk.broker.fill_at_once = False
    ids = [
        desk.post(MARKET_EXIT, **exit_alert(signal_id=name))[0].command_id for name in ("one", "two", "three")
    ]
    desk.settle()
    assert len(desk.broker.placed) == 2, "the entry and one exit"
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 50)
    desk.settle(40)
    ends = sorted(desk.order(i).tag or "EXECUTED" for i in ids)
    assert ends == ["EXECUTED", "GUARD_BLOCKED:NO_POSITION", "GUARD_BLOCKED:NO_POSITION"]
    assert desk.broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS") == 0


def test_an_exit_right_behind_its_entry_waits_for_it(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle(1)
    (exit_,) = desk.post(MARKET_EXIT, **exit_alert())
    desk.settle(2)
    assert desk.order(exit_.command_id).status is Status.CREATED
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.fill_at_once = True
    desk.settle(6)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert desk.broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS") == 0


@pytest.mark.parametrize(
    "error", [ReadFailed("502"), KeyError("netqty")], ids=["failed", "an adapter's defect"]
)
def test_an_exit_whose_position_cannot_be_read_waits_and_is_not_lost(desk, error):
    desk.post()
    desk.settle()
    desk.engine.refresh = lambda *args, **kwargs: False  # only the exit reads them
    desk.broker.positions_error = error
    (exit_,) = desk.post(MARKET_EXIT, **exit_alert())
    for _ in range(20):
        desk.engine.tick()
        desk.clock.advance(1)
    held = desk.order(exit_.command_id)
    assert (held.status, held.not_before is not None) == (Status.CREATED, True), (
        "it would be tried without a pause"
    )
    desk.broker.positions_error = None
    desk.clock.advance(5)
    desk.settle()
    assert desk.order(exit_.command_id).status is Status.EXECUTED


def test_an_exit_leaves_another_strategys_position_alone(make_desk):
    desk = make_desk()
    desk.post()
    desk.post(leg(qty=30), strategy_name="OTHER")
    desk.settle()
    assert desk.broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS") == 80
    (exit_,) = desk.post(MARKET_EXIT, **exit_alert(strategy_name="OTHER"))
    desk.settle()
    assert desk.order(exit_.command_id).quantity == 30
    (nobody,) = desk.post(MARKET_EXIT, **exit_alert(strategy_name="NOBODY"))
    desk.settle()
    assert desk.order(nobody.command_id).tag == "GUARD_BLOCKED:NO_POSITION"


def test_an_exit_passes_a_halt_and_every_limit(make_desk):
    from domain.limits import Limits

    desk = make_desk(
        limits=Limits(max_order_quantity=Decimal(50), max_open_orders=1, max_orders_per_minute=1)
    )
    desk.post()
    desk.settle()
    desk.commands.halt("default", by="operator", reason="news")
    (exit_,) = desk.post(MARKET_EXIT, **exit_alert())
    desk.settle()
    assert desk.order(exit_.command_id).status is Status.EXECUTED


def test_exits_go_first(desk):
    desk.post()
    desk.settle()
    for n in range(5):
        desk.post(leg(f"SYM{n}"))
    desk.post(MARKET_EXIT, **exit_alert())
    desk.engine.execute_next("default")
    assert desk.broker.placed[-1].execution_type is ExecutionType.EXIT


def test_positions_closed_by_hand_are_forgotten(desk):
    desk.post()
    desk.settle()
    assert desk.rows("SELECT count(*) FROM holdings") == [(1,)]
    desk.broker.orders.clear()
    desk.clock.advance(5)
    desk.engine.tick()
    assert desk.rows("SELECT count(*) FROM holdings") == [(0,)]
    (again,) = desk.post(leg(price=Decimal(99)))
    assert again.tag is None


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


def test_an_exit_that_failed_may_be_asked_for_again_at_once(desk):
    desk.post()
    desk.settle()
    desk.broker.script = [Refused("no", "X")]
    first = desk.post(MARKET_EXIT, **exit_alert())[0].command_id
    desk.settle()
    assert desk.order(first).status is Status.FAILED
    (again,) = desk.post(MARKET_EXIT, **exit_alert())
    desk.settle()
    assert desk.order(again.command_id).status is Status.EXECUTED
    (third,) = desk.post(MARKET_EXIT, **exit_alert())
    assert third.tag == "DUPLICATE_BLOCKED:CONTENT_ALREADY_SEEN"


def test_an_answer_that_was_kept_too_long_does_not_touch_a_later_claim(desk):
    desk.broker.script = [NotSent("no connection")]
    desk.post()
    desk.engine.tick()
    submitter = desk.engine._submitter
    first_claim = desk.only()
    desk.clock.advance(1)
    stale = []

    def record_the_old_answer(command):
        submitter._record_anew(first_claim, NotSent("no connection"), resend=False)
        stale.append(desk.only().phase)

    desk.broker.before_place = record_the_old_answer
    desk.settle()
    assert stale == [Phase.SUBMITTING]
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_a_late_refusal_of_the_first_send_says_nothing_of_the_one_that_followed(make_desk):
    """The first call hung and was sent again, that outcome is not known either, and then the first one answers."""
    desk = make_desk(id_class=IdClass.C4)
    desk.broker.script = [OutcomeUnknown("first"), ("after", OutcomeUnknown("second"))]
    desk.broker.fill_at_once = False
    desk.post()
    desk.engine.execute_next("default")
    first_claim = desk.only()
    read_book = desk.broker.read_book
    desk.broker.read_book = lambda wanted: Book(desk.clock.now(), (), complete=True)
    desk.clock.advance(3)
    desk.engine.reconcile("default")
    assert (desk.only().phase, desk.only().attempts) == (Phase.UNKNOWN, 2)
    desk.engine._submitter._record_anew(first_claim, Refused("no", "X"), resend=False)
    assert desk.only().phase is Phase.UNKNOWN, "the second send may be live, and is"
    desk.broker.read_book = read_book
    desk.settle()
    assert desk.only().phase is Phase.WORKING


def test_an_order_found_live_after_a_refusal_is_live_here_too(desk):
    """Seen in the book while its call was under way, and refused after that."""
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", Refused("no", "X"))]
    desk.post()
    place = desk.broker.place

    def place_and_look(command):
        try:
            return place(command)
        finally:
            desk.engine.reconcile("default")

    desk.broker.place = place_and_look
    desk.engine.execute_next("default")
    assert desk.only().phase is Phase.REFUSED
    for _ in range(4):
        desk.clock.advance(31)
        desk.settle()
    assert desk.only().phase is Phase.WORKING


def test_an_operator_resolves_an_unknown_outcome(desk):
    from command_service import ResolvedFill

    desk.broker.script = [OutcomeUnknown("timeout")]
    desk.broker.book_error = ReadFailed("502")
    (order,) = desk.post()
    desk.engine.tick()
    desk.commands.resolve(order.command_id, by="op", executed=ResolvedFill("X9", Decimal(50), Decimal(110)))
    order = desk.order(order.command_id)
    assert (order.status, order.broker_order_id, order.average_price) == ("EXECUTED", "X9", 110)


def test_expired_entries_are_not_sent_after_an_outage(desk):
    desk.post()
    desk.clock.advance(timedelta(minutes=10).total_seconds())
    desk.settle()
    assert desk.only().tag == "NOT_SENT:ALERT_TOO_OLD"
    assert desk.broker.placed == []
