"""Taking an order back, from the wish to the broker's word: whose wish it was is kept, nothing is believed early."""

import json
from dataclasses import replace

import pytest

from command_service import ResolvedFill
from domain.broker_capabilities import IdClass
from domain.errors import ConcurrentUpdate, OutcomeUnknown
from domain.order import Order
from domain.states import Phase
from persistence.sqlite.archive import archive_beside
from persistence.sqlite.audit.verify import verify
from tests.support import Desk


def events(desk: Desk, order: Order) -> list[tuple[str, dict[str, str]]]:
    """Who did what, of those events that are about a cancel."""
    rows = desk.rows(
        "SELECT actor, detail_json FROM order_events WHERE command_id = ? ORDER BY event_id", order.command_id
    )
    found = [(str(actor), json.loads(str(detail))) for actor, detail in rows]
    return [(actor, detail) for actor, detail in found if "cancel_requested_at" in detail]


def test_who_asked_and_why_is_kept_and_the_history_still_proves_the_row(desk, live):
    desk.commands.cancel(live.command_id, by="ann", reason="too wild – really")
    desk.settle()
    assert desk.order(live.command_id).tag == "BROKER_CANCELLED"
    [(actor, detail)] = events(desk, live)
    kept = {"cancel_by": "ann", "cancel_reason": "too wild – really"}
    assert (actor, json.loads(detail["context_json"])) == ("ann", kept)
    assert verify(desk.path, archive_beside(desk.path)).problem_count == 0


def test_a_wish_without_a_reason_leaves_no_empty_one(desk, live):
    assert desk.commands.cancel(live.command_id, by="ann").context_json == '{"cancel_by": "ann"}'


def test_asking_again_writes_nothing_and_the_broker_is_asked_once(desk, live):
    first = desk.commands.cancel(live.command_id, by="ann", reason="too wild")
    assert desk.commands.cancel(live.command_id, by="bob", reason="me too") == first
    desk.settle()
    assert len(events(desk, live)) == 1 and desk.broker.cancelled == [live.broker_order_id]


def test_an_order_that_left_the_book_is_cancelled_under_its_number(desk, live):
    hidden = dict(desk.broker.orders)
    desk.broker.orders.clear()
    desk.clock.advance(10)
    desk.engine.reconcile("default")
    assert desk.order(live.command_id).phase is Phase.UNKNOWN
    asked = desk.commands.cancel(live.command_id, by="ann", reason="too wild")
    assert (asked.phase, asked.tag) == (Phase.UNKNOWN, None)
    desk.broker.orders.update(hidden)
    desk.settle()
    assert desk.broker.cancelled == [live.broker_order_id]
    assert desk.order(live.command_id).tag == "BROKER_CANCELLED"


def test_what_was_filled_before_the_cancel_stays(desk, live):
    desk.commands.cancel(live.command_id, by="ann", reason="too wild")
    number = live.broker_order_id
    assert number is not None
    desk.broker.orders[number] = replace(desk.broker.orders[number], filled_quantity=live.quantity - 30)
    desk.settle()
    after = desk.order(live.command_id)
    assert (after.tag, after.filled_quantity) == ("BROKER_CANCELLED", live.quantity - 30)


def test_an_order_without_a_number_is_followed_first_and_cancelled_then(make_desk):
    desk = make_desk(id_class=IdClass.C0)
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    (order,) = desk.post()
    desk.engine.tick()
    with pytest.raises(ConcurrentUpdate, match="its number at the broker is not known"):
        desk.commands.cancel(order.command_id, by="ann", reason="too wild")
    desk.commands.resolve(order.command_id, by="ann", executed=ResolvedFill("B00001", None, None, "seen"))
    desk.settle()
    asked = desk.commands.cancel(order.command_id, by="ann", reason="too wild")
    assert json.loads(asked.context_json) == {
        "followed": "B00001",
        "followed_by": "ann",
        "followed_because": "seen",
        "cancel_by": "ann",
        "cancel_reason": "too wild",
    }
    desk.settle()
    assert desk.order(order.command_id).tag == "BROKER_CANCELLED"
