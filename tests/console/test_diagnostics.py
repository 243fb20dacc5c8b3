"""Each violation, planted; and what is none."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from domain.enums import Side
from domain.order_events import advance
from domain.reason_codes import Reason
from domain.states import Phase
from persistence.sqlite.triggers import TRIGGERS
from tests.console.seeding import House

PATH = "/api/diagnostics/recent-signals"


def report(house: House, **query: object) -> dict[str, Any]:
    answer = house.get(PATH, **query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def tamper(house: House, *statements: str) -> None:
    """What no code path can do."""
    with closing(sqlite3.connect(house.path, isolation_level=None)) as connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement)


def violations(found: dict[str, Any]) -> list[str]:
    return [each["violation"] for each in found["violations"]]


def test_nothing_is_fine(house: House):
    found = report(house)
    assert found["pass"] is True
    assert found["signals"] == found["violations"] == []
    assert found["total"] == 0 and found["hours"] == 168
    assert set(found["counts"].values()) == {0}


def test_every_way_an_order_goes_is_fine_when_it_is_told(house: House):
    one, two, three, four = house.alert(legs=4, signal_id="sig-9")
    house.fill(one)
    house.block(two)
    house.refuse(three)
    house.block(four, Reason.SIGNAL_ALREADY_SEEN, "alert a1")
    house.reject_alert()
    found = report(house)
    assert found["pass"] is True, found["violations"]
    assert found["counts"] == {
        "total_signals": 5, "placed": 1, "failed": 3, "dedup": 1,
        "missing_intent": 0, "null_decisions": 0, "failed_without_telegram": 0,
    }  # fmt: skip
    assert found["total"] == 5
    assert found["summary"].startswith("PASS: 5 signals in the last 168 hours")
    assert [signal["decision_type"] for signal in found["signals"]] == [
        "FAILED", "EXECUTED", "SKIPPED", "FAILED", "SKIPPED",
    ]  # fmt: skip
    assert {signal["signal_id"] for signal in found["signals"][1:]} == {"sig-9"}


def test_a_leg_without_an_intent(house: House):
    [order] = house.alert(signal_id="sig-1", symbol="INFY", side=Side.SELL)
    house.fill(order)
    tamper(house, "DELETE FROM order_intents")
    found = report(house)
    assert found["pass"] is False and found["counts"]["missing_intent"] == 1
    [violation] = found["violations"]
    assert violation["violation"] == "MISSING_INTENT"
    assert (violation["signal_id"], violation["symbol"], violation["side"]) == ("sig-1", "INFY", "SELL")
    assert order.command_id in violation["message"]
    assert "1 without an intent" in found["summary"]


def test_an_end_without_a_decision(house: House):
    [order] = house.alert()
    house.fill(order)
    tamper(house, "UPDATE orders SET decision_type = NULL")
    found = report(house)
    assert violations(found) == ["NULL_DECISION"] and found["counts"]["null_decisions"] == 1


@pytest.mark.parametrize("lost", [True, False])
def test_an_order_may_be_undecided_for_a_minute(house: House, lost: bool):
    [order] = house.alert()
    if lost:
        house.lose(order)
    house.clock.advance(59)
    assert report(house)["pass"] is True
    house.clock.advance(2)
    assert violations(report(house)) == ["NULL_DECISION"]


def test_an_unknown_outcome_that_was_told_is_no_violation(house: House):
    [order] = house.alert()
    lost = house.lose(order)
    house.clock.advance(61)
    house.apply(advance(lost, Phase.UNKNOWN, at=house.clock.now(), actor="watcher-1", escalation=2))
    found = report(house)
    assert found["pass"] is True
    assert found["counts"]["placed"] == found["counts"]["failed"] == 0


def test_an_order_at_the_broker_is_decided(house: House):
    [order] = house.alert()
    house.place(order)
    house.clock.advance(3600)
    assert report(house)["pass"] is True


def test_a_failure_of_which_no_message_says_so(tmp_path: Path):
    house = House(tmp_path, told=False)
    [blocked, refused] = house.alert(legs=2)
    house.block(blocked)
    house.refuse(refused)
    found = report(house)
    assert violations(found) == ["FAILED_WITHOUT_TELEGRAM"] * 2
    assert found["counts"]["failed_without_telegram"] == 2
    assert "RISK_BLOCKED:DAILY_LOSS_HIT" in found["violations"][0]["message"]


def test_a_rejected_alert_that_nobody_was_told_of(house: House):
    alert_id = house.reject_alert(tell=False)
    found = report(house)
    assert violations(found) == ["FAILED_WITHOUT_TELEGRAM"]
    assert found["violations"][0]["signal_id"] == alert_id
    assert found["counts"]["failed"] == found["total"] == 1


def test_the_window_the_side_and_the_limit(house: House):
    house.alert(signal_id="old")
    house.clock.advance(2 * 3600)
    for index in range(5):
        house.alert(signal_id=f"new{index}", side=Side.SELL if index == 4 else Side.BUY)
    assert report(house, hours=1)["total"] == 5
    assert report(house, hours=3)["total"] == 6
    assert report(house, side="sell")["total"] == 1
    few = report(house, hours=1, limit=2)
    assert [signal["signal_id"] for signal in few["signals"]] == ["new4", "new3"]
    assert few["total"] == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [("hours", "0"), ("hours", "8761"), ("hours", "x"), ("limit", "5001"), ("limit", "-1"), ("side", "UP")],
)
def test_parameters_that_make_no_sense(house: House, name: str, value: str):
    answer = house.get(PATH, **{name: value})
    assert answer.status_code == 400
    assert answer.json["error"]["field"] == name
