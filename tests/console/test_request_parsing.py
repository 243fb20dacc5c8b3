"""A request that was not understood whole changes nothing, and its answer names what was not."""

from pathlib import Path
from typing import Any

import pytest

from console import TradingMode
from domain.errors import StoreUnavailable
from domain.states import Phase
from tests.console.seeding import BEARER, House

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
WISHES = ["/api/halt", "/api/resume", "/api/marks", "/api/latches/lift", "/api/holdings/adopt"]


def post(house: House, path: str, body: str | bytes, content_type: str | None = FORM) -> Any:
    return house.anonymous().post(path, data=body, content_type=content_type, headers=BEARER)


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["field"]


@pytest.mark.parametrize("content_type", [FORM, JSON, "text/plain", "multipart/form-data", None])
@pytest.mark.parametrize("before", [b"", b" \r\n", b"\xef\xbb\xbf"])
def test_what_begins_with_a_brace_is_json_whatever_its_type_says(house, content_type, before):
    body = before + b'{"strategy_name": "S9", "reason": "x", "by": "ann"}'
    answer = post(house, "/api/halt", body, content_type)
    assert answer.status_code == 200 and answer.json["strategy_name"] == "S9"
    resumed = post(house, "/api/resume", before + b'{"strategy_name": "S9"}', content_type)
    assert resumed.json == {"resumed": True, "client_id": "default", "strategy_name": "S9"}
    assert house.control.asked == [
        ("halt", "default", "S9", "ann", "x"),
        ("resume", "default", "S9", "console"),
    ]


@pytest.mark.parametrize("path", WISHES)
@pytest.mark.parametrize("content_type", [FORM, JSON])
@pytest.mark.parametrize("name", ["strategy", "client", "Strategy_Name", "strategy_name ", ""])
def test_a_field_of_another_name_is_named_and_changes_nothing(house, path, content_type, name):
    answer = post(house, path, f'{{"{name}": "S9"}}', content_type)
    assert error_of(answer) == (400, name or None)
    assert "is not known here" in answer.json["error"]["message"]
    assert house.control.asked == []


def test_a_misspelt_field_is_told_what_was_meant(house):
    error = post(house, "/api/resume", '{"strategy_nam": "S9"}').json["error"]
    assert error["message"] == "is not known here; did you mean strategy_name?"
    error = post(house, "/api/resume", "xyz=S9").json["error"]
    assert error["message"] == "is not known here; expected one of client_id, strategy_name, by, next"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"strategy_name": "S9"', FORM),
        ('{"strategy_name": "S9"} x', FORM),
        ('["S9"]', FORM),
        ("S9", FORM),
        ("&&", FORM),
        ("strategy_name=S9", None),
        ("strategy_name=S9", "text/plain"),
        ("strategy_name=S9", "multipart/form-data"),
        ("strategy_name=S9&strategy_name=S8", FORM),
        ('{"strategy_name": "S9", "strategy_name": "S8"}', JSON),
        ('{"strategy_name": ["S9"]}', FORM),
        ('{"strategy_name": " "}', JSON),
        ('{"client_id": ""}', JSON),
        (
            '--b\r\nContent-Disposition: form-data; name="strategy_name"; filename="S9"\r\n\r\nS9\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
    ],
)
def test_a_body_that_cannot_be_read_changes_nothing(house, body, content_type):
    for path in ("/api/resume", "/api/halt"):
        assert post(house, path, body, content_type).status_code == 400
    assert house.control.asked == []


def test_fields_in_the_address_are_not_taken_for_none(house: House):
    answer = post(house, "/api/resume?strategy_name=S9", "", None)
    assert error_of(answer) == (400, "strategy_name")
    assert house.control.asked == []


def test_a_client_that_is_not_served_is_said_to_be_none(tmp_path: Path):
    house = House(tmp_path, modes={"alice": TradingMode.SIMULATED, "bob": TradingMode.LIVE})
    for path in ("/api/halt", "/api/resume"):
        answer = post(house, path, '{"client_id": "bobb"}')
        assert answer.status_code == 404
        assert answer.json["error"]["message"] == "no client 'bobb'; there is alice, bob"
    assert error_of(post(house, "/api/halt", '{"client": "bob"}')) == (400, "client")
    assert house.control.asked == []


