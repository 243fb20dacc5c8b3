"""An operator settles an unknown outcome in the console: by JSON or by the form, never by a slip of the keyboard."""

import json
from decimal import Decimal
from typing import Any

import pytest

from domain.order import Order
from domain.order_events import advance
from domain.states import Phase, Status
from tests.console.seeding import BEARER, House

FOUND = {
    "outcome": "found",
    "broker_order_id": "26112000000042",
    "filled_quantity": "50",
    "average_price": "112.45",
    "reason": "seen in the terminal",
    "by": "ann",
}
ABSENT = {"outcome": "absent", "reason": "not in the terminal", "by": "ann"}
SAME_SITE = {"Origin": "http://localhost"}


@pytest.fixture
def lost(house: House) -> Order:
    """An order of unknown outcome."""
    return house.lose(house.alert()[0])


def say(house: House, order: Order, body: Any) -> Any:
    return house.anonymous().post(f"/api/orders/{order.command_id}/resolve", json=body, headers=BEARER)


def fill_in(house: House, order: Order, fields: dict[str, str], headers: dict[str, str] = SAME_SITE) -> Any:
    return house.browser().post(f"/orders/{order.command_id}", data=fields, headers=headers)


def now(house: House, order: Order) -> Order:
    found = house.store.get_by_id(order.command_id)
    assert found is not None
    return found


def test_an_order_that_the_broker_has_is_executed(house: House, lost: Order):
    answer = say(house, lost, FOUND)
    assert answer.status_code == 200 and answer.json["resolved"] is True
    assert answer.json["order"]["status"] == "EXECUTED" and answer.json["order"]["phase"] == "FILLED"
    order = now(house, lost)
    assert (order.broker_order_id, order.filled_quantity, order.average_price, order.reason_message) == (
        "26112000000042",
        50,
        Decimal("112.45"),
        "seen in the terminal",
    )
    assert [h.net_quantity for h in house.store.holdings("default")] == [50]
    event = house.get(f"/api/orders/{lost.command_id}").json["events"][-1]
    assert (event["actor"], event["to_phase"]) == ("console:ann", "FILLED")


def test_a_price_may_be_missing_and_numbers_may_be_numbers(house: House, lost: Order):
    answer = say(house, lost, {**FOUND, "filled_quantity": 50, "average_price": None})
    assert answer.status_code == 200 and answer.json["order"]["average_price"] is None


def test_an_order_that_is_only_partly_filled_is_followed_under_its_number(house: House, lost: Order):
    follow = {**FOUND, "outcome": "follow", "filled_quantity": None, "average_price": ""}
    assert say(house, lost, follow).status_code == 200
    order = now(house, lost)
    assert (order.phase, order.broker_order_id) == (Phase.UNKNOWN, None)
    assert json.loads(order.context_json or "{}")["followed"] == "26112000000042"


def test_an_order_that_the_broker_does_not_have_has_failed(house: House, lost: Order):
    assert say(house, lost, ABSENT).status_code == 200
    order = now(house, lost)
    assert (order.phase, order.tag, order.reason_message) == (
        Phase.ABSENT,
        "BROKER_ABSENT:OPERATOR_RESOLVED",
        "not in the terminal",
    )


WRONG: list[tuple[dict[str, object], str]] = [
    ({"outcome": None}, "outcome"),
    ({"outcome": "perhaps"}, "outcome"),
    ({"outcome": ["found"]}, "outcome"),
    ({"broker_order_id": ""}, "broker_order_id"),
    ({"broker_order_id": 26112000000042}, "broker_order_id"),
    ({"filled_quantity": None}, "filled_quantity"),
    ({"filled_quantity": "fifty"}, "filled_quantity"),
    ({"filled_quantity": True}, "filled_quantity"),
    ({"filled_quantity": "0"}, "filled_quantity"),
    ({"filled_quantity": "49"}, "filled_quantity"),
    ({"filled_quantity": "51"}, "filled_quantity"),
    ({"average_price": "-1"}, "average_price"),
    ({"average_price": "NaN"}, "average_price"),
    ({"average_price": "much"}, "average_price"),
    ({"reason": " "}, "reason"),
    ({"by": None}, "by"),
    ({"by": "x" * 201}, "by"),
    ({"outcome": "absent"}, "broker_order_id"),
    ({"outcome": "absent", "broker_order_id": "", "average_price": ""}, "filled_quantity"),
    ({"outcome": "follow"}, "filled_quantity"),
    ({"outcome": "follow", "filled_quantity": None}, "average_price"),
]


