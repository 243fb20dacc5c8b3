"""A broker that echoes none of our ids (C0): what was sent is matched by what it is, once, or left to people."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from command_service import ResolvedFill
from domain.alert import LegRequest
from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus
from domain.commands import UniversalOrderCommand
from domain.enums import Side
from domain.errors import OutcomeUnknown, ReadFailed
from domain.limits import Limits
from domain.order import Order
from domain.states import Phase, Status
from persistence.sqlite.database import connect
from tests.engine.dying import die_in_the_call
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, MARKET_EXIT, Desk, leg

LOST, TAKEN = OutcomeUnknown("timed out"), ("after", OutcomeUnknown("timed out"))
PROVEN = 17.1  # seconds after which the book shows everything that could have been sent


@pytest.fixture
def desk(make_desk) -> Desk:
    return make_desk(id_class=IdClass.C0)


def orders(desk: Desk) -> list[Order]:
    return [desk.order(str(row[0])) for row in desk.rows("SELECT command_id FROM orders ORDER BY rowid")]


def told(desk: Desk, kind: str) -> list[str]:
    return [notice.detail for notice in desk.notices if notice.kind == kind]


def by_hand(desk: Desk, broker_id: str, *, after: float = 0.0, **changes: object) -> None:
    """Somebody places the very same order at the broker's own terminal."""
    report = desk.broker.orders["B00001"]
    placed_at = None if report.placed_at is None else report.placed_at + timedelta(seconds=after)
    values = {"broker_order_id": broker_id, "placed_at": placed_at, **changes}
    desk.broker.orders[broker_id] = replace(report, **values)  # type: ignore[arg-type]
    desk.broker.products[broker_id] = "MIS"


def send(desk: Desk, *steps: object, legs: tuple[LegRequest, ...] = (), **changes: object) -> None:
    desk.broker.script = list(steps)  # type: ignore[arg-type]
    for _ in steps:
        desk.post(*legs, **changes)
    while desk.engine.execute_next("default"):
        pass


def later(desk: Desk, seconds: float = PROVEN) -> None:
    desk.clock.advance(seconds)
    desk.engine.reconcile("default")


# found and not found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tells_time", [True, False])
@pytest.mark.parametrize(
    ("status", "filled", "phase"),
    [
        (BrokerStatus.COMPLETE, 50, Phase.FILLED),
        (BrokerStatus.OPEN, 20, Phase.PARTIALLY_FILLED),
        (BrokerStatus.REJECTED, 0, Phase.REJECTED),
    ],
)
def test_an_unknown_outcome_is_found_by_what_it_is_and_not_before_nothing_more_can_come(
    desk, tells_time, status, filled, phase
):
    desk.broker.tells_time = tells_time
    send(desk, TAKEN)
    desk.broker.report("B00001", status, filled)
    desk.engine.reconcile("default")
    assert desk.only().phase is Phase.UNKNOWN, "another order might still come"
    later(desk)
    assert (desk.only().phase, desk.only().broker_order_id) == (phase, "B00001")
    assert len(desk.broker.placed) == 1
    assert told(desk, "EXTERNAL_ORDER") == []


def test_an_order_that_never_arrived_is_absent_and_is_not_sent_again(desk):
    send(desk, LOST)
    later(desk, 16.9)
    assert desk.only().phase is Phase.UNKNOWN
    later(desk)
    assert desk.only().tag == "BROKER_ABSENT:PROVEN"
    assert desk.broker.placed == []


def test_a_dead_watchers_claim_is_found_too(make_desk):
    desk = make_desk(id_class=IdClass.C0)
    desk.post()
    die_in_the_call(desk, taken=True)
    desk.engine.tick()
    assert desk.only().phase is Phase.UNKNOWN
    later(desk)
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_without_times_in_the_book_an_entry_is_found_by_the_next_watcher_too(desk):
    """No entry goes before a book was read: what it did not show is new."""
    desk.broker.tells_time = False
    send(desk, TAKEN)
    desk.replace_watcher()
    later(desk)
    assert desk.only().status is Status.EXECUTED


def test_without_times_in_the_book_an_exit_that_went_before_any_was_read_is_not_guessed_at(desk):
    """The order may have been there for hours: nobody had looked."""
    desk.broker.tells_time = False
    send(desk, None)
    desk.settle()
    by_hand(desk, "H1", side=Side.SELL, filled_quantity=Decimal(0), status=BrokerStatus.OPEN)
    desk.replace_watcher()
    desk.broker.book_error = ReadFailed("502")
    desk.clock.advance(5)
    send(desk, LOST, legs=(MARKET_EXIT,), **EXIT)
    going = orders(desk)[-1]
    assert going.phase is Phase.UNKNOWN, "an exit waited for the book"
    desk.broker.book_error = None
    for _ in range(3):
        later(desk)
    assert desk.order(going.command_id).phase is Phase.UNKNOWN
    assert len([text for text in told(desk, "SYSTEM") if "H1" in text]) == 1


