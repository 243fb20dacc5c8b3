"""The pages, as a browser without scripts would get them."""

import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from console import TradingMode
from domain.enums import OrderType, Side
from domain.reason_codes import Reason
from tests.console.seeding import House

EVIL = "<script>alert('x')</script>"
EVIL_ATTRIBUTE = '"><img src=x onerror=alert(1)>'


def page(house: House, path: str = "/", **query: object) -> str:
    answer = house.get(path, **query)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_the_book_of_a_first_day_is_empty(house: House):
    assert "No orders yet" in page(house)
    assert "No order fits" in page(house, symbol="X")


def test_a_row_tells_what_an_order_is(house: House):
    [order] = house.alert(side=Side.SELL, order_type=OrderType.STOP_LIMIT, trigger_price=Decimal(110))
    filled = house.fill(order)
    text = page(house)
    for shown in ("STRADDLE", "SELL", "NIFTY26NOV24500CE", "STOP LIMIT 112.5 trigger 110", "112.45", "EXECUTED",
                  filled.broker_order_id, f'href="/orders/{order.command_id}"', "04:00:00"):  # fmt: skip
        assert str(shown) in text


def test_a_tag_carries_its_sentence(house: House):
    house.block(house.alert()[0])
    text = page(house)
    assert ">Daily loss limit hit: no new entries today · lost 5,200 of 5,000<" in text


def test_a_brokers_own_code_is_explained_by_its_message(house: House):
    house.refuse(house.alert()[0])
    assert ">RMS: margin exceeds<" in page(house)


def test_chips_count_and_keep_the_other_filters(house: House):
    house.block(house.alert(symbol="INFY")[0])
    house.alert(symbol="INFY")
    house.alert()
    text = page(house, symbol="INFY", status="failed")
    assert 'href="/?status=FAILED&amp;symbol=INFY" aria-current="true">Failed <b>1</b>' in text
    assert 'href="/?symbol=INFY">All <b>2</b>' in text
    assert 'value="INFY"' in text


def test_pages_lead_through_all_orders(house: House):
    ids = [house.alert()[0].command_id for _ in range(7)]
    seen, path = [], "/?limit=3&strategy=STRADDLE"
    while path:
        text = page(house, path)
        seen += re.findall(r'<tr id="o-([^"]+)"', text)
        link = re.search(r'<a href="([^"]+)" rel="next">', text)
        path = link.group(1).replace("&amp;", "&") + "&limit=3" if link else ""
        assert not path or "strategy=STRADDLE" in path
    assert seen == list(reversed(ids))


def test_the_head_of_a_good_day(house: House):
    house.beat()
    house.read_positions()
    text = page(house)
    for shown in ("simulated", "watcher alive", "positions 0 s", "−1,372.5"):
        assert shown in text
    assert "halted" not in text


def test_the_head_of_a_bad_day(tmp_path: Path):
    house = House(tmp_path, modes={"default": TradingMode.SIMULATED, "real": TradingMode.LIVE})
    house.halt(reason="news")
    house.lose(house.alert()[0])
    text = page(house)
    for shown in (
        "No new entries; exits go on",
        "watcher down",
        "positions never read",
        "1 unknown",
        ">live<",
    ):
        assert shown in text


def test_a_story_from_the_alert_to_the_last_message(house: House):
    one, other = house.alert(legs=2, raw_body='{"qty": 50.00}', signal_id="sig-7")
    house.clock.advance(0.012)
    house.fill(one)
    house.block(other)
    text = page(house, f"/orders/{one.command_id}")
    for shown in ("registered", "submitting", "working", "filled", "+12 ms", "50.00", "sig-7", "10.0.0.9",
                  "Order placed", "Order filled", other.command_id, one.client_order_id):  # fmt: skip
        assert shown in text
    story_of_blocked = page(house, f"/orders/{other.command_id}")
    assert "Daily loss limit hit" in story_of_blocked and "What would be sent" in story_of_blocked
    assert "&lt;b&gt;" not in story_of_blocked  # a message is shown as its reader sees it


def test_an_order_of_no_alert_has_a_story_too(house: House):
    [order] = house.alert()
    with closing(sqlite3.connect(house.path)) as connection, connection:
        connection.execute("DELETE FROM alerts")
    assert "asked for by an operator" in page(house, f"/orders/{order.command_id}")


def test_the_health_page(house: House):
    house.beat()
    house.beat("watcher-0", "STALLED")
    house.read_positions()
    house.store.save_read_error("default", house.clock.now(), "connection reset")
    house.halt("S1", "too wild")
    house.fill(house.alert()[0])
    lost = house.lose(house.alert(symbol="INFY")[0])
    text = page(house, "/health")
    for shown in ("watcher-1", "reconcile", "loop execute of default is STALLED", "connection reset", "too wild",
                  "Resume", "2 messages to be sent", "1 order of unknown outcome", lost.command_id):  # fmt: skip
        assert shown in text


def test_the_health_page_before_anything_ran(house: House):
    text = page(house, "/health")
    assert "No watcher runs" in text and "Nothing is halted" in text


@pytest.mark.parametrize("evil", [EVIL, EVIL_ATTRIBUTE, "{{ 7 * 7 }}"])
def test_what_others_wrote_stays_text(house: House, evil: str):
    [order] = house.alert(symbol=evil, strategy_name=evil, raw_body=evil, signal_id=evil, exchange=evil)
    house.block(order, Reason.DAILY_LOSS_HIT, evil)
    house.refuse(house.alert(symbol=evil)[0])
    house.lose(house.alert(symbol=evil)[0])
    house.halt(evil, evil)
    house.store.save_read_error("default", house.clock.now(), evil)
    for path in (
        "/",
        f"/orders/{order.command_id}",
        "/health",
        f"/?symbol={evil}",
        "/orders/" + evil.replace("/", ""),
    ):
        text = house.get(path).text
        assert "<script>" not in text and "<img src=x" not in text, path
        assert "49" not in text or evil != "{{ 7 * 7 }}", path
    assert "&lt;" in page(house) or "{{" in page(house)


def test_no_page_has_inline_script_or_style(house: House):
    house.fill(house.alert()[0])
    for path in ("/", "/health", "/login", "/orders/alert0001-1"):
        text = page(house, path)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), path
        assert not re.search(r'(src|href|action)="(https?:)?//', text), path
