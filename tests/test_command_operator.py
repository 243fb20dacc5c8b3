"""What comes from no tradable alert: rejected alerts, commands, and operators' wishes."""

from dataclasses import replace
from decimal import Decimal

import pytest

from command_service import ResolvedFill
from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderReport
from domain.commands import UniversalOrderCommand
from domain.enums import Side
from domain.errors import (
    ConcurrentUpdate,
    InvalidAlert,
    InvalidResolution,
    NotFound,
    OutcomeUnknown,
    SignalReused,
)
from domain.notices import NoticeKind
from domain.states import Phase, Status
from notifications.messages import render
from tests.commands_making import CE, command, delivery
from tests.engine.promises import counts, history_faults
from tests.support import EXIT, MARKET_EXIT, Desk, kinds, leg

# rejected alerts --------------------------------------------------------------------------------------------


def test_an_alert_that_cannot_be_traded_on_is_kept_and_told(desk):
    error = InvalidAlert("BAD_QUANTITY", "must be positive", "legs[0].qty")
    id_ = desk.commands.keep_rejected(
        "default", delivery(desk.clock.now(), '{"qty": 0}'), error, strategy_name="S", signal_id="s-1"
    )
    assert desk.rows(
        "SELECT alert_id, outcome, raw_body, signal_id, decision_type, reason_code, reason_message FROM alerts"
    ) == [(id_, "rejected", '{"qty": 0}', "s-1", "FAILED", "BAD_QUANTITY", "legs[0].qty: must be positive")]
    assert desk.rows("SELECT alert_id, kind, command_id FROM telegram_messages") == [
        (id_, "ALERT_REJECTED", None)
    ]
    assert counts(desk)["orders"] == counts(desk)["order_intents"] == 0


def test_a_rejected_exit_names_what_it_was_to_close_and_that_it_is_still_open(desk):
    desk.hold(50)
    error = SignalReused("SIGNAL_REUSED", "used before", "signal_id")
    wish = {"strategy_name": "STRADDLE", "execution_type": "exit", "symbols": ("NIFTY26NOV24500CE",)}
    desk.commands.keep_rejected("default", desk.delivery(), error, **wish)
    notice = desk.notices[-1]
    assert notice.symbol == "NIFTY26NOV24500CE"
    assert notice.detail == "exit NIFTY26NOV24500CE of STRADDLE: signal_id: used before"
    assert notice.more == (
        "Still open, and no exit is under way because of this alert: STRADDLE 50 MIS of NIFTY26NOV24500CE at NFO. "
        "Exit it by hand, or send the EXIT again, corrected."
    )
    assert "Still open" in render(notice) and "exit NIFTY26NOV24500CE of STRADDLE" in render(notice)


@pytest.mark.parametrize(
    ("wish", "says", "more"),
    [
        ({}, "y", "If it was to close a position, that is still open"),
        ({"execution_type": "ENTRY", "symbols": ("A", "B")}, "ENTRY A, B: y", ""),
        ({"execution_type": "EXIT", "symbols": tuple("ABCDE")}, "EXIT A, B, C and 2 more: y", "if anything, is still"),
        ({"execution_type": "EXIT", "strategy_name": "B", "symbols": ("NIFTY26NOV24500CE",)},
         "EXIT NIFTY26NOV24500CE of B: y", "if anything, is still open"),
        ({"execution_type": "CLOSE"}, "CLOSE: y", "If it was to close a position"),
    ],
)  # fmt: skip
def test_a_rejected_alert_says_what_is_known_of_it(desk, wish, says, more):
    desk.hold(50)
    desk.commands.keep_rejected("default", desk.delivery(), InvalidAlert("X", "y"), **wish)
    assert desk.notices[-1].detail == says
    assert more in desk.notices[-1].more and bool(more) is bool(desk.notices[-1].more)


def test_a_rejected_alert_does_not_use_up_its_signal_id(desk):
    desk.commands.keep_rejected("default", desk.delivery(), InvalidAlert("X", "y"), signal_id="s-1")
    assert desk.post(signal_id="s-1")[0].tag is None