@pytest.mark.parametrize(("change", "field"), WRONG)
def test_what_does_not_fit_names_its_field_and_changes_nothing(
    house: House, lost: Order, change: dict[str, object], field: str
):
    answer = say(house, lost, FOUND | change)
    assert answer.status_code == 400
    error = answer.json["error"]
    assert error["field"] == field and error["code"] and error["message"]
    assert now(house, lost) == lost


def test_the_number_of_another_order_is_refused(house: House, lost: Order):
    other = house.place(house.alert()[0])
    answer = say(house, lost, FOUND | {"broker_order_id": other.broker_order_id})
    assert answer.status_code == 400 and answer.json["error"]["field"] == "broker_order_id"
    assert other.command_id in answer.json["error"]["message"]
    assert now(house, lost).phase is Phase.UNKNOWN


def test_only_an_unknown_outcome_can_be_settled_and_only_once(house: House, lost: Order):
    placed = house.place(house.alert()[0])
    assert say(house, lost, FOUND).status_code == 200
    for order in (placed, lost):
        answer = say(house, order, ABSENT)
        assert answer.status_code == 409
        assert (answer.json["error"]["code"], answer.json["error"]["field"]) == ("CONFLICT", "command_id")
    assert now(house, lost).status is Status.EXECUTED


def test_an_order_that_is_not_there(house: House):
    answer: Any = house.anonymous().post("/api/orders/nobody/resolve", json=ABSENT, headers=BEARER)
    assert answer.status_code == 404 and answer.json["error"]["field"] == "command_id"


def test_nobody_settles_an_order_without_the_token_or_from_another_site(house: House, lost: Order):
    path = f"/orders/{lost.command_id}"
    assert house.anonymous().post(f"/api{path}/resolve", json=ABSENT).status_code == 401
    assert house.anonymous().post(path, data=ABSENT, headers=SAME_SITE).status_code == 401
    assert fill_in(house, lost, ABSENT, {"Origin": "https://evil.example"}).status_code == 403
    assert fill_in(house, lost, ABSENT, {}).status_code == 403
    assert now(house, lost).phase is Phase.UNKNOWN


def test_the_form_is_there_only_while_the_outcome_is_unknown(house: House, lost: Order):
    path = f"/orders/{lost.command_id}"
    assert "What became of it?" in house.get(path).text
    answer = fill_in(house, lost, FOUND)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert "What became of it?" not in house.get(path).text
    assert "What became of it?" not in house.get(f"/orders/{house.alert()[0].command_id}").text


@pytest.fixture
def acknowledged(house: House) -> Order:
    """An order of unknown outcome under a number that the broker once gave."""
    order = house.place(house.alert()[0])
    lost = advance(
        order, Phase.UNKNOWN, at=house.clock.now(), actor="watcher-1", reason_message="not in the book"
    )
    return house.apply(lost)


def test_a_number_that_the_form_came_with_is_no_contradiction(house: House, acknowledged: Order):
    number = acknowledged.broker_order_id
    assert number is not None and f'value="{number}"' in house.get(f"/orders/{acknowledged.command_id}").text
    answer = fill_in(house, acknowledged, ABSENT | {"broker_order_id": number, "filled_quantity": ""})
    assert answer.status_code == 303, answer.text
    assert now(house, acknowledged).phase is Phase.ABSENT


def test_a_number_that_somebody_typed_is_one(house: House, acknowledged: Order, lost: Order):
    for order, number in ((acknowledged, "4711"), (lost, "4711")):
        answer = fill_in(house, order, ABSENT | {"broker_order_id": number})
        assert answer.status_code == 400 and "<b>broker order id</b>" in answer.text
        assert now(house, order).phase is Phase.UNKNOWN


def test_a_form_that_does_not_fit_comes_back_with_what_was_typed(house: House, lost: Order):
    answer = fill_in(house, lost, FOUND | {"filled_quantity": "49", "by": '"><script>'})
    assert answer.status_code == 400
    for shown in (
        "<b>filled quantity</b>: expected 50",
        'name="filled_quantity" value="49"',
        'value="26112000000042"',
        'value="found" required checked',
        "&lt;script&gt;",
    ):
        assert shown in answer.text
    assert now(house, lost) == lost


def test_a_form_that_comes_too_late_says_so(house: House, lost: Order):
    say(house, lost, FOUND)
    answer = fill_in(house, lost, ABSENT)
    assert answer.status_code == 409 and "only an UNKNOWN order" in answer.text
    assert 'id="timeline"' in answer.text and "console:ann" in answer.text  # what became of it meanwhile
