"""What a person should look at: shown on a page, as JSON, and in the head of every page."""

from decimal import Decimal

import pytest

from domain.position_check import Difference
from tests.console.seeding import House

HOUR = 3600


def differ(house: House, symbol: str, held: int, at_broker: int, *, external: bool = False) -> None:
    d = Difference("NFO", symbol, "MIS", Decimal(held), Decimal(at_broker), is_external=external)
    now = house.clock.now()
    house.store.write(lambda tx: tx.keep_difference("default", d, now, now))


@pytest.fixture
def busy(house: House) -> House:
    """Two orders at the broker for over an hour, one that is young, one that has ended; two positions that differ."""
    house.lose(house.alert(symbol="LOST")[0])
    house.clock.advance(60)
    house.place(house.alert(symbol="RESTING")[0])
    house.fill(house.alert(symbol="DONE")[0])
    house.clock.advance(HOUR)
    house.place(house.alert(symbol="YOUNG")[0])
    house.read_positions()
    differ(house, "INFY", 50, 60)
    differ(house, "GOLD", 0, -5, external=True)
    return house


def test_orders_long_at_the_broker_oldest_first_as_json(busy: House):
    answer = busy.get("/api/diagnostics/frozen-orders").json
    assert answer["total"] == 2 and "look whether it should still be there" in answer["meaning"]
    one, two = answer["orders"]
    assert (one["symbol"], one["phase"], one["attempts"], one["why"]) == (
        "LOST",
        "UNKNOWN",
        1,
        "outcome unknown: timed out",
    )
    assert (two["symbol"], two["phase"]) == ("RESTING", "WORKING")
    assert one["age_seconds"] > two["age_seconds"] >= HOUR


def test_positions_that_differ_as_json(busy: House):
    answer = busy.get("/api/diagnostics/positions").json
    assert answer["pass"] is False
    assert [
        (d["symbol"], d["held"], d["at_broker"], d["difference"], d["kind"]) for d in answer["differences"]
    ] == [
        ("GOLD", "0", "-5", "-5", "EXTERNAL"),
        ("INFY", "50", "60", "10", "DIFFERENT"),
    ]
    assert answer["accounts"][0]["positions_age_seconds"] < 1


def test_nothing_to_look_at(house: House):
    assert house.get("/api/diagnostics/positions").json["pass"] is True
    assert house.get("/api/diagnostics/frozen-orders").json["orders"] == []
    text = house.get("/review").text
    assert text.count("None.") == 3 and "nothing is compared" in text
    assert "differ</a>" not in text


def test_the_page_shows_all_of_it(busy: House):
    busy.store.save_read_error("default", busy.clock.now(), "connection reset")
    text = busy.get("/review").text
    for shown in ("LOST", "RESTING", "61 min", "outcome unknown: timed out", "a LIMIT order may rest", "INFY", "+10",
                  "GOLD", "−5", "not ours", "connection reset", "2 positions differ"):  # fmt: skip
        assert shown in text, shown
    assert "YOUNG" not in text and "DONE" not in text
    assert text.index("LOST") < text.index("RESTING")


def test_the_head_and_health_tell_of_differences(busy: House):
    assert '/review#positions">2 positions differ</a>' in busy.get("/").text
    health = busy.get("/health").text
    assert "2 differences from what strategies hold" in health and "2 orders for over an hour" in health
    told = busy.get("/api/health").json
    assert len(told["position_differences"]) == 2 and len(told["frozen_orders"]) == 2


def test_what_others_wrote_stays_text(house: House):
    evil = "<script>alert('x')</script>"
    house.place(house.alert(symbol=evil, strategy_name=evil)[0])
    differ(house, evil, 0, 1, external=True)
    house.clock.advance(2 * HOUR)
    text = house.get("/review").text
    assert "&lt;script&gt;" in text and "<script>alert" not in text


@pytest.mark.parametrize("path", ["/review", "/api/diagnostics/frozen-orders", "/api/diagnostics/positions"])
def test_it_is_for_those_who_know_the_token(house: House, path: str):
    answer = house.anonymous().get(path)
    assert answer.status_code == (401 if path.startswith("/api/") else 303)
