"""Orders that the broker turned away: their dead rows, their groups, and books that do not show them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, UnreadableRow
from domain.enums import Side
from domain.errors import NotSent, OutcomeUnknown, Refused
from domain.states import Phase, Status
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, MARKET_EXIT, leg

SYMBOL = "NIFTY26NOV24500CE"

ENDED = NotSent("Too Many Requests", "429", look_first=True)
TAKEN_ALL_THE_SAME = ("after", ENDED)
HIDING = UnreadableRow("NFO", SYMBOL, None, None, None, "qty 1,0")


def lag(desk, number, seconds):
    """The book shows that order only so long after it was taken."""
    read = desk.broker.read_book
    state = {}

    def lagging(wanted, **_):
        book = read(wanted)
        if number in desk.broker.orders:
            state.setdefault("at", desk.clock.now())
        if "at" in state and desk.clock.now() < state["at"] + timedelta(seconds=seconds):
            book = replace(book, reports=tuple(r for r in book.reports if r.broker_order_id != number))
        return book

    desk.broker.read_book = lagging


@pytest.mark.parametrize("lag_s", [2, 8])
def test_the_dead_row_of_a_first_send_is_not_the_outcome_of_the_second(desk, lag_s):
    """Sent again, its answer lost, taken and resting: the dead row called it REJECTED, and its repeat filled too."""
    desk.broker.traits = replace(desk.broker.traits, visibility_horizon=3.0, acceptance_horizon=180.0)
    desk.post()
    desk.settle()
    desk.broker.fill_at_once = False
    desk.broker.script = [TAKEN_ALL_THE_SAME, ("after", OutcomeUnknown("timed out"))]
    lag(desk, "B00003", lag_s)
    desk.post(MARKET_EXIT, **EXIT)
    desk.engine.execute_next("default")
    desk.broker.report("B00002", BrokerStatus.REJECTED, 0)
    spin(desk, 6)
    desk.post(MARKET_EXIT, **EXIT)  # the platform, or the trader who read REJECTED, sends it again
    spin(desk, 20)
    for number, report in list(desk.broker.orders.items()):
        if report.status is BrokerStatus.OPEN:
            desk.broker.report(number, BrokerStatus.COMPLETE, 50)
    spin(desk, 30)
    assert net(desk) == 0


def test_the_dead_row_drops_no_order_whose_second_try_never_left(desk):
    """turned away (dead row kept) → look → second try never left us → the dead row is followed."""
    desk.post()
    desk.settle()
    desk.broker.script = [TAKEN_ALL_THE_SAME, NotSent("no connection to the broker")]
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    desk.engine.execute_next("default")
    desk.broker.report("B00002", BrokerStatus.REJECTED, 0)
    spin(desk, 30)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert net(desk) == 0


def ten_of_fifty_filled(desk):
    desk.broker.traits = replace(desk.broker.traits, visibility_horizon=3.0, acceptance_horizon=180.0)
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle(1)
    desk.broker.report("B00001", BrokerStatus.OPEN, 10)
    spin(desk, 3)


def test_what_an_entry_filled_while_its_exit_seemed_turned_away_leaves_as_a_part(desk):
    """10 of 50 filled, the exit of 10 is taken though the answer says it was not, and the other 40 fill: all leave."""
    ten_of_fifty_filled(desk)
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    lag(desk, "B00002", 2)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    while len(desk.broker.placed) == 1:
        desk.engine.execute_next("default")
        desk.clock.advance(0.1)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 10)
    desk.broker.fill_at_once = True
    spin(desk, 1)
    assert desk.order(exit_.command_id).look_first, (
        "the entry's fill is recorded while nobody knows of the exit"
    )
    spin(desk, 30)
    assert net(desk) == 0
    assert desk.order(f"{exit_.command_id}.2").quantity == 40


def test_an_exit_that_was_turned_away_indeed_is_sized_anew_and_its_part_sends_no_more(desk):
    ten_of_fifty_filled(desk)
    desk.broker.script = [ENDED]
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    while not desk.order(exit_.command_id).look_first:
        desk.engine.execute_next("default")
        desk.clock.advance(0.1)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.fill_at_once = True
    spin(desk, 30)
    assert net(desk) == 0
    sold = sum(c.quantity for c in desk.broker.placed if c.side is Side.SELL)
    assert sold == 50


def test_a_dead_row_lets_no_look_pass_while_a_row_is_hidden(desk):
    """Turned away twice: the first leaves a dead row, the second was taken and its row cannot be read."""
    desk.broker.script = [TAKEN_ALL_THE_SAME, TAKEN_ALL_THE_SAME]
    desk.post()
    desk.engine.execute_next("default")
    desk.broker.report("B00001", BrokerStatus.REJECTED, 0)
    desk.clock.advance(0.2)
    desk.engine.execute_next("default")
    assert len(desk.broker.placed) == 2
    desk.broker.unreadable_orders = (UnreadableRow("NFO", SYMBOL, None, "B00002", None, "qty 1,0"),)
    spin(desk, 10)
    assert len(desk.broker.placed) == 2, "sent a third time while the row that hides it stood there"


@pytest.mark.parametrize(
    "how", [NotSent("no connection"), NotSent("Too Many Requests", "429", look_first=True)]
)
def test_a_leg_whose_call_was_under_way_does_not_go_after_its_group_has_failed(desk, how):
    """Two lanes: the second leg is refused while the first one's call lasts; that call then did not send anything."""
    place = desk.broker.place

    def overlapping(command):
        desk.broker.place = lambda c: (_ for _ in ()).throw(Refused("RMS", "no margin"))
        desk.engine.execute_next("default")
        desk.broker.place = place
        raise how

    desk.broker.place = overlapping
    a, b = desk.post(leg("A", side=Side.SELL), leg("B", side=Side.SELL))
    desk.engine.execute_next("default")
    assert desk.order(b.command_id).phase is Phase.REFUSED
    assert desk.order(a.command_id).phase is Phase.REGISTERED
    spin(desk, 10)
    assert [c.symbol for c in desk.broker.placed] == [], "A was sent after its group had failed"


