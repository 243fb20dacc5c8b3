"""An operator takes an order back in the console: by JSON or by the form, and sees how far the cancel has come."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from domain.enums import ExecutionType
from domain.order import Order
from domain.order_events import advance
from domain.states import Phase, Status
from tests.console.seeding import BEARER, House

WISH = {"reason": "too wild", "by": "ann"}
SAME_SITE = {"Origin": "http://localhost"}
FORM = re.compile(r'<form class="filters cancel".*?</form>', re.DOTALL)


def say(house: House, order: Order, body: Any = WISH) -> Any:
    return house.anonymous().post(f"/api/orders/{order.command_id}/cancel", json=body, headers=BEARER)


def fill_in(house: House, order: Order, headers: dict[str, str] = SAME_SITE, **fields: str) -> Any:
    typed = {"wish": "cancel", **WISH, **fields}
    return house.browser().post(f"/orders/{order.command_id}", data=typed, headers=headers)


def page(house: House, order: Order) -> str:
    text: str = house.get(f"/orders/{order.command_id}").text
    return text


def now(house: House, order: Order) -> Order:
    found = house.store.get_by_id(order.command_id)
    assert found is not None
    return found


def move(house: House, order: Order, phase: Phase, **changes: Any) -> Order:
    return house.apply(advance(order, phase, at=house.clock.now(), actor="watcher-1", **changes))


def created(house: House) -> Order:
    return house.alert()[0]


def sending(house: House) -> Order:
    return house.claim(created(house))


def working(house: House) -> Order:
    return house.place(created(house))


def partly_filled(house: House) -> Order:
    order = working(house)
    return move(house, order, Phase.PARTIALLY_FILLED, filled_quantity=order.quantity - 30)


def vanished(house: House) -> Order:
    """Acknowledged under a number, and no longer in the book."""
    return move(house, working(house), Phase.UNKNOWN, reason_message="outcome unknown: not in the book")


def lost(house: House) -> Order:
    """Its call timed out: no number is known."""
    return house.lose(created(house))


def filled(house: House) -> Order:
    return house.fill(created(house))


def blocked(house: House) -> Order:
    return house.block(created(house))


Make = Callable[[House], Order]
LIVE: list[Make] = [working, partly_filled, vanished]
NOT_NOW: list[tuple[Make, str]] = [
    (filled, "is FILLED: it has ended"),
    (blocked, "is BLOCKED: it has ended"),
    (sending, "is SUBMITTING: it is being sent at this moment"),
    (lost, "is UNKNOWN: its number at the broker is not known"),
]


def test_an_order_that_was_not_sent_ends_at_once(house: House):
    order = created(house)
    answer = say(house, order)
    assert answer.status_code == 200
    assert (answer.json["asked"], answer.json["cancelled"]) == (True, True)
    row = answer.json["order"]
    assert (row["status"], row["tag"]) == ("FAILED", "NOT_SENT:CANCELLED_BEFORE_SENT")
    assert row["reason_message"] == "The order was cancelled before it was sent (too wild)"
    assert house.get(f"/api/orders/{order.command_id}").json["events"][-1]["actor"] == "console:ann"


@pytest.mark.parametrize("make", LIVE)
def test_of_a_live_order_only_the_wish_is_kept(house: House, make: Make):
    order = make(house)
    answer = say(house, order)
    assert answer.status_code == 200
    assert (answer.json["asked"], answer.json["cancelled"]) == (True, False)
    after = now(house, order)
    assert (after.phase, after.tag, after.filled_quantity) == (order.phase, None, order.filled_quantity)
    assert after.cancel_requested_at is not None and after.cancel_sent_at is None
    event = house.get(f"/api/orders/{order.command_id}").json["events"][-1]
    assert event["actor"] == "console:ann" and "too wild" in event["detail_json"]


def test_asking_twice_is_harmless_and_the_first_wish_stands(house: House):
    order = working(house)
    say(house, order)
    first = now(house, order)
    answer = say(house, order, {"reason": "me too", "by": "bob"})
    assert answer.status_code == 200 and answer.json["cancelled"] is False
    assert now(house, order) == first
    assert "console:ann" in page(house, order) and "bob" not in page(house, order)


@pytest.mark.parametrize(("make", "why"), NOT_NOW)
def test_what_cannot_be_cancelled_is_refused_with_why(house: House, make: Make, why: str):
    order = make(house)
    answer = say(house, order)
    assert answer.status_code == 409
    assert (answer.json["error"]["code"], answer.json["error"]["field"]) == ("CONFLICT", "command_id")
    assert why in answer.json["error"]["message"]
    assert now(house, order) == order


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": None}, "reason"),
        ({"reason": " "}, "reason"),
        ({"reason": ["x"]}, "reason"),
        ({"by": ""}, "by"),
        ({"by": "x" * 201}, "by"),
    ],
)
def test_what_does_not_fit_names_its_field_and_changes_nothing(
    house: House, change: dict[str, object], field: str
):
    for order in (created(house), working(house)):
        answer = say(house, order, WISH | change)
        assert answer.status_code == 400
        error = answer.json["error"]
        assert error["field"] == field and error["code"] and error["message"]
        assert now(house, order) == order


def test_an_order_that_is_not_there(house: House):
    answer: Any = house.anonymous().post("/api/orders/nobody/cancel", json=WISH, headers=BEARER)
    assert answer.status_code == 404 and answer.json["error"]["field"] == "command_id"


def test_nobody_cancels_an_order_without_the_token_or_from_another_site(house: House):
    order = working(house)
    path = f"/orders/{order.command_id}"
    assert house.anonymous().post(f"/api{path}/cancel", json=WISH).status_code == 401
    assert house.browser().post(f"/api{path}/cancel", json=WISH).status_code == 403
    assert house.anonymous().post(path, data={"wish": "cancel"} | WISH, headers=SAME_SITE).status_code == 401
    assert fill_in(house, order, {"Origin": "https://evil.example"}).status_code == 403
    assert fill_in(house, order, {}).status_code == 403
    assert now(house, order) == order


# the form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [created, *LIVE])
def test_the_form_carries_the_wish_out_and_leads_back_to_the_page(house: House, make: Make):
    order = make(house)
    assert FORM.search(page(house, order))
    answer = fill_in(house, order)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/orders/{order.command_id}")
    after = now(house, order)
    assert after.cancel_requested_at is not None or after.status is Status.FAILED
    assert not FORM.search(page(house, order))


@pytest.mark.parametrize("make", [filled, blocked, lost])
def test_there_is_no_form_where_nothing_can_be_cancelled(house: House, make: Make):
    assert not FORM.search(page(house, make(house)))


def test_the_form_stays_the_same_while_the_order_moves(house: House):
    """What is typed into it survives: the page's script leaves alone what is equal."""
    order = created(house)
    seen = [page(house, order)]
    order = house.claim(order)
    seen.append(page(house, order))
    order = move(house, order, Phase.WORKING, broker_order_id="B1")
    seen.append(page(house, order))
    move(house, order, Phase.PARTIALLY_FILLED, filled_quantity=order.quantity - 30)
    seen.append(page(house, order))
    assert len({found.group() for found in map(FORM.search, seen) if found}) == 1
    assert all(FORM.search(text) and 'id="cancel" data-live' in text for text in seen)
    assert "Not sent yet" in seen[0] and "being sent" in seen[1] and "The broker has it" in seen[2]


