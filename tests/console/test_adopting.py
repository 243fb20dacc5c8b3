"""Adopting over HTTP: what is answered, what is refused and how, and the form on the page Review."""

import re
from decimal import Decimal
from typing import Any

import pytest

from domain.position_comparison import Difference
from tests.console.seeding import BEARER, House

SYMBOL = "NIFTY26NOV24500CE"
BODY = {"symbol": SYMBOL, "strategy_name": "S1", "quantity": 50, "reason": "bought for it", "by": "ann"}


@pytest.fixture
def house(tmp_path) -> House:
    """50 units that no strategy holds, read a moment ago and told as that."""
    house = House(tmp_path)
    house.read_positions()
    external = Difference("NFO", SYMBOL, "MIS", Decimal(0), Decimal(50), is_external=True)
    now = house.clock.now()
    house.store.write(lambda tx: tx.keep_difference("default", external, now, now))
    return house


def adopt(house: House, **changes: object) -> Any:
    return house.anonymous().post("/api/holdings/adopt", json=BODY | changes, headers=BEARER)


def test_units_are_adopted_and_the_answer_says_what_follows(house):
    answer = adopt(house)
    assert answer.status_code == 200
    assert {k: answer.json[k] for k in ("adopted", "client_id", "strategy_name", "exchange", "product")} == {
        "adopted": True, "client_id": "default", "strategy_name": "S1", "exchange": "NFO", "product": "MIS",
    }  # fmt: skip
    assert (answer.json["quantity"], answer.json["held"], answer.json["average_price"]) == (
        "50",
        "50",
        "112.45",
    )
    assert answer.json["note"] == "no order of S1 so far, nor of any other strategy"
    assert [h["net_quantity"] for h in house.views.holdings()] == ["50"]
    assert house.get("/api/diagnostics/positions").json["differences"] == []
    [(by,)] = house.store._rows("SELECT adopted_by FROM adoptions")
    assert by == "console:ann"


def test_the_same_request_again_is_a_conflict_that_says_who_holds_them(house):
    adopt(house)
    answer = adopt(house)
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "ADOPTION_NOT_POSSIBLE")
    assert answer.json["error"]["field"] == "quantity"
    assert answer.json["error"]["message"].endswith("none can be adopted: S1 holds 50 MIS")


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"quantity": 0}, 400, "quantity"),
        ({"quantity": "many"}, 400, "quantity"),
        ({"quantity": None}, 400, "quantity"),
        ({"quantity": True}, 400, "quantity"),
        ({"quantity": "-50"}, 400, "quantity"),
        ({"quantity": 51}, 409, "quantity"),
        ({"strategy_name": "OPERATOR"}, 400, "strategy_name"),
        ({"strategy_name": ""}, 400, "strategy_name"),
        ({"symbol": "INFY"}, 409, "symbol"),
        ({"symbol": None}, 400, "symbol"),
        ({"product": "CNC"}, 409, "symbol"),
        ({"reason": ""}, 400, "reason"),
        ({"by": None}, 400, "by"),
        ({"client_id": "nobody"}, 404, None),
    ],
)
def test_what_cannot_be_adopted_names_the_field_and_changes_nothing(house, changes, status, field):
    answer = adopt(house, **changes)
    assert (answer.status_code, answer.json["error"]["field"]) == (status, field)
    assert answer.json["error"]["message"]
    assert house.views.holdings() == []


def test_a_stale_read_is_no_ground_for_it(house):
    house.clock.advance(61)
    answer = adopt(house)
    assert (answer.status_code, answer.json["error"]["field"]) == (409, "client_id")
    assert "try again" in answer.json["error"]["message"]


def test_the_page_review_has_a_form_for_units_that_no_strategy_holds(house):
    browser = house.browser()
    page = browser.get("/review").text
    form = re.search(r'<form[^>]*action="/api/holdings/adopt".*?</form>', page, re.DOTALL)
    assert form is not None
    given = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.group()))
    assert given == {
        "client_id": "default",
        "exchange": "NFO",
        "symbol": SYMBOL,
        "product": "MIS",
        "quantity": "50",
    }
    assert 'type="checkbox" required' in form.group()
    typed = given | {"strategy_name": "S1", "reason": "bought for it", "by": "ann"}
    answer = browser.post("/api/holdings/adopt", data=typed, headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/review")
    assert 'action="/api/holdings/adopt"' not in browser.get("/review").text


def test_where_the_broker_has_less_there_is_nothing_to_adopt(house):
    now = house.clock.now()
    less = Difference("NFO", "INFY", "MIS", Decimal(50), Decimal(20), is_external=False)
    house.store.write(lambda tx: tx.keep_difference("default", less, now, now))
    assert house.browser().get("/review").text.count('action="/api/holdings/adopt"') == 1
