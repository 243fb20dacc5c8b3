"""A cancel that comes to nothing: the operator hears of it once, and the order is followed as before."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.broker_reports import BrokerStatus, OrderRef
from domain.errors import BrokerError, NotSent, OutcomeUnknown, Refused
from domain.order import Order
from domain.states import Phase, Status
from engine.cancel_sender import CancelSender
from engine.client_context import ClientContext
from tests.support import Desk

MINUTE = 60


class Says:
    """A broker that answers a cancel so, and counts how often it was asked."""

    def __init__(self, answer: BrokerError | None, then: Callable[[str], None] = lambda number: None) -> None:
        self.answer, self.then, self.asked = answer, then, 0

    def __call__(self, ref: OrderRef) -> None:
        self.asked += 1
        self.then(str(ref.broker_order_id))
        if self.answer is not None:
            raise self.answer


def ask(desk: Desk, order: Order, says: Says, *, seconds: int) -> None:
    """Somebody asks for its cancel, and so many seconds pass."""
    desk.broker.cancel = says  # type: ignore[method-assign]
    desk.commands.cancel(order.command_id, by="op", reason="too wild")
    pass_time(desk, seconds)


def pass_time(desk: Desk, seconds: int) -> None:
    for _ in range(seconds):
        desk.engine.reconcile("default")
        desk.clock.advance(1)


def told(desk: Desk) -> list[str]:
    return [n.detail for n in desk.notices if "cancel" in n.detail]


def events(desk: Desk, order: Order) -> list[str]:
    rows = desk.rows("SELECT detail_json FROM order_events WHERE command_id = ?", order.command_id)
    return [str(row[0]) for row in rows]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Refused("market is closed"), "market is closed"),
        (NotSent("connection refused"), "connection refused"),
        (OutcomeUnknown("timed out"), "timed out"),
        (None, "the broker did not refuse it"),
    ],
)
def test_a_cancel_that_the_book_does_not_confirm_is_told_once(desk, live, answer, why):
    ask(desk, live, Says(answer), seconds=5 * MINUTE)
    (text,) = told(desk)
    assert why in text
    assert sum("exchange_error_snippet" in event for event in events(desk, live)) == 1
    assert desk.order(live.command_id).phase is Phase.WORKING
    other = desk.new_engine("watcher-2")  # which remembers nothing
    desk.look(other)
    desk.clock.advance(10 * MINUTE)
    other.reconcile("default")
    assert len(told(desk)) == 1


def test_a_cancel_that_is_refused_because_the_order_has_just_filled_is_no_alarm(desk, live):
    def fill(number: str) -> None:
        desk.broker.report(number, BrokerStatus.COMPLETE, 50)

    ask(desk, live, Says(Refused("order is complete"), fill), seconds=MINUTE)
    assert desk.order(live.command_id).status is Status.EXECUTED
    assert told(desk) == []


@pytest.mark.parametrize("seconds", [1, 10])
def test_a_cancel_that_is_confirmed_within_seconds_is_no_alarm(desk, live, seconds):
    ask(desk, live, Says(OutcomeUnknown("timed out")), seconds=seconds)
    desk.broker.report(live.broker_order_id, BrokerStatus.CANCELLED)
    pass_time(desk, MINUTE)
    assert desk.order(live.command_id).tag == "BROKER_CANCELLED"
    assert told(desk) == []


def test_a_cancel_that_waited_for_the_watcher_is_no_alarm_before_it_was_sent(desk, live):
    ask(desk, live, Says(None), seconds=0)
    desk.clock.advance(5 * MINUTE)
    pass_time(desk, 1)
    assert desk.order(live.command_id).cancel_sent_at is not None
    assert told(desk) == []


def test_a_broker_that_goes_on_refusing_is_asked_ever_more_rarely(desk, live):
    says = Says(Refused("market is closed"))
    ask(desk, live, says, seconds=30 * MINUTE)
    assert 20 <= says.asked <= 40
    assert len(events(desk, live)) <= 60


def test_a_cancel_that_failed_is_sent_again_soon(desk, live):
    says = Says(Refused("try again"))
    ask(desk, live, says, seconds=29)
    assert says.asked >= 7, "an exit may wait for it"


def test_a_cancel_that_the_broker_took_is_repeated_more_rarely(desk, live):
    says = Says(None)
    ask(desk, live, says, seconds=29)
    assert 2 <= says.asked <= 5


def test_an_order_that_leaves_the_book_while_its_cancel_is_asked_for_becomes_unknown(desk, live):
    desk.broker.traits = replace(desk.broker.traits, visibility_horizon=3.0)
    says = Says(Refused("no such order"))
    ask(desk, live, says, seconds=1)
    desk.broker.orders.clear()
    pass_time(desk, 30)
    assert desk.order(live.command_id).phase is Phase.UNKNOWN
    assert says.asked == 1


def test_an_order_that_has_just_moved_is_not_cancelled_by_an_old_look(desk, live):
    seen = desk.commands.cancel(live.command_id, by="cli:ann", reason="wrong strike")
    says = Says(None)
    desk.broker.cancel = says
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    desk.engine.reconcile("default")
    asked = says.asked
    cancels = CancelSender(desk.store, clock=desk.clock, claimant="another", rules=desk.rules)
    context = ClientContext("default", desk.broker, desk.policies["default"])
    cancels.send(context, [seen], desk.broker.read_book([]))
    assert says.asked == asked == 1