def test_forms_of_the_pages_are_still_taken(house: House):
    browser, site = house.browser(), {"Origin": "http://localhost"}
    every_field = {"strategy_name": "", "reason": "", "by": ""}
    assert browser.post("/api/halt", data=every_field, headers=site).status_code == 303
    whole = {"client_id": "default", "strategy_name": ""}
    assert browser.post("/api/resume", data=whole, headers=site).status_code == 303
    assert house.control.asked == [
        ("halt", "default", None, "console", "no reason given"),
        ("resume", "default", None, "console"),
    ]


@pytest.mark.parametrize("wish", ["cancel", "resolve"])
def test_wishes_of_an_order_name_their_fields_too(house, wish):
    order = house.place(house.alert()[0])
    answer = post(house, f"/api/orders/{order.command_id}/{wish}", '{"reson": "x", "by": "ann"}')
    assert error_of(answer) == (400, "reson")
    posted = house.browser().post(
        f"/orders/{order.command_id}",
        data={"wish": wish, "who": "ann"},
        headers={"Origin": "http://localhost"},
    )
    assert posted.status_code == 400
    assert house.store.get_by_id(order.command_id).phase is Phase.WORKING


def test_a_halt_of_a_strategy_without_orders_stands_and_is_noted(house: House):
    for made in (house.alert(), house.alert(strategy_name="S1"), house.alert(strategy_name="S2")):
        house.claim(made[0])
    house.block(house.alert(strategy_name="M")[0])
    house.alert(strategy_name="OTHER", client_id="bob")
    answer = post(house, "/api/halt", '{"strategy_name": "STRADDEL"}').json
    assert answer["halted"] is True
    assert answer["note"] == "no order of STRADDEL so far; there are M, S1, S2, STRADDLE"
    for known in ("STRADDLE", "M"):
        assert post(house, "/api/halt", f'{{"strategy_name": "{known}"}}').json["note"] is None
    assert len(house.control.asked) == 3


def test_a_halt_is_not_called_failed_because_its_note_could_not_be_made(house: House, monkeypatch):
    def fail(client_id: str) -> list[str]:
        raise StoreUnavailable("orders.db: locked")

    monkeypatch.setattr(house.views, "strategies", fail)
    answer = post(house, "/api/halt", '{"strategy_name": "S1"}')
    assert (answer.status_code, answer.json["halted"], answer.json["note"]) == (200, True, None)


# queries ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/orders?symbl=x", "symbl"),
        ("/api/orders?strategy_name=x", "strategy_name"),
        ("/api/orders?symbol=A&symbol=B", "symbol"),
        ("/api/orders?from=2026-11-21&to=2026-11-20", "from"),
        ("/api/orders?from=2026-11-20T05:00:00Z&to=2026-11-20T04:00:00Z", "from"),
        ("/api/diagnostics/recent-signals?hour=1", "hour"),
    ],
)
def test_a_query_that_would_list_something_else_is_refused(house, path, field):
    assert error_of(house.anonymous().get(path, headers=BEARER)) == (400, field)
    if path.startswith("/api/orders"):
        page = f"/{path.removeprefix('/api/orders')}"
        assert house.anonymous().get(page, headers=BEARER).status_code == 400


def test_a_day_from_its_beginning_to_its_end_is_one_day(house: House):
    house.alert()
    found = house.get("/api/orders", **{"from": "2026-11-20", "to": "2026-11-20"}).json["orders"]
    assert len(found) == 1


@pytest.mark.parametrize("path", ["/api/ordrs", "/api/", "/api", "/api/orders/x/y/z"])
def test_an_address_of_the_api_that_is_none_is_told_as_json(house, path):
    answer = house.get(path)
    assert answer.status_code == 404 and answer.json["error"]["code"] == "NOT_FOUND"
    stranger = house.anonymous().get(path)
    assert stranger.status_code == 401 and stranger.json["error"]["code"] == "UNAUTHORIZED"
    assert stranger.headers["WWW-Authenticate"] == "Bearer"


def test_a_method_that_is_none_is_told_as_json(house: House):
    answer: Any = house.anonymous().post("/api/health", headers=BEARER)
    assert answer.status_code == 405 and answer.json["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_other_addresses_answer_as_they_did(house: House):
    answer = house.get("/nothing")
    assert answer.status_code == 404 and "<html" in answer.text


# the summary of signals ----------------------------------------------------------------------------------------


def test_a_message_that_waits_is_not_called_told(house: House):
    house.block(house.alert()[0])
    house.block(house.alert()[0])
    summary = house.get("/api/diagnostics/recent-signals").json["summary"]
    assert summary.endswith("; every failure has its message; 2 wait to be sent.")