# commands that come from no alert ---------------------------------------------------------------------------


def test_a_command_is_registered_once_however_often_it_is_submitted(desk):
    first = desk.commands.submit(command(), strategy_name="MANUAL", by="op")
    assert (first.status, first.strategy_name, first.client_order_id) == ("CREATED", "MANUAL", "owop-1")
    desk.settle()
    again = desk.commands.submit(command(), strategy_name="MANUAL", by="op")
    assert again == desk.only()
    assert again.status is Status.EXECUTED
    desk.settle()
    assert len(desk.broker.placed) == 1
    assert desk.rows("SELECT idempotency_key, status FROM order_intents") == [
        ("default|command|op-1", "ORDER_PLACED")
    ]
    assert desk.rows("SELECT actor FROM order_events ORDER BY event_id LIMIT 1") == [("op",)]


def test_a_command_meets_the_same_blockers(desk):
    desk.commands.halt("default", by="op", reason="news")
    blocked = desk.commands.submit(command(), strategy_name="MANUAL", by="op")
    assert blocked.tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert kinds(desk) == [NoticeKind.HALTED, NoticeKind.BLOCKED]


def test_a_position_can_be_closed_at_market_on_request(desk):
    desk.post()
    desk.settle()
    exit_ = desk.commands.submit_exit("default", "NFO", CE.symbol, "MIS", by="op", strategy_name="STRADDLE")
    assert (exit_.execution_type, exit_.order_type, exit_.requested_quantity) == ("EXIT", "MARKET", None)
    desk.settle()
    done = desk.order(exit_.command_id)
    assert (done.status, done.side, done.quantity) == ("EXECUTED", "SELL", 50)


def test_a_command_of_a_client_that_is_not_configured_is_not_found(desk):
    with pytest.raises(NotFound):
        desk.commands.submit(command(client_id="nobody"), strategy_name="X", by="op")
    with pytest.raises(NotFound):
        desk.commands.halt("nobody", by="op", reason="x")
    assert counts(desk)["orders"] == 0


# operators --------------------------------------------------------------------------------------------------


def test_a_halt_of_a_client_stops_its_entries_until_it_is_lifted(desk):
    desk.commands.halt("default", by="op", reason="news")
    (blocked,) = desk.post()
    assert blocked.reason_message == "Trading is halted (news)"
    assert desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    assert desk.rows("SELECT client_id, strategy_name, halted_by, reason FROM halts") == [
        ("default", "", "op", "news")
    ]
    assert desk.commands.resume("default", by="op")
    assert not desk.commands.resume("default", by="op")
    assert desk.post(leg(price=Decimal(99)))[0].tag is None
    assert [n for n in kinds(desk) if n in ("HALTED", "RESUMED")] == ["HALTED", "RESUMED"]


def test_a_halt_of_a_strategy_stops_that_strategy_only(desk):
    desk.commands.halt("default", "STRADDLE", by="op", reason="news")
    assert desk.post()[0].tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert desk.post(strategy_name="OTHER")[0].tag is None
    assert not desk.commands.resume("default", by="op"), "the client as a whole was never halted"
    assert desk.commands.resume("default", "STRADDLE", by="op")
    assert "strategy STRADDLE, by op: news" in desk.notices[0].detail


def test_a_halt_that_is_said_again_is_one_halt(desk):
    for reason in ("news", "more news"):
        desk.commands.halt("default", by="op", reason=reason)
    assert desk.rows("SELECT reason FROM halts") == [("more news",)]
    assert desk.commands.resume("default", by="op")
    assert desk.post()[0].tag is None


def test_an_order_that_was_not_sent_is_cancelled_at_once(desk):
    (order,) = desk.post()
    ended = desk.commands.cancel(order.command_id, by="op")
    assert (ended.phase, ended.tag) == (Phase.LAPSED, "NOT_SENT:CANCELLED_BEFORE_SENT")
    assert kinds(desk) == ["FAILED"]
    desk.settle()
    assert desk.broker.placed == []


