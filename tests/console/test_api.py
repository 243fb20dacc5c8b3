"""The console's JSON."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from console import TradingMode
from domain.enums import Side
from tests.console.seeding import BEARER, House
from tests.support import START


def wish(house: House, path: str, body: Any) -> Any:
    return house.anonymous().post(path, json=body, headers=BEARER)


def test_orders_with_their_counts_and_the_next_page(house: House):
    orders = [house.alert()[0] for _ in range(5)]
    house.fill(orders[0])
    house.block(orders[1])
    answer = house.get("/api/orders", limit=2).json
    assert [row["command_id"] for row in answer["orders"]] == [orders[4].command_id, orders[3].command_id]
    assert answer["counts"] == {"CREATED": 3, "SENT_TO_BROKER": 0, "EXECUTED": 1, "FAILED": 1}
    seen = answer["orders"]
    while answer["next"]:
        answer = house.get("/api/orders", limit=2, cursor=answer["next"]).json
        seen += answer["orders"]
    assert [row["command_id"] for row in seen] == [order.command_id for order in reversed(orders)]
    assert seen[0]["price"] == "112.5" and seen[0]["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"symbol": "INFY"}, 1),
        ({"symbol": "NIFTY*"}, 2),
        ({"strategy": "CALENDAR"}, 1),
        ({"client": "default"}, 3),
        ({"client": "other"}, 0),
        ({"status": "failed"}, 1),
        ({"status": ""}, 3),
        ({"from": "2026-11-20"}, 3),
        ({"from": "2026-11-21"}, 0),
        ({"to": "2026-11-19"}, 0),
        ({"to": "2026-11-20"}, 3),
        ({"from": "2026-11-20T04:00:30Z"}, 2),
        ({"from": "2026-11-20T09:30:30+05:30"}, 2),
        ({"from": "2026-11-20T09:30:30 05:30"}, 2),  # a plus sign that was not quoted
        ({"from": "2026-11-20T04:00:30"}, 2),
        ({"to": "2026-11-20T04:00:30Z", "symbol": "NIFTY*"}, 1),
    ],
)
def test_filters(house: House, query: dict[str, str], found: int):
    house.block(house.alert()[0])
    house.clock.advance(60)
    house.alert(symbol="INFY", strategy_name="CALENDAR")
    house.alert(side=Side.SELL)
    answer = house.get("/api/orders", **query).json
    assert len(answer["orders"]) == found
    if "status" not in query:
        assert sum(answer["counts"].values()) == found


def test_days_are_those_of_the_market(tmp_path: Path):
    house = House(tmp_path, zone=ZoneInfo("Asia/Kolkata"))
    house.clock.at = START.replace(hour=18, minute=29)  # 23:59 in Kolkata
    house.alert()
    house.clock.advance(120)
    house.alert()
    assert len(house.get("/api/orders", to="2026-11-20").json["orders"]) == 1
    assert len(house.get("/api/orders", **{"from": "2026-11-21"}).json["orders"]) == 1
    page = house.get("/").text
    assert "IST" in page and "00:01:00" in page and "23:59:00" in page


def test_counts_leave_the_status_aside(house: House):
    house.block(house.alert()[0])
    house.alert()
    assert house.get("/api/orders", status="FAILED").json["counts"]["CREATED"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "DONE"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from"),
        ({"cursor": "xyz"}, "cursor"),
        ({"symbol": "x" * 201}, "symbol"),
        ({"symbol": "a\x00b"}, "symbol"),
    ],
)
def test_what_is_not_understood_is_refused(house: House, query: dict[str, str], field: str):
    answer = house.get("/api/orders", **query)
    assert answer.status_code == 400
    error = answer.json["error"]
    assert error["field"] == field and error["code"] and error["message"]
    assert house.get("/", **query).status_code == 400


def test_one_order_and_its_story(house: House):
    [order] = house.alert(raw_body='{"a": 1}')
    house.fill(order)
    story = house.get(f"/api/orders/{order.command_id}").json
    assert story["order"]["status"] == "EXECUTED"
    assert len(story["events"]) == 4 and story["alert"]["raw_body"] == '{"a": 1}'


def test_an_order_that_is_not_there(house: House):
    answer = house.get("/api/orders/nobody")
    assert answer.status_code == 404 and answer.json["error"]["code"] == "NOT_FOUND"
    page = house.get("/orders/nobody")
    assert page.status_code == 404 and "<html" in page.text


def test_halting(house: House):
    answer = wish(house, "/api/halt", {"strategy_name": "S1", "reason": "news", "by": "ann"})
    assert answer.status_code == 200 and answer.json["halted"] is True
    assert wish(house, "/api/halt", {}).status_code == 200
    assert house.control.asked == [
        ("halt", "default", "S1", "ann", "news"),
        ("halt", "default", None, "console", "no reason given"),
    ]
    assert wish(house, "/api/halt", {"client_id": "nobody"}).status_code == 404


def test_resuming(house: House):
    assert wish(house, "/api/resume", {}).json["resumed"] is True
    assert wish(house, "/api/resume", {"strategy_name": "RUNNING"}).json["resumed"] is False


def test_lifting_needs_a_reason_and_a_name_and_says_what_follows(house: House):
    answer = wish(house, "/api/latches/lift", {"reason": "yesterday's", "by": "ann"})
    assert answer.status_code == 200
    assert (answer.json["lifted"], answer.json["lowest_pnl"], answer.json["loss_counts_from"]) == (
        True,
        "-6000",
        "-6000",
    )
    assert "stop again" in answer.json["meaning"]
    assert house.control.asked == [("lift", "default", "console:ann", "yesterday's")]
    for missing in ({"by": "ann"}, {"reason": "x"}):
        assert wish(house, "/api/latches/lift", missing).status_code == 400
    answer = wish(house, "/api/latches/lift", {"reason": "nothing", "by": "ann"})
    assert answer.status_code == 409 and "is latched" in answer.json["error"]["message"]


def test_marks(house: House):
    body = {"exchange": "NFO", "symbol": "INFY", "price": "112.50"}
    assert wish(house, "/api/marks", body).status_code == 200
    wish(house, "/api/marks", body | {"price": 112})
    answer = house.anonymous().post(
        "/api/marks", data='{"exchange": "NFO", "symbol": "INFY", "price": 0.1}', content_type="application/json",
        headers=BEARER,
    )  # fmt: skip
    assert answer.status_code == 200
    assert [asked[-1] for asked in house.control.asked] == [Decimal("112.50"), Decimal(112), Decimal("0.1")]
    assert wish(house, "/api/marks", body | {"client_id": "real"}).status_code == 404


@pytest.mark.parametrize("price", [None, "", "x", 0, -1, True, "NaN", "Infinity", [], {}, "1e99", "-0.5"])
def test_a_mark_needs_a_price(house: House, price: object):
    answer = wish(house, "/api/marks", {"exchange": "NFO", "symbol": "INFY", "price": price})
    assert answer.status_code == 400 and answer.json["error"]["field"] == "price"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 30_000, b'{"reason": 1}', b'{"client_id": ["a"]}']
)
def test_a_body_that_is_no_object_of_texts(house: House, body: bytes):
    answer = house.anonymous().post("/api/halt", data=body, content_type="application/json", headers=BEARER)
    assert answer.status_code == 400
    assert house.control.asked == []


def test_with_several_clients_one_must_be_named(tmp_path: Path):
    house = House(tmp_path, modes={"a": TradingMode.SIMULATED, "b": TradingMode.LIVE})
    answer = wish(house, "/api/halt", {"reason": "news"})
    assert answer.status_code == 400 and answer.json["error"]["field"] == "client_id"
    assert wish(house, "/api/halt", {"client_id": "b"}).status_code == 200


def test_a_form_is_led_back_to_its_page(house: House):
    answer = house.browser().post(
        "/api/resume", data={"client_id": "default"}, headers={"Origin": "http://localhost"}
    )
    assert answer.status_code == 303 and answer.headers["Location"] == "/health"


def test_the_health_of_everything(house: House):
    house.beat()
    house.read_positions()
    house.halt("S1")
    house.lose(house.alert()[0])
    answer = house.get("/api/health").json
    assert answer["ready"] is True
    assert [loop["loop"] for loop in answer["watchers"][0]["loops"]][:2] == ["execute", "exits"]
    assert answer["accounts"][0]["positions_age_seconds"] < 1
    assert answer["positions"][0]["net_quantity"] == "50"
    assert answer["halts"][0]["strategy_name"] == "S1"
    assert answer["outbox"]["pending"] == 0 and answer["outbox"]["oldest"] is None
    assert len(answer["unknown_orders"]) == 1


def test_a_database_that_is_gone_is_told(house: House):
    with closing(sqlite3.connect(house.path)) as connection:
        connection.execute("ALTER TABLE orders RENAME TO gone")
    answer = house.get("/api/orders")
    assert answer.status_code == 503 and answer.json["error"]["code"] == "STORE_UNAVAILABLE"
    assert house.get("/").status_code == 503
