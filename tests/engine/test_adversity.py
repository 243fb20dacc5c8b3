"""What seldom happens, all at once or not at all: clocks set back, numbers used again, hands at the terminal."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderReport
from domain.commands import OrderResult
from domain.enums import ExecutionType, OrderType, Side
from domain.errors import NotSent, OutcomeUnknown, ReadFailed
from domain.states import Phase, Status
from tests.support import Desk, leg

EXIT = {"execution_type": ExecutionType.EXIT}
OUT = leg(qty=None, side=None, order_type=OrderType.MARKET, price=None)
TARGET = leg(qty=None, side=None, price=Decimal(200))


def run(desk, seconds, step=1.0, each=lambda: None):
    for _ in range(int(seconds / step)):
        each()
        desk.engine.tick()
        desk.clock.advance(step)


def net(desk):
    return sum(p.net_quantity for p in desk.broker.read_positions().positions)


def held(desk, **changes):
    desk.post(**changes)
    desk.settle()
    desk.clock.advance(5)


def by_hand(desk, quantity=50):
    """Somebody sells at the broker's own terminal."""
    sold = replace(
        desk.broker.orders["B00001"],
        broker_order_id="H1",
        client_order_id=None,
        side=Side.SELL,
        quantity=Decimal(quantity),
        filled_quantity=Decimal(quantity),
    )
    desk.broker.orders["H1"], desk.broker.products["H1"] = sold, "MIS"


def told(desk, order):
    return [n.kind for n in desk.notices if n.order is not None and n.order.command_id == order.command_id]


def test_an_exit_that_waits_long_is_told_once(desk):
    held(desk)
    desk.broker.fill_at_once = False
    desk.post(TARGET, **EXIT)
    desk.settle()
    [stop] = desk.post(replace(TARGET, price=Decimal(140)), **EXIT)
    run(desk, 150)
    assert desk.order(stop.command_id).phase is Phase.REGISTERED
    assert told(desk, stop) == ["SYSTEM"]


def test_an_exit_that_cannot_leave_is_told_once_however_often_it_is_tried(desk):
    held(desk)
    desk.broker.script = [NotSent("no price to set a limit from")] * 60 + [OutcomeUnknown("reset")]
    [out] = desk.post(OUT, **EXIT)
    run(desk, 200)
    assert told(desk, out) == ["SYSTEM"]
    desk.broker.script, desk.broker.book_error = [OutcomeUnknown("reset")], ReadFailed("down")
    run(desk, 90)
    assert told(desk, out) == ["SYSTEM", "UNKNOWN"]  # which is told anew


def test_what_was_unknown_and_then_rests_is_told_as_resting(desk):
    held(desk)
    desk.broker.fill_at_once = False
    desk.broker.script, desk.broker.book_error = [("after", OutcomeUnknown("reset"))], ReadFailed("down")
    [out] = desk.post(OUT, **EXIT)
    run(desk, 90)
    assert told(desk, out) == ["UNKNOWN"]
    desk.broker.book_error = None
    run(desk, 90)
    assert told(desk, out) == ["UNKNOWN", "PLACED", "SYSTEM"]
    assert any("rest at the broker" in n.detail for n in desk.notices)


@pytest.mark.parametrize(("asked", "told_of"), [(OUT, 1), (TARGET, 0)])
def test_a_market_order_that_rests_is_told_once_a_limit_order_may_rest(desk, asked, told_of):
    held(desk)
    desk.broker.fill_at_once = False
    [out] = desk.post(asked, **EXIT)
    run(desk, 13)
    assert told(desk, out) == ["PLACED"]
    run(desk, 145)
    assert told(desk, out) == ["PLACED"] + ["SYSTEM"] * told_of
    assert desk.order(out.command_id).phase is Phase.WORKING


def test_fills_that_trickle_in_keep_no_exit_waiting(desk):
    desk.broker.traits = replace(desk.broker.traits, position_horizon=2.0)
    held(desk, strategy_name="A")
    desk.broker.fill_at_once = False
    [big] = desk.post(leg(qty=2000), strategy_name="B")
    desk.settle()
    number, filled = desk.order(big.command_id).broker_order_id, [0]

    def trickle():
        filled[0] += 1
        desk.broker.report(number, BrokerStatus.OPEN, filled=filled[0])

    run(desk, 3, each=trickle)
    [out] = desk.post(OUT, strategy_name="A", **EXIT)
    run(desk, 30, each=trickle)
    assert (desk.order(out.command_id).status, desk.order(out.command_id).quantity) == ("SENT_TO_BROKER", 50)