def test_a_leg_that_cannot_be_looked_up_is_told_when_its_life_is_over(desk):
    """Bought leg filled; the other bought leg is turned away, a row hides it. Its life is 300 s."""
    other = leg("NIFTY26NOV24000PE")
    desk.broker.script = [None, TAKEN_ALL_THE_SAME]
    _, second = desk.post(other, leg())
    while desk.engine.execute_next("default"):
        pass
    desk.broker.unreadable_orders = (
        replace(HIDING, broker_order_id="B00002"),
    )  # the taken order's own row cannot be read
    spin(desk, 1200)
    row = desk.order(second.command_id)
    assert row.status is not Status.CREATED or any(
        n.order is not None and n.order.command_id == second.command_id for n in desk.notices
    ), "20 minutes later, the broker has it filled, and nobody has heard of this order"


def test_an_order_under_our_tag_that_fills_after_all_is_told(desk):
    """A row under a tag of ours that no row here has is first CANCELLED unfilled (not told), then filled."""
    desk.post()
    desk.settle()
    row = desk.broker.orders["B00001"]
    desk.broker.orders["X1"] = replace(
        row,
        broker_order_id="X1",
        client_order_id="ow" + "0" * 18,
        status=BrokerStatus.CANCELLED,
        filled_quantity=Decimal(0),
    )
    desk.broker.products["X1"] = "MIS"
    desk.clock.advance(11)
    desk.look()
    desk.broker.report("X1", BrokerStatus.COMPLETE, 50)
    for _ in range(30):
        desk.clock.advance(11)
        desk.engine.tick()
    assert any("X1" in n.detail for n in desk.notices)


def test_the_dead_row_of_a_turned_away_call_that_fills_after_all_is_the_orders_fill(desk):
    """turned away → dead row → sent again and refused → the dead row comes back, filled: nobody held those units."""
    desk.broker.fill_at_once = False
    desk.broker.script = [TAKEN_ALL_THE_SAME, Refused("Insufficient margin", "RMS7")]
    desk.post()
    desk.engine.execute_next("default")
    desk.broker.report("B00001", BrokerStatus.REJECTED, 0)
    spin(desk, 20)
    entry = desk.only()
    assert entry.phase is Phase.REFUSED
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    spin(desk, 30)
    entry = desk.order(entry.command_id)
    assert (entry.status, entry.filled_quantity) == (Status.EXECUTED, Decimal(50))
