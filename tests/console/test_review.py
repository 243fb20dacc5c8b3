"""What a person should look at: shown on a page, as JSON, and in the head of every page."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.position_comparison import Difference
from tests.console.seeding import House

HOUR = 3600


def differ(
    house: House,
    symbol: str,
    held: int,
    at_broker: int,
    *,
    external: bool = False,
    client_id: str = "default",
) -> None:
    d = Difference("NFO", symbol, "MIS", Decimal(held), Decimal(at_broker), is_external=external)
    now = house.clock.now()
    house.store.write(lambda tx: tx.keep_difference(client_id, d, now, now))


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
    answer = house.get("/api/diagnostics/positions").json
    assert (answer["differences"], answer["compared"], answer["pass"]) == ([], False, False)
    assert house.get("/api/diagnostics/frozen-orders").json["orders"] == []
    text = house.get("/review").text
    assert text.count("None.") == 3 and "nothing is compared" in text
    assert "differ</a>" not in text


POSITIONS_ARE_FINE = '<li class="good"><b>positions</b><span>no differences'


def test_positions_that_were_read_and_are_as_held_pass(house: House):
    house.read_positions()
    answer = house.get("/api/diagnostics/positions").json
    assert (answer["compared"], answer["not_compared"], answer["pass"]) == (True, [], True)
    assert POSITIONS_ARE_FINE in house.get("/health").text


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("never", "positions were never read"),
        ("old", "positions were read 61 s ago, 60 s are allowed"),
        ("failed", "the last read failed: session expired"),
        ("other", "positions were never read"),
    ],
)
def test_nothing_passes_that_was_not_compared(tmp_path: Path, what: str, why: str):
    house = House(tmp_path, modes={"default": None, "bob": None})
    for client in {"never": ["bob"], "other": ["default"]}.get(what, ["default", "bob"]):
        house.read_positions(client)
    if what == "old":
        house.clock.advance(61)
        house.read_positions("bob")
    if what == "failed":
        house.store.save_read_error("default", house.clock.now(), "session expired")
    answer = house.get("/api/diagnostics/positions").json
    client = "bob" if what == "other" else "default"
    assert answer["not_compared"] == [{"client_id": client, "why": why}]
    assert (answer["compared"], answer["pass"]) == (False, False)
    health = house.get("/health").text
    assert POSITIONS_ARE_FINE not in health and f"{client} not compared: {why}" in health


def test_what_stands_of_a_client_that_is_configured_no_more_concerns_nobody(house: House):
    house.read_positions()
    differ(house, "INFY", 50, 60, client_id="gone")
    answer = house.get("/api/diagnostics/positions").json
    assert (answer["differences"], answer["pass"]) == ([], True)
    assert house.get("/api/health").json["position_differences"] == []
    assert "differs</a>" not in house.get("/").text and "INFY" not in house.get("/review").text


def test_orders_long_at_the_broker_are_all_counted_though_not_all_are_listed(
    busy: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("console.context._MOST_FROZEN", 1)
    answer = busy.get("/api/diagnostics/frozen-orders").json
    assert (len(answer["orders"]), answer["total"]) == (1, 2)
    assert "the oldest 1 of 2" in busy.get("/review").text


def test_the_health_page_counts_orders_long_at_the_broker_and_reads_none(
    busy: House, monkeypatch: pytest.MonkeyPatch
):
    def read(*_: object, **__: object) -> None:
        raise AssertionError("rows were read to be counted")

    monkeypatch.setattr(busy.views, "frozen_orders", read)
    assert "2 orders for over an hour" in busy.get("/health").text


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