def test_a_position_of_two_that_a_hand_has_reduced_can_be_closed(desk):
    held(desk, strategy_name="A")
    held(desk, strategy_name="B")
    by_hand(desk)
    run(desk, 5)
    for name in "AB":
        desk.post(OUT, strategy_name=name, **EXIT)
    run(desk, 30)
    assert net(desk) == 0


def test_an_exit_after_a_new_entry_is_no_duplicate(desk):
    held(desk)
    desk.clock.advance(50)
    desk.post(OUT, **EXIT)
    desk.settle()
    desk.clock.advance(12)
    desk.post()
    desk.settle()
    desk.clock.advance(30)
    [out] = desk.post(OUT, **EXIT)
    desk.settle()
    assert (desk.order(out.command_id).tag, net(desk)) == (None, 0)


def test_an_exit_whose_number_was_replaced_is_not_failed_and_no_second_one_goes(desk):
    held(desk)
    desk.broker.fill_at_once = False
    [out] = desk.post(TARGET, **EXIT)
    desk.settle()
    number = desk.order(out.command_id).broker_order_id
    desk.broker.orders["R2"] = replace(desk.broker.orders[number], broker_order_id="R2", price=Decimal(190))
    desk.broker.products["R2"] = "MIS"
    desk.broker.report(number, BrokerStatus.CANCELLED)
    run(desk, 3)
    assert desk.order(out.command_id).status is Status.SENT_TO_BROKER
    assert "EXTERNAL_ORDER" not in [n.kind for n in desk.notices]
    desk.post(OUT, **EXIT)
    run(desk, 5)
    assert "B00003" not in desk.broker.orders
    for id_ in set(desk.broker.orders) - {"B00001", number}:
        desk.broker.report(id_, BrokerStatus.COMPLETE, 50)
    assert net(desk) == 0


def test_an_answer_with_anothers_number_fills_nothing(desk):
    held(desk, strategy_name="A")
    desk.broker.place = lambda command: OrderResult("B00001")
    [wrong] = desk.post(strategy_name="B")
    run(desk, 3)
    assert desk.order(wrong.command_id).phase is Phase.UNKNOWN
    assert sum(h.net_quantity for h in desk.store.holdings("default")) == 50


def test_a_number_that_the_broker_uses_again_is_not_yesterdays_order(desk):
    desk.broker.fill_at_once = False
    [old] = desk.post()
    desk.settle()
    desk.clock.advance(86_400)
    desk.broker.orders = {
        "B00001": OrderReport(
            "B00001",
            None,
            BrokerStatus.COMPLETE,
            "NSE",
            "RELIANCE",
            Side.SELL,
            Decimal(10),
            Decimal(10),
            Decimal(2900),
        )
    }
    run(desk, 3)
    assert (desk.order(old.command_id).phase, desk.order(old.command_id).filled_quantity) == (
        Phase.UNKNOWN,
        0,
    )


@pytest.mark.parametrize("answer", [None, ("after", OutcomeUnknown("reset"))], ids=["answered", "lost"])
def test_a_number_that_is_given_again_the_next_morning_is_the_new_orders(desk, answer):
    desk.clock.advance(5 * 3600)  # the afternoon
    desk.look()
    held(desk)
    assert desk.only().broker_order_id == "B00001"
    desk.clock.advance(18 * 3600)
    desk.broker.orders, desk.broker.products = {}, {}
    desk.look()
    desk.broker.script = [answer]
    [new] = desk.post(strategy_name="OF TODAY")
    run(desk, 30)
    order = desk.order(new.command_id)
    assert (order.status, order.broker_order_id) == (Status.EXECUTED, "B00001")


def test_todays_order_is_found_under_a_number_of_yesterday(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.CANCELLED)
    run(desk, 3)
    desk.clock.advance(86_400)
    desk.broker.orders, desk.broker.fill_at_once = {}, True
    desk.look()
    desk.broker.script = [("after", OutcomeUnknown("lost"))]
    [new] = desk.post(leg("OTHER"))
    run(desk, 40)
    assert desk.order(new.command_id).status is Status.EXECUTED


def test_a_clock_that_was_set_back_stops_no_exit(desk):
    held(desk)
    desk.clock.advance(-600)
    desk.engine.tick()
    desk.post(OUT, **EXIT)
    run(desk, 30)
    assert net(desk) == 0