def test_entries_wait_for_a_complete_book(desk):
    """An order that an incomplete one left out would later look like ours."""
    desk.replace_watcher()
    read_book = desk.broker.read_book
    desk.broker.read_book = lambda wanted, **_: replace(read_book(wanted), complete=False)
    desk.post()
    desk.engine.tick()
    assert desk.engine.waits_for("default") == "order book: it was not complete"
    assert desk.broker.placed == []
    desk.broker.read_book = read_book
    desk.engine.tick()
    assert len(desk.broker.placed) == 1


# whose ------------------------------------------------------------------------------------------------------


def test_an_order_that_was_there_before_our_send_is_not_taken_for_ours(desk):
    send(desk, None)
    desk.settle()
    by_hand(desk, "H1", after=1.0)
    desk.clock.advance(31)
    desk.settle()
    assert told(desk, "EXTERNAL_ORDER") != []
    send(desk, LOST, strategy_name="OTHER")
    later(desk)
    (order,) = [o for o in orders(desk) if o.strategy_name == "OTHER"]
    assert order.phase is Phase.ABSENT


@pytest.mark.parametrize("watcher_changes", [False, True])
def test_what_was_seen_before_our_send_is_remembered_when_the_book_has_no_times(desk, watcher_changes):
    desk.broker.tells_time = False
    send(desk, None)
    desk.settle()
    by_hand(desk, "H1", status=BrokerStatus.OPEN, filled_quantity=Decimal(0))
    desk.clock.advance(31)
    desk.settle()
    send(desk, LOST, strategy_name="OTHER")
    if watcher_changes:
        desk.replace_watcher()
    later(desk)
    assert orders(desk)[-1].phase is Phase.ABSENT


def test_the_order_of_another_row_is_not_taken_for_it_however_close_in_time(desk):
    send(desk, None)
    send(desk, LOST, strategy_name="OTHER")
    later(desk)
    assert [o.phase for o in orders(desk)] == [Phase.FILLED, Phase.ABSENT]


def test_an_order_placed_by_hand_in_the_same_seconds_leaves_it_to_people_who_hear_of_it_once(desk):
    send(desk, TAKEN)
    by_hand(desk, "H1", after=3.0)
    for _ in range(4):
        later(desk)
    assert desk.only().phase is Phase.UNKNOWN
    assert told(desk, "EXTERNAL_ORDER") == [], "one of them is ours"
    assert len([text for text in told(desk, "SYSTEM") if "B00001 or H1" in text]) == 1
    desk.engine.refresh("default", force=True)
    (blocked,) = desk.post(strategy_name="OTHER")
    assert blocked.tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"


def test_when_people_have_said_which_is_ours_the_other_is_somebody_elses(desk):
    send(desk, TAKEN)
    by_hand(desk, "H1", after=3.0)
    later(desk)
    fill = ResolvedFill("B00001", Decimal(50), Decimal(100))
    desk.commands.resolve(desk.only().command_id, by="op", executed=fill)
    later(desk, 31)
    assert desk.only().status is Status.EXECUTED
    assert [text.split(":")[0] for text in told(desk, "EXTERNAL_ORDER")] == ["H1"]


def test_while_a_call_is_under_way_its_order_in_the_book_is_nobody_elses(desk):
    """Seen between the broker's taking it and our recording the answer."""
    other = desk.new_engine("watcher-2")
    place, seen = desk.broker.place, []

    def look_behind(command):
        result = place(command)
        desk.clock.advance(1)
        desk.look(other)
        seen.append((desk.only().phase, told(desk, "EXTERNAL_ORDER")))
        return result

    desk.broker.place = look_behind
    desk.post()
    desk.engine.execute_next("default")
    desk.settle()
    assert seen == [(Phase.SUBMITTING, [])]
    assert desk.only().status is Status.EXECUTED
    assert told(desk, "EXTERNAL_ORDER") == []


def test_two_entries_of_one_strategy_take_the_two_reports(make_desk):
    desk = make_desk(id_class=IdClass.C0, limits=Limits(max_entries=2))
    desk.broker.script = [TAKEN, TAKEN]
    desk.post(leg(), leg())
    first, second = orders(desk)
    assert not first.tag and not second.tag
    second_call_inside_the_first(desk)
    desk.engine.execute_next("default")
    assert {o.phase for o in orders(desk)} == {Phase.UNKNOWN}
    later(desk)
    assert [(o.status, o.broker_order_id) for o in orders(desk)] == [
        (Status.EXECUTED, "B00001"),
        (Status.EXECUTED, "B00002"),
    ]
    (held,) = desk.store.holdings("default")
    assert held.net_quantity == 100