def test_a_live_order_is_cancelled_when_the_broker_says_so(desk):
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    asked = desk.commands.cancel(order.command_id, by="op")
    assert (asked.phase, asked.tag) == (Phase.WORKING, None)
    assert asked.cancel_requested_at is not None
    assert desk.broker.cancelled == []
    desk.settle()
    assert desk.order(order.command_id).tag == "BROKER_CANCELLED"


def test_what_has_ended_or_is_unknown_cannot_be_cancelled(desk):
    desk.broker.script = [OutcomeUnknown("timeout")]
    (order,) = desk.post()
    desk.engine.execute_next("default")
    with pytest.raises(ConcurrentUpdate, match="UNKNOWN"):
        desk.commands.cancel(order.command_id, by="op")
    (done,) = desk.post(leg("B"))
    desk.settle()
    with pytest.raises(ConcurrentUpdate, match="FILLED"):
        desk.commands.cancel(done.command_id, by="op")
    with pytest.raises(NotFound):
        desk.commands.cancel("nothing-1", by="op")


@pytest.fixture
def unknown(desk: Desk) -> str:
    """The id of an order of unknown outcome."""
    desk.broker.script = [OutcomeUnknown("timeout")]
    (order,) = desk.post()
    desk.engine.execute_next("default")
    assert desk.order(order.command_id).phase is Phase.UNKNOWN
    return str(order.command_id)


def test_an_operator_says_that_the_broker_does_not_have_it(desk, unknown):
    order = desk.commands.resolve(unknown, by="op", failed_reason="not in the terminal")
    assert (order.phase, order.tag, order.reason_message) == (
        Phase.ABSENT,
        "BROKER_ABSENT:OPERATOR_RESOLVED",
        "not in the terminal",
    )
    assert kinds(desk) == ["FAILED"]
    assert history_faults(desk) == []


def test_an_operator_says_how_it_was_filled(desk, unknown):
    fill = ResolvedFill("X9", Decimal(50), Decimal("110.5"))
    order = desk.commands.resolve(unknown, by="op", executed=fill)
    assert (order.status, order.broker_order_id, order.filled_quantity, order.average_price) == (
        "EXECUTED",
        "X9",
        50,
        Decimal("110.5"),
    )
    assert desk.rows("SELECT net_quantity FROM holdings") == [("50",)]
    assert desk.rows("SELECT status, order_id FROM order_intents") == [("ORDER_PLACED", "X9")]


FILL = ResolvedFill("X9", Decimal(50), None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({}, ValueError),
        ({"executed": FILL, "failed_reason": "x"}, ValueError),
        ({"executed": replace(FILL, filled_quantity=Decimal(49))}, ValueError),
        ({"executed": replace(FILL, filled_quantity=Decimal(51))}, ValueError),
        ({"executed": replace(FILL, broker_order_id="")}, InvalidResolution),
    ],
)
def test_an_answer_that_does_not_fit_changes_nothing(desk, unknown, answer, error):
    before = counts(desk)
    with pytest.raises(error):
        desk.commands.resolve(unknown, by="op", **answer)
    assert desk.order(unknown).phase is Phase.UNKNOWN
    assert counts(desk) == before


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"failed_reason": " "}, "reason"),
        ({"executed": replace(FILL, broker_order_id="")}, "broker_order_id"),
        ({"executed": replace(FILL, filled_quantity=Decimal(49))}, "filled_quantity"),
        ({"executed": replace(FILL, average_price=Decimal(0))}, "average_price"),
        ({"executed": replace(FILL, filled_quantity=None, average_price=Decimal(1))}, "average_price"),
    ],
)
def test_an_answer_that_does_not_fit_names_its_field(desk, unknown, answer, field):
    with pytest.raises(InvalidResolution) as refused:
        desk.commands.resolve(unknown, by="op", **answer)
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: expected ")