def test_a_form_that_does_not_fit_comes_back_with_what_was_typed(house: House):
    order = vanished(house)  # its page has both forms
    answer = fill_in(house, order, reason=" ", by='"><script>')
    assert answer.status_code == 400
    shown = FORM.search(answer.text)
    assert shown is not None
    assert "<b>reason</b>: is missing" in answer.text and "aria-invalid" in shown.group()
    assert "&lt;script&gt;" in shown.group()
    assert answer.text.count("&lt;script&gt;") == 1 and answer.text.count("aria-invalid") == 1
    assert '<section id="cancel">' in answer.text  # stands still until it is settled
    assert '<section id="resolve" data-live>' in answer.text
    assert now(house, order) == order


def test_an_order_that_is_being_sent_can_be_asked_again_without_typing_again(house: House):
    order = sending(house)
    answer = fill_in(house, order)
    assert answer.status_code == 409 and "ask again in a few seconds" in answer.text
    assert 'value="too wild"' in answer.text and 'value="ann"' in answer.text
    assert now(house, order) == order


def test_a_form_that_comes_too_late_says_so(house: House):
    order = working(house)
    move(house, order, Phase.FILLED, filled_quantity=order.quantity)
    answer = fill_in(house, order)
    assert answer.status_code == 409 and "is FILLED: it has ended" in answer.text
    assert 'id="timeline"' in answer.text and not FORM.search(answer.text)


