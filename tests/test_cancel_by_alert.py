"""An alert that takes entries back: those of its strategy that rest or wait, each once, and no other order."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.responses import receipt_json
from domain.alert import ClientShare, ParsedAlert
from domain.broker_capabilities import IdClass
from domain.cancel_by_alert import CancelResult, meant_by
from domain.cancellation import cancel_wish
from domain.enums import ExecutionType, LegKind, OrderType, Outcome, Side, TestMode
from domain.errors import InvalidAlert, OutcomeUnknown, SignalReused
from domain.instruments.choice import InstrumentChoice
from domain.limits import Limits
from domain.order import Order
from domain.receipt import Receipt
from domain.states import Phase, Status
from persistence.sqlite.archive import archive_beside
from persistence.sqlite.audit.verify import verify
from tests.commands_making import CE, PE, delivery, read_once, service
from tests.contract.store_making import an_order
from tests.support import EXIT, START, Desk, entry, leg

SYMBOL = CE.symbol
MANY = Limits(max_entries=99)


def cancel(*symbols: str, **changes: Any) -> ParsedAlert:
    """An alert that takes back what its strategy has in these symbols; `""`: in all."""
    of_leg: dict[str, Any] = {
        name: changes.pop(name) for name in ("side", "product", "instrument") if name in changes
    }
    values: dict[str, Any] = {"side": None, "quantity": None, "product": "", "order_type": OrderType.MARKET}
    bare = {**values, "price": None, "kind": LegKind.CANCEL, **of_leg}
    legs = [replace(leg(symbol or SYMBOL), **bare, symbol=symbol) for symbol in symbols or (SYMBOL,)]
    legs = [each if each.symbol else replace(each, exchange="") for each in legs]
    return entry(*legs, execution_type=ExecutionType.CANCEL, **changes)


def sent(desk: Desk, alert: ParsedAlert) -> Receipt:
    return desk.commands.register(alert, desk.delivery())


def results(receipt: Receipt) -> dict[str, CancelResult]:
    return {each.order.command_id: each.result for each in receipt.cancels or ()}


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk(limits=MANY)
    desk.broker.fill_at_once = False
    return desk


@pytest.fixture
def live(desk: Desk) -> Order:
    """An entry that rests at the broker."""
    (order,) = desk.post()
    desk.settle()
    return desk.order(order.command_id)


def test_what_rests_is_asked_of_the_broker_and_what_waits_ends_at_once(desk, live):
    (waiting,) = desk.post(leg(qty=7))
    receipt = sent(desk, cancel())
    assert receipt.outcome is Outcome.ACCEPTED and receipt.legs == ()
    assert results(receipt) == {live.command_id: CancelResult.ASKED, waiting.command_id: CancelResult.ENDED}
    assert desk.order(waiting.command_id).phase is Phase.LAPSED
    desk.settle()
    assert desk.broker.cancelled == [live.broker_order_id]
    assert desk.order(live.command_id).tag == "BROKER_CANCELLED"
    wish = cancel_wish(desk.order(live.command_id))
    assert wish is not None and (wish.by, wish.reason) == ("webhook", f"alert {receipt.alert_id}")
    assert verify(desk.path, archive_beside(desk.path)).problem_count == 0


def test_the_alert_keeps_what_it_took_back_and_the_answer_names_it(desk, live):
    receipt = sent(desk, cancel())
    columns = "execution_type, outcome, decision_type, reason_message, context_json"
    [(type_, outcome, decision, message, context)] = desk.rows(
        f"SELECT {columns} FROM alerts WHERE alert_id = ?", receipt.alert_id
    )
    assert (type_, outcome, decision) == ("CANCEL", "accepted", "EXECUTED")
    assert json.loads(str(context))["cancels"] == [{"order": live.command_id, "result": "asked"}]
    answer = json.loads(receipt_json(receipt))
    assert answer["message"] == message == "entries of STRADDLE: 1 asked of the broker to be cancelled"
    assert (answer["status"], answer["legs"]) == ("accepted", [])
    [told] = answer["cancels"]
    expected = {
        "command_id": live.command_id,
        "symbol": SYMBOL,
        "side": "BUY",
        "quantity": 50,
        "result": "asked",
    }
    assert told.items() >= expected.items()


def test_a_repeat_asks_for_nothing_new(desk, live):
    sent(desk, cancel())
    before = desk.rows("SELECT count(*) FROM order_events")
    again = sent(desk, cancel())
    assert results(again) == {live.command_id: CancelResult.ASKED_BEFORE}
    assert desk.rows("SELECT count(*) FROM order_events") == before
    desk.settle()
    last = sent(desk, cancel())
    assert results(last) == {} and last.outcome is Outcome.ACCEPTED
    assert last.message == f"no entry of STRADDLE rests or waits in NFO {SYMBOL}: there was nothing to cancel"
    assert desk.broker.cancelled == [live.broker_order_id]
    skipped = desk.rows("SELECT decision_type FROM alerts WHERE alert_id = ?", last.alert_id)
    assert skipped == [("SKIPPED",)]


def test_the_same_alert_soon_after_takes_back_an_entry_that_came_in_between(desk, live):
    sent(desk, cancel())
    desk.settle()
    desk.clock.advance(5)
    (later,) = desk.post(leg(qty=9))
    assert results(sent(desk, cancel())) == {later.command_id: CancelResult.ENDED}


def test_under_one_signal_id_it_takes_back_once(desk, live):
    first = sent(desk, cancel(signal_id="s1"))
    (later,) = desk.post(leg(qty=9))
    again = sent(desk, cancel(signal_id="s1"))
    assert (again.outcome, again.alert_id, again.cancels) == (Outcome.DUPLICATE, first.alert_id, None)
    assert json.loads(receipt_json(again))["legs"] == []
    assert desk.order(later.command_id).status is Status.CREATED
    with pytest.raises(SignalReused):
        sent(desk, cancel("OTHER", signal_id="s1"))


def test_orders_of_another_strategy_symbol_side_product_or_rehearsal_stay(desk, live):
    others = [
        *desk.post(strategy_name="ELSE"),
        *desk.post(leg("OTHER")),
        *desk.post(leg("SOLD", side=Side.SELL)),
        *desk.post(leg(product="NRML")),
        *desk.post(leg(qty=3), test_mode=TestMode.SUCCESS),
    ]
    taken = sent(desk, cancel(SYMBOL, "SOLD", side=Side.BUY, product="MIS"))
    assert list(results(taken)) == [live.command_id]
    assert {desk.order(each.command_id).phase for each in others} == {Phase.REGISTERED}
    rehearsal = sent(desk, cancel(test_mode=TestMode.SUCCESS))
    assert list(results(rehearsal)) == [others[-1].command_id]


def test_all_symbols_are_those_of_its_strategy(desk, live):
    (other,) = desk.post(leg("OTHER", exchange="NSE"))
    (elses,) = desk.post(strategy_name="ELSE")
    assert results(sent(desk, cancel(""))).keys() == {live.command_id, other.command_id}
    assert desk.order(elses.command_id).phase is Phase.REGISTERED


def test_no_exit_is_taken_back_whatever_asked_for_it(desk):
    desk.hold(50)
    (target,) = desk.post(leg(qty=20, side=Side.SELL, price=200), **EXIT)
    (flat,) = desk.post(leg(qty=None, side=Side.SELL, order_type=OrderType.MARKET, price=None), **EXIT)
    for symbols in ((SYMBOL,), ("",)):
        assert results(sent(desk, cancel(*symbols))) == {}
    assert {desk.order(each.command_id).phase for each in (target, flat)} == {Phase.REGISTERED}


def test_one_that_cannot_be_cancelled_now_is_told_for_each_alert_and_stops_no_other(make_desk):
    desk = make_desk(limits=MANY, id_class=IdClass.C0)
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    (unknown,) = desk.post()
    desk.engine.tick()
    assert desk.order(unknown.command_id).broker_order_id is None
    (waiting,) = desk.post(leg("OTHER"))
    receipt = sent(desk, cancel(""))
    assert results(receipt) == {
        unknown.command_id: CancelResult.NOT_NOW,
        waiting.command_id: CancelResult.ENDED,
    }
    sent(desk, cancel(""))
    told = [n.detail for n in desk.notices if "takes this entry back" in n.detail]
    assert len(told) == 2 and all("Cancel it on its page" in each for each in told)
    [first, _] = json.loads(receipt_json(receipt))["cancels"]
    assert "its number at the broker is not known" in first["message"]


def test_a_leg_that_is_left_alone_is_told_as_after_a_persons_cancel(desk):
    first, second = desk.post(CE, leg(PE.symbol))
    desk.settle()
    sent(desk, cancel(CE.symbol))
    desk.settle()
    assert desk.order(first.command_id).status is Status.FAILED
    told = [each.detail for each in desk.notices if "live without it" in each.detail]
    assert len(told) == 1
    assert desk.order(second.command_id).short_id in told[0].partition("live without it")[2]


def test_a_leg_that_waits_for_one_that_was_taken_back_is_not_sent(desk):
    bought, sold = desk.post(CE, PE)
    receipt = sent(desk, cancel(CE.symbol))
    assert results(receipt) == {bought.command_id: CancelResult.ENDED}
    assert desk.order(sold.command_id).tag == "GUARD_BLOCKED:GROUP_INCOMPLETE"
    again = sent(desk, cancel(CE.symbol, PE.symbol))
    assert results(again) == {}


def test_each_client_of_several_is_served_by_itself(desk):
    desk.commands = service(desk.store, desk.clock, a=MANY, b=MANY)
    for name in "ab":
        read_once(desk, name)
    shares = (ClientShare("a"), ClientShare("b"))
    alert = replace(entry(CE), client_id="a", shares=shares)
    orders = desk.commands.register(alert, delivery(desk.clock.now())).legs
    wanted = (*shares, ClientShare("gone"))
    receipt = sent(desk, replace(cancel(), client_id="a", shares=wanted))
    assert results(receipt) == {each.command_id: CancelResult.ENDED for each in orders}
    assert receipt.outcome is Outcome.PARTIALLY_BLOCKED
    assert [each.client_id for each in receipt.not_traded] == ["gone"]
    with pytest.raises(InvalidAlert, match="no client 'gone'"):
        sent(desk, replace(cancel(), client_id="gone", shares=(ClientShare("gone"),)))


def test_in_one_batch_each_alert_follows_the_one_before(desk, live):
    alerts = [
        (entry(leg("A")), desk.delivery()),
        (cancel(""), desk.delivery()),
        (entry(leg("B")), desk.delivery()),
    ]
    first, taken, last = desk.commands.register_together(alerts)
    assert isinstance(first, Receipt) and isinstance(taken, Receipt) and isinstance(last, Receipt)
    assert results(taken) == {
        live.command_id: CancelResult.ASKED,
        first.legs[0].command_id: CancelResult.ENDED,
    }
    assert desk.order(last.legs[0].command_id).phase is Phase.REGISTERED


def test_an_entry_is_found_by_the_name_that_it_was_asked_for_under():
    rolled = InstrumentChoice(("NSE", "NIFTY1!"))
    story = json.dumps({"instrument": {"asked": "NSE NIFTY1!", "became": "NFO NIFTY26NOVFUT"}})
    [now] = cancel("NIFTY26DECFUT", instrument=rolled).legs
    order = an_order("a1", START, symbol="NIFTY26NOVFUT", context_json=story)
    assert meant_by(now, [order], is_test=False) == [order]
    assert meant_by(replace(now, instrument=None), [order], is_test=False) == []


_orders = st.builds(
    lambda strategy, type_, symbol, side, test: {
        "strategy_name": strategy, "execution_type": type_, "symbol": symbol, "side": side, "test_mode": test,
    },
    st.sampled_from(["S", "T"]),
    st.sampled_from([ExecutionType.ENTRY, ExecutionType.EXIT, ExecutionType.ADJUST]),
    st.sampled_from(["A", "B"]),
    st.sampled_from(Side),
    st.sampled_from([None, TestMode.SUCCESS]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(_orders, max_size=8), st.sampled_from(["A", "B", ""]), st.sampled_from([None, *Side]))
def test_of_any_orders_only_real_entries_of_the_symbol_and_side_are_meant(rows, symbol, side):
    orders = [an_order(f"a{number}", START, **row) for number, row in enumerate(rows)]
    [asked] = cancel(symbol, side=side).legs
    meant = meant_by(
        replace(asked, exchange="" if not symbol else orders[0].exchange if orders else ""),
        orders,
        is_test=False,
    )
    expected = [
        order
        for order in orders
        if (order.execution_type, order.test_mode) == (ExecutionType.ENTRY, None)
        and symbol in ("", order.symbol)
        and side in (None, order.side)
    ]
    assert meant == expected