def test_an_order_that_the_broker_acknowledged_is_resolved_under_its_number_only(desk):
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.engine.tick()
    number = desk.order(order.command_id).broker_order_id
    desk.broker.orders.clear()
    desk.clock.advance(10)
    desk.engine.reconcile("default")
    assert desk.order(order.command_id).phase is Phase.UNKNOWN
    with pytest.raises(InvalidResolution, match=f"expected {number}"):
        desk.commands.resolve(order.command_id, by="op", executed=FILL)
    done = desk.commands.resolve(order.command_id, by="op", executed=replace(FILL, broker_order_id=number))
    assert done.status is Status.EXECUTED


@pytest.mark.parametrize(("said", "kept"), [(None, 100), (Decimal("110.5"), Decimal("110.5"))])
def test_a_fill_found_by_hand_without_a_price_keeps_the_one_that_the_book_had_shown(desk, said, kept):
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    desk.settle()
    desk.broker.orders.clear()
    desk.clock.advance(10)
    desk.engine.reconcile("default")
    lost = desk.order(order.command_id)
    assert (lost.phase, lost.filled_quantity, lost.average_price) == (Phase.UNKNOWN, 20, 100)
    fill = ResolvedFill("B00001", Decimal(50), said)
    done = desk.commands.resolve(order.command_id, by="op", executed=fill)
    assert (done.status, done.filled_quantity, done.average_price) == ("EXECUTED", 50, kept)
    assert desk.order(order.command_id).average_price == kept
    assert history_faults(desk) == []


@pytest.mark.parametrize(
    ("status", "filled", "phase"),
    [
        (BrokerStatus.OPEN, 0, Phase.WORKING),
        (BrokerStatus.OPEN, 20, Phase.PARTIALLY_FILLED),
        (BrokerStatus.CANCELLED, 20, Phase.CANCELLED),
        (BrokerStatus.COMPLETE, 50, Phase.FILLED),
    ],
)
def test_an_order_found_by_its_number_becomes_what_the_book_says(make_desk, status, filled, phase):
    desk = make_desk(id_class=IdClass.C0)
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    (order,) = desk.post()
    desk.engine.tick()
    desk.broker.report("B00001", status, filled)
    found = desk.commands.resolve(order.command_id, by="op", executed=follow("B00001"))
    assert (found.phase, found.broker_order_id) == (
        Phase.UNKNOWN,
        None,
    )  # a word, until the book has shown it
    desk.settle(10)
    now = desk.order(order.command_id)
    assert (now.phase, now.broker_order_id, now.filled_quantity) == (phase, "B00001", filled)


def follow(number: str) -> ResolvedFill:
    return ResolvedFill(number, None, None, "seen")


@pytest.mark.parametrize("id_class", [IdClass.C0, IdClass.C1])
@pytest.mark.parametrize("slip", ["B0000l", "H1"])
def test_a_slip_in_the_number_is_told_and_can_be_taken_back(make_desk, id_class, slip):
    desk = make_desk(id_class=id_class)
    desk.broker.script = [OutcomeUnknown("timed out")]
    (order,) = desk.post()
    desk.engine.tick()
    gold = OrderReport("H1", None, BrokerStatus.OPEN, "NFO", "GOLD", Side.BUY, Decimal(50))
    desk.broker.orders["H1"], desk.broker.products["H1"] = gold, "MIS"
    desk.commands.resolve(order.command_id, by="op", executed=follow(slip))
    desk.clock.advance(1)
    desk.engine.reconcile("default")
    assert (desk.order(order.command_id).phase, desk.order(order.command_id).broker_order_id) == (
        Phase.UNKNOWN,
        None,
    )
    assert sum("which it is said to be" in n.detail for n in desk.notices) == 1
    desk.commands.resolve(order.command_id, by="op", executed=follow("B00007"))
    true = replace(gold, broker_order_id="B00007", symbol=order.symbol, filled_quantity=Decimal(20))
    desk.broker.orders["B00007"], desk.broker.products["B00007"] = true, "MIS"
    desk.clock.advance(1)
    desk.engine.reconcile("default")
    now = desk.order(order.command_id)
    assert (now.phase, now.broker_order_id, now.filled_quantity) == (Phase.PARTIALLY_FILLED, "B00007", 20)