def test_a_wish_that_the_page_does_not_know_is_refused(house: House):
    order = created(house)
    answer = fill_in(house, order, wish="everything")
    assert answer.status_code == 400 and "wish: expected resolve or cancel" in answer.text
    assert now(house, order) == order


def test_what_a_cancel_leaves_is_said_before_it_is_asked_for(house: House):
    plain = working(house)
    assert "the position stays open" not in page(house, plain) and "other legs" not in page(house, plain)
    exit_ = house.place(house.alert(execution_type=ExecutionType.EXIT)[0])
    assert "without it the position stays open" in page(house, exit_)
    assert "other legs go on" in page(house, house.alert(legs=2)[1])


# while it is under way --------------------------------------------------------------------------------------


def test_a_cancel_under_way_is_told_until_the_order_has_ended(house: House):
    order = working(house)
    assert "asked for by" not in page(house, order)
    say(house, order)
    text = page(house, order)
    assert re.search(
        r"<b>Cancel</b> asked for by console:ann at [^,]* \(too wild\), not sent to the broker yet", text
    )
    house.clock.advance(5)
    order = move(house, now(house, order), Phase.WORKING, cancel_sent_at=house.clock.now())
    assert "(too wild), sent to the broker at 20 Nov 04:00:05" in page(house, order)
    order = move(house, order, Phase.PARTIALLY_FILLED, filled_quantity=order.quantity - 30)
    assert "sent to the broker at" in page(house, order)
    move(house, order, Phase.CANCELLED, tag="BROKER_CANCELLED")
    assert "<b>Cancel</b>" not in page(house, order)


def test_who_asked_is_known_after_an_operator_said_which_order_it_is(house: House):
    """What an operator says of an order replaces its context; its history keeps the wish."""
    order = working(house)
    say(house, order)
    move(house, now(house, order), Phase.UNKNOWN, context_json=json.dumps({"followed": "B7"}))
    assert "asked for by console:ann" in page(house, order) and "(too wild)" in page(house, order)


def test_what_was_typed_stays_text(house: House):
    order = working(house)
    say(house, order, {"reason": "<b>bold</b>", "by": "<i>ann</i>"})
    assert "console:&lt;i&gt;ann&lt;/i&gt;" in page(house, order) and "(&lt;b&gt;bold&lt;/b&gt;)" in page(
        house, order
    )
    assert "<b>bold" not in page(house, order) and "<i>ann" not in page(house, order)


def test_the_review_page_leads_to_the_form(house: House):
    order, unknown = working(house), lost(house)
    house.clock.advance(3700)
    link = f'href="/orders/{order.command_id}#cancel"'
    text = house.get("/review").text
    assert link in text and f"/orders/{unknown.command_id}#cancel" not in text
    say(house, order)
    text = house.get("/review").text
    assert link not in text and "a cancel was asked for and is not confirmed" in text
