"""Positions, trading state, protections, alerts and the search, page by page."""

import csv
import io
from decimal import Decimal

import pytest

from alerts.decoding import decode
from alerts.formats.native import NATIVE
from console.equity_chart import CoursePoint, chart_of
from console.positions import distances
from domain.alert import Delivery
from tests.console.desk_day import CE, day, protect
from tests.console.seeding import House
from tests.support import START

ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture(scope="module")
def bad_day(tmp_path_factory: pytest.TempPathFactory) -> House:
    return day(tmp_path_factory.mktemp("day"))


def test_positions_are_shown_with_what_protects_them(bad_day: House):
    text = bad_day.browser().get("/positions").text
    for shown in ("LONG 50", "SHORT 5", "112.45", "+1,127.5", "Not watched: no usable price", "110.201", "Held by no",
                  "No stop or target", "Flatten everything", "<path d=", "reached: entries wait", "75 %"):  # fmt: skip
        assert shown in text, shown


def test_positions_as_json(bad_day: House):
    rows = {row["symbol"]: row for row in bad_day.get("/api/positions").json["positions"]}
    assert rows[CE]["strategies"] == {"STRADDLE": "50"} and len(rows[CE]["protections"]) == 1
    assert (rows[CE]["net_quantity"], rows[CE]["last_price"], rows[CE]["age_seconds"]) == ("50", "110", 0)
    assert rows["GOLDPETAL26DECFUT"]["strategies"] == {}
    assert bad_day.get("/api/positions?client=other").status_code == 404


def test_positions_that_were_never_read_are_not_called_none(house: House):
    text = house.browser().get("/positions").text
    assert "Nothing is open" not in text and "positions were never read" in text


@pytest.mark.parametrize(
    ("side", "mark", "stop", "target"),
    [
        ("BUY", "105", "5", "15"),
        ("SELL", "105", "-5", "-15"),
        ("BUY", "99", "-1", "21"),
        ("BUY", None, None, None),
    ],
)
def test_a_distance_is_above_zero_while_a_level_is_not_met(side, mark, stop, target):
    row = {"side": side, "mark_price": mark, "stop_price": "100", "target_price": "120", "is_unknown": 0}
    found = distances(row)
    assert {name: each["away"] for name, each in found.items()} == (
        {} if mark is None else {"stop": stop, "target": target}
    )
    assert distances({**row, "is_unknown": 1}, "105") == {}


def test_the_course_of_the_day_has_a_gap_where_nothing_was_known():
    def at(minute: int, total: str | None) -> CoursePoint:
        return CoursePoint(START.replace(minute=minute), None if total is None else Decimal(total))

    assert chart_of([at(0, "1")]) is None
    whole = chart_of([at(0, "-50"), at(1, "100"), at(2, "25")])
    assert whole is not None
    assert (whole.path.count("M"), whole.has_gaps, whole.low, whole.high, whole.last) == (
        1,
        False,
        "-50",
        "100",
        "25",
    )
    for points in ([at(0, "1"), at(1, None), at(2, "2")], [at(0, "1"), at(30, "2")]):
        broken = chart_of(points)
        assert broken is not None and broken.has_gaps and broken.path.count("M") == 2