def test_a_clock_that_was_set_back_stops_no_look_and_makes_no_position_young(desk):
    desk.broker.traits = replace(desk.broker.traits, book_interval=1.0)
    desk.broker.fill_at_once = False
    [order] = desk.post()
    desk.settle()
    desk.clock.advance(-1800)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    run(desk, 10)
    assert desk.order(order.command_id).status is Status.EXECUTED
    desk.clock.advance(-1800)
    desk.broker.positions_error = ReadFailed("down")
    run(desk, 10)
    [late] = desk.post(leg("OTHER"))
    desk.engine.execute_next("default")
    assert desk.order(late.command_id).tag == "GUARD_BLOCKED:POSITIONS_STALE"


def test_while_a_book_stays_unreadable_entries_wait_exits_go_on_and_it_is_told_once(desk):
    held(desk)
    desk.broker.book_error = ReadFailed("HTTP 502")
    before = len(desk.notices)
    run(desk, 14)
    [early] = desk.post(leg("EARLY"))
    run(desk, 30)
    [late] = desk.post(leg("LATE"))
    [out] = desk.post(OUT, **EXIT)
    run(desk, 200)
    assert desk.order(early.command_id).broker_order_id is not None  # one lag is no reason to wait
    assert desk.order(late.command_id).phase is Phase.REGISTERED
    assert desk.order(out.command_id).broker_order_id is not None
    system = [n.detail for n in desk.notices[before:] if n.kind == "SYSTEM"]
    assert system == [
        "no entry is sent, and no order followed, until it can be read again: order book: HTTP 502"
    ]
    desk.broker.book_error = None
    run(desk, 3)
    assert [n.detail for n in desk.notices if n.kind == "SYSTEM"][-1] == (
        "the broker has been read: entries are sent again"
    )
    assert desk.order(late.command_id).status is Status.EXECUTED


def test_what_is_filled_while_the_book_cannot_be_read_is_nobody_elses(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.book_error = ReadFailed("HTTP 502")
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    run(desk, 300, 2)
    desk.broker.book_error = None
    run(desk, 10)
    kinds = {n.kind for n in desk.notices}
    assert not kinds & {"EXTERNAL_POSITION", "POSITION_DIFFERS", "POSITION_AGREES"}
    assert desk.only().status is Status.EXECUTED


@pytest.mark.parametrize("read", ["read_book", "read_positions"])
def test_an_adapters_defect_in_a_read_is_told(desk, monkeypatch, read):
    def defect(*_):
        raise KeyError("norenordno")

    monkeypatch.setattr(desk.broker, read, defect)
    engine = desk.new_engine("watcher-2")
    engine.reconcile("default")
    engine.refresh("default")
    assert [n.kind for n in desk.notices] == ["SYSTEM"]


def test_an_exit_is_not_sent_again_when_its_position_is_gone(make_desk):
    desk = make_desk(id_class=IdClass.C4)
    held(desk)
    desk.broker.script, desk.broker.book_error = [OutcomeUnknown("reset")], ReadFailed("down")
    desk.post(OUT, **EXIT)
    run(desk, 600, 5)
    by_hand(desk)
    desk.broker.book_error = None
    run(desk, 10)
    assert net(desk) == 0


def test_nothing_leaves_after_the_window_of_its_id(make_desk):
    desk = make_desk(id_class=IdClass.C3)
    desk.broker.traits = replace(desk.broker.traits, id_window=60.0)
    desk.broker.script, desk.broker.book_error = [OutcomeUnknown("reset")], ReadFailed("down")
    [order] = desk.post()
    desk.engine.tick()
    desk.clock.advance(59.5)
    left = []

    def on_its_way(command):
        desk.clock.advance(1.8)
        left.append(desk.clock.at - order.created_at)

    desk.broker.before_place, desk.broker.book_error = on_its_way, None
    desk.engine.tick()
    assert all(age.total_seconds() <= 60 for age in left)


def test_after_a_restored_backup_an_old_order_is_not_taken_for_one_that_was_sent(desk, tmp_path, monkeypatch):
    """Were it sent all the same, as by a process that knew no better."""
    desk.post()
    desk.settle()
    folder = tmp_path / "restored"
    folder.mkdir()
    restored = Desk(folder)  # of before the first order
    restored.broker.orders, restored.broker.products = desk.broker.orders, desk.broker.products
    restored.clock.advance(3600)
    restored.look()
    monkeypatch.setattr(restored.engine._submitter.own_tags, "sent_before", lambda tx, order: None)
    restored.broker.script = [OutcomeUnknown("timeout")]  # it never arrives
    [new] = restored.post()
    run(restored, 40)
    assert restored.order(new.command_id).phase is Phase.UNKNOWN