def test_two_orders_that_are_said_to_be_one_of_the_brokers_do_not_both_get_it(make_desk):
    desk = make_desk(id_class=IdClass.C0)
    desk.broker.script = [("after", OutcomeUnknown("timed out")), OutcomeUnknown("timed out")]
    first, second = (desk.post(leg("X"), strategy_name=name)[0].command_id for name in ("A", "B"))

    def claim_the_other_meanwhile(command):
        desk.broker.before_place = lambda command: None
        desk.engine.execute_next("default")

    desk.broker.before_place = claim_the_other_meanwhile
    desk.engine.execute_next("default")
    for command_id in (first, second):
        desk.commands.resolve(command_id, by="op", executed=follow("B00001"))
    desk.settle(3)
    got = [desk.order(command_id).broker_order_id for command_id in (first, second)]
    assert sorted(map(str, got)) == ["B00001", "None"]
    assert [row[0] for row in desk.rows("SELECT net_quantity FROM holdings")] == ["50"]
    assert any("B00001 is that of" in n.detail for n in desk.notices)


def test_the_number_of_a_strangers_order_elsewhere_is_refused(desk, unknown):
    (row,) = desk.rows("SELECT client_id FROM orders WHERE command_id = ?", unknown)
    stranger = OrderReport("H1", None, BrokerStatus.OPEN, "MCX", "GOLD", Side.SELL, Decimal(5))
    desk.store.write(lambda tx: tx.note_external(str(row[0]), stranger, desk.clock.now()))
    for fill in (follow("H1"), replace(FILL, broker_order_id="H1")):
        with pytest.raises(InvalidResolution) as refused:
            desk.commands.resolve(unknown, by="op", executed=fill)
        assert refused.value.message == (
            "expected a BUY of NIFTY26NOV24500CE on NFO: H1 is a SELL of GOLD on MCX"
        )
        assert refused.value.field == "broker_order_id"


def test_one_order_of_the_brokers_is_not_taken_for_two(desk, unknown):
    (other,) = desk.post(leg("B"))
    desk.engine.tick()
    number = desk.order(other.command_id).broker_order_id
    with pytest.raises(InvalidResolution, match=other.command_id):
        desk.commands.resolve(unknown, by="op", executed=replace(FILL, broker_order_id=number))
    assert [row[0] for row in desk.rows("SELECT net_quantity FROM holdings")] == ["50"]


def test_what_an_operator_found_is_kept_with_the_reason(desk, unknown):
    order = desk.commands.resolve(unknown, by="op", executed=replace(FILL, reason="seen in the terminal"))
    assert order.reason_message == "seen in the terminal"


def test_only_an_unknown_outcome_can_be_resolved(desk, unknown):
    desk.commands.resolve(unknown, by="op", failed_reason="x")
    with pytest.raises(ConcurrentUpdate, match="ABSENT"):
        desk.commands.resolve(unknown, by="op", executed=FILL)
    (created,) = desk.post(leg("B"))
    with pytest.raises(ConcurrentUpdate, match="REGISTERED"):
        desk.commands.resolve(created.command_id, by="op", failed_reason="x")
    with pytest.raises(NotFound):
        desk.commands.resolve("nothing-1", by="op", failed_reason="x")


def test_what_an_operator_called_absent_rises_when_the_book_shows_it(desk, unknown):
    desk.commands.resolve(unknown, by="op", failed_reason="not in the terminal")
    order = desk.order(unknown)
    desk.broker._take(UniversalOrderCommand.of(order))
    desk.clock.advance(31)
    desk.settle()
    assert desk.order(unknown).status is Status.EXECUTED
    assert "RESURRECTED" in kinds(desk)