def second_call_inside_the_first(desk: Desk) -> None:
    """Both are on their way before either outcome is known to be unknown."""
    place = desk.broker.place

    def overlapping(command):
        desk.broker.place = place
        desk.engine.execute_next("default")
        return place(command)

    desk.broker.place = overlapping  # type: ignore[method-assign]


# what is noted as nobody's ----------------------------------------------------------------------------------


def test_a_report_that_was_noted_as_nobodys_is_still_found_and_then_no_longer_noted(desk):
    send(desk, TAKEN)
    report = desk.broker.orders["B00001"]
    desk.clock.advance(1)
    desk.store.write(lambda tx: tx.note_external("default", report, desk.clock.now()))
    later(desk)
    assert desk.only().broker_order_id == "B00001"
    assert desk.rows("SELECT * FROM external_orders") == []


def test_what_is_nobodys_is_told_as_soon_as_no_order_of_ours_may_be_it(desk):
    send(desk, LOST)
    desk.broker._take(UniversalOrderCommand.of(desk.only()))
    desk.broker.orders["B00001"] = replace(desk.broker.orders["B00001"], quantity=Decimal(75))
    later(desk, 1)
    assert told(desk, "EXTERNAL_ORDER") == []
    desk.commands.resolve(desk.only().command_id, by="op", failed_reason="it is not there")
    later(desk, 31)
    assert len(told(desk, "EXTERNAL_ORDER")) == 1


def test_what_was_called_absent_does_not_rise_by_a_likeness(desk):
    """A broker that shows an order later than it promised: somebody is told, nothing is guessed."""
    send(desk, LOST)
    later(desk)
    assert desk.only().phase is Phase.ABSENT
    order = desk.only()
    desk.broker._take(UniversalOrderCommand.of(order))
    desk.broker.orders["B00001"] = replace(desk.broker.orders["B00001"], placed_at=order.sent_at)
    later(desk, 31)
    assert desk.only().phase is Phase.ABSENT
    assert len(told(desk, "EXTERNAL_ORDER")) == 1


def test_nothing_is_written_while_nothing_changes(desk, monkeypatch):
    send(desk, TAKEN)
    by_hand(desk, "H1", after=3.0)
    later(desk)
    later(desk, 60)
    monkeypatch.setattr(desk.store, "write", None)
    assert desk.engine.reconcile("default") == 0


# in the database --------------------------------------------------------------------------------------------


def test_ids_of_archived_orders_are_claimed_by_their_own_client_only(desk):
    send(desk, None)
    desk.settle()
    ((command_id,),) = desk.rows("SELECT command_id FROM orders")
    with connect(desk.path) as connection:
        connection.execute(
            "INSERT INTO archived_orders VALUES (?, 'h', '2026-11-21T00:00:00.000000Z')", (command_id,)
        )
    assert desk.store.sightings("default", ["B00001", "B00002"]).claimed == {"B00001"}
    assert desk.store.sightings("another", ["B00001", "B00002"]).claimed == frozenset()
    assert desk.store.write(lambda tx: tx.sightings("default", ["B00001"])).claimed == {"B00001"}


def test_an_exit_waits_for_anothers_unknown_outcome_that_would_explain_its_dispute(desk):
    """Whether the read shows the unknown exit's fill cannot be told: what is left would be sent short by as much."""
    desk.post()
    desk.post(leg(qty=100), strategy_name="OTHER")
    desk.settle()
    desk.broker.traits = replace(desk.broker.traits, acceptance_horizon=25.0)
    send(desk, TAKEN, legs=(MARKET_EXIT,), **EXIT)
    (exit_,) = desk.post(MARKET_EXIT, strategy_name="OTHER", **EXIT)
    spin(desk, 36)
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    spin(desk, 20)
    assert desk.order(exit_.command_id).filled_quantity == 100
    assert net(desk) == 0


def test_an_outcome_that_stays_unknown_holds_an_exit_no_longer_than_twice_its_patience(desk):
    desk.post()
    desk.post(leg(qty=100), strategy_name="OTHER")
    desk.settle()
    desk.broker.traits = replace(desk.broker.traits, acceptance_horizon=600.0)
    send(desk, TAKEN, legs=(MARKET_EXIT,), **EXIT)
    (exit_,) = desk.post(MARKET_EXIT, strategy_name="OTHER", **EXIT)
    spin(desk, 75)
    assert desk.order(exit_.command_id).filled_quantity == 50
    assert any("50 are sent" in text for text in told(desk, "SYSTEM"))