def test_the_state_of_trading_is_set_from_its_page(house: House):
    browser = house.browser()
    assert ">ACTIVE</a>" in browser.get("/health").text
    form = {"client_id": "default", "state": "HALTED", "by": "ann", "reason": "news", "next": "/trading"}
    answer = browser.post("/api/state", data=form, headers=ORIGIN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/trading")
    assert ">HALTED</a>" in browser.get("/positions").text
    browser.post("/api/state", data={**form, "state": "REDUCING"}, headers=ORIGIN)
    assert ">REDUCING</a>" in browser.get("/alerts").text
    browser.post("/api/state", data={**form, "state": "ACTIVE"}, headers=ORIGIN)
    browser.post("/api/state", data={**form, "strategy_name": "S9"}, headers=ORIGIN)
    assert "1 stopped" in browser.get("/").text


def test_a_form_leads_to_no_other_site(house: House):
    form = {"client_id": "default", "state": "HALTED", "next": "//evil.example/"}
    assert house.browser().post("/api/state", data=form, headers=ORIGIN).headers["Location"] == "/"


def test_a_stop_is_tightened_and_ended_from_its_page(house: House):
    path = f"/protections/{protect(house, house.fill(house.alert()[0]))}"
    browser = house.browser()
    loose = browser.post(path, data={"wish": "tighten", "stop_price": "100", "by": "ann"}, headers=ORIGIN)
    assert loose.status_code == 400 and "stop price" in loose.text and 'value="100"' in loose.text
    tight = browser.post(path, data={"wish": "tighten", "stop_price": "111", "by": "ann"}, headers=ORIGIN)
    assert "The levels are set" in tight.text and "111" in tight.text
    assert browser.post(path, data={"wish": "cancel", "by": "ann"}, headers=ORIGIN).status_code == 400
    over = browser.post(path, data={"wish": "cancel", "by": "ann", "reason": "mine"}, headers=ORIGIN)
    assert "nothing closes it by itself" in over.text
    assert browser.get("/protections/none").status_code == 404


def test_alerts_are_listed_with_what_became_of_them(bad_day: House):
    text = bad_day.browser().get("/alerts").text
    for shown in ("refused", "Nothing was traded", "read as native", "secrets masked", "exit failed"):
        assert shown in text, shown
    assert "<script>document" not in text
    refused = bad_day.get("/api/alerts?show=refused").json
    assert [row["outcome"] for row in refused["alerts"]] == ["rejected"]
    assert refused["last_24_hours"]["rejected"] == 1


def test_pages_of_alerts_lose_and_repeat_none(house: House):
    ids = [house.alert()[0].alert_id for _ in range(7)]
    seen, cursor = list[str](), None
    while True:
        page = house.get(f"/api/alerts?limit=3{f'&cursor={cursor}' if cursor else ''}").json
        seen += [row["alert_id"] for row in page["alerts"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert house.get("/api/alerts?cursor=xyz").status_code == 400


def test_an_empty_book_offers_the_curl_and_turned_away_senders_are_counted(house: House):
    house.strangers = house.strangers.plus(house.clock.now(), "10.9.9.9")
    text = house.browser().get("/alerts").text
    assert "curl http://localhost/webhook" in text and "YOUR_WEBHOOK_SECRET" in text
    assert "1 delivery without the right secret was turned away" in text and "10.9.9.9" in text


def test_a_preview_says_what_would_happen_and_makes_nothing(house: House):
    body = (
        '{"secret_key": "x", "execution_type": "ENTRY", "strategy_name": "S1", "exchange": "NSE", "legs": '
        '[{"tradingsymbol": "INFY", "direction": "BUY", "qty": 7, "product_type": "MIS", "order_type": "MARKET"}]}'
    )
    said = house.browser().post("/alerts", data={"body": body}, headers=ORIGIN).text
    assert "BUY 7 INFY MARKET" in said.replace("</b>", "")
    wrong = house.browser().post("/alerts", data={"body": body.replace("BUY", "UP")}, headers=ORIGIN).text
    assert "Refused" in wrong and "direction" in wrong
    assert house.get("/api/alerts").json["alerts"] == []


def test_a_cancel_is_previewed_with_the_entries_it_would_take_back_and_shown_with_those_it_took(house: House):
    body = '{"execution_type": "CANCEL", "strategy_name": "S1", "exchange": "NSE", "legs": [{"tradingsymbol": "INFY"}]}'
    nothing = house.browser().post("/alerts", data={"body": body}, headers=ORIGIN).text
    assert "all  entries in NSE INFY" in nothing and "it would cancel nothing" in nothing
    (order,) = house.alert(symbols=("INFY",), strategy_name="S1", exchange="NSE")
    said = house.browser().post("/alerts", data={"body": body}, headers=ORIGIN).text
    assert f"/orders/{order.command_id}" in said.partition("it would cancel:")[2].partition("<form")[0]
    assert house.store.get_by_id(order.command_id) == order
    alert = NATIVE.parse(decode(body.encode()), default_client="default")
    assert house.control.commands is not None
    house.control.commands.register(alert, Delivery(house.clock.now(), "10.0.0.9", body, "native"))
    page = house.browser().get("/alerts").text
    assert "entries of S1: 1 ended before they were sent" in page
    assert f'href="/orders/{order.command_id}">{order.command_id[-10:]}</a> ended' in page


def test_one_box_finds_an_order_by_any_id_or_its_end(house: House):
    first, other = house.alert(symbols=("INFY", "TCS"))
    placed = house.place(first)
    house.read_positions()  # an account's row names the client
    browser = house.browser()
    for typed in (first.command_id, first.command_id[-10:], placed.broker_order_id):
        assert browser.get(f"/find?q={typed}").headers["Location"] == f"/orders/{first.command_id}"
    both = browser.get(f"/find?q={first.alert_id}").text
    assert first.command_id in both and other.command_id in both
    assert browser.get("/find?q=tcs").headers["Location"] == "/?symbol=TCS*"
    assert browser.get("/find").headers["Location"] == "/"


def test_orders_as_a_file_carry_no_formula(house: House):
    house.block(house.alert(strategy_name="=HYPERLINK(1)", price=Decimal("-1.5"))[0])
    answer = house.browser().get("/orders.csv?status=FAILED")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert answer.content_type.startswith("text/csv")
    assert (row["strategy_name"], row["price"], row["tag"]) == (
        "'=HYPERLINK(1)",
        "-1.5",
        "RISK_BLOCKED:DAILY_LOSS_HIT",
    )
    assert house.browser().get("/orders.csv?status=EXECUTED").text.count("\n") == 1


def test_a_failed_exit_is_red_and_our_own_block_is_not(bad_day: House):
    text = bad_day.browser().get("/").text
    for name, words in (("exit-failed", "exit failed"), ("rejected", "broker refused"), ("ours", "blocked by our rule"),
                        ("cancelled", "cancelled"), ("unknown", "outcome unknown")):  # fmt: skip
        assert f'class="status {name}"' in text and f">{words}</span>" in text, name
