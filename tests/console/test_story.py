"""An order's story: one line for each stored row, in the order of time, and nothing that is not stored."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.story import story_lines
from console.story_line import Kind, Line
from domain.cancellation import cancel_asked
from domain.entry_waits import Wait, WaitsFor
from domain.order import Order
from domain.order_events import advance
from domain.states import Phase
from domain.times import time_text
from domain.transitions import claimed, resolved_fill, waiting
from tests.console.desk_day import day
from tests.console.seeding import House

GROUP = """
INSERT INTO order_groups (group_id, alert_id, client_id, strategy_name, policy, when_incomplete, minimum, legs,
    created_at, updated_at, state, why, version)
VALUES ('g1', :alert, 'default', 'STRADDLE', 'all_or_none', 'unwind', 2, :legs, :at, :at, 'UNWOUND', '', 1)
"""


def lines(house: House, order: Order) -> list[Line]:
    story = house.views.story(order.command_id)
    assert story is not None
    return story_lines(story)


def told(house: House, order: Order) -> str:
    """The lines as a reader sees them, without their times."""
    return "\n".join(
        f"{line.kind}: {line.sentence} " + "; ".join(f"{name} {value}" for name, value, _ in line.facts)
        for line in lines(house, order)
    )


def test_each_stored_row_of_a_bad_day_is_one_line_in_the_order_of_time(tmp_path: Path):
    house = day(tmp_path)
    kinds = set[Kind]()
    for row in house.views.orders({}, limit=100)[0]:
        story = house.views.story(row["command_id"])
        assert story is not None
        found = story_lines(story)
        stored = [f"e-{event['event_id']}" for event in story["events"]]
        stored += [f"m-{message['id']}" for message in story["messages"]]
        stored += [f"p-{event['event_id']}" for each in story["protections"] for event in each["events"]]
        stored += [f"a-{row['alert_id']}", f"r-{row['alert_id']}"]
        assert sorted(line.id for line in found) == sorted(stored)
        assert [line.at for line in found] == sorted(line.at for line in found)
        assert all(line.sentence[0].isprintable() and line.sentence.endswith((".", "Ltd")) for line in found)
        kinds |= {line.kind for line in found}
    assert kinds >= {
        Kind.ALERT,
        Kind.READ,
        Kind.ORDER,
        Kind.RULE,
        Kind.CLAIM,
        Kind.BROKER,
        Kind.PROTECTION,
        Kind.MESSAGE,
    }


def test_a_filled_order_from_the_alert_to_the_fill(house: House):
    [order] = house.alert(raw_body='{"secret_key": "***"}', signal_id="sig-7")
    house.clock.advance(1)
    house.fill(order)
    found = lines(house, order)
    assert [line.kind for line in found[:4]] == [Kind.ALERT, Kind.READ, Kind.ORDER, Kind.CLAIM]
    assert found[0].text == '{"secret_key": "***"}'
    text = told(house, order)
    for sentence in (
        "Alert: An alert came from 10.0.0.9. Alert alert0001; Signal sig-7",
        "Order: BUY 50 NIFTY26NOV24500CE (entry) was registered for the alert. Nothing is sent yet. Order LIMIT 112.5",
        "Claim: Claimed for sending by watcher-1: from here on the broker may have it. Request BUY 50 "
        f"NIFTY26NOV24500CE LIMIT 112.5; Product MIS; Our id at the broker {order.client_order_id}",
        "Broker: The broker accepted it as B00002. Broker id B00002",
        "Broker: It is filled. Filled 50 of 50; Average price 112.45",
        "Message: Filled: waits to be sent.",
    ):
        assert sentence in text


def test_a_verdict_of_ours_stands_with_its_facts(house: House):
    [order] = house.alert()
    wait = Wait(WaitsFor.EXIT, house.clock.now())
    house.block(house.apply(waiting(order, wait, at=house.clock.now(), actor="watcher-1")))
    text = told(house, order)
    assert (
        f"Our rules: It waits for something that has to come first. What for {WaitsFor.EXIT.sentence}" in text
    )
    assert (
        "Our rules: Blocked: Daily loss limit hit: no new entries today. Nothing was sent. Facts lost 5,200 of 5,000"
        in text
    )
    assert "Claim" not in text and "Broker:" not in text


def test_what_a_person_did_is_told_with_the_name(house: House):
    [order] = house.alert()
    lost = house.lose(order)
    assert "Broker: It is not known whether the broker has it: it may be live. Why timed out" in told(
        house, order
    )
    house.apply(
        resolved_fill(lost, "B7", lost.quantity, None, at=house.clock.now(), actor="console:ann", text="seen")
    )
    assert (
        "By hand: ann (console) recorded: it is filled. Broker id B7; Filled 50 of 50; Reason seen"
        in told(house, order)
    )
    placed = house.place(house.alert(symbol="TCS")[0])
    asked = cancel_asked(placed, at=house.clock.now(), actor="telegram:4711", reason="too wild")
    assert asked is not None
    after = house.apply(asked)
    house.apply(
        advance(
            after, Phase.WORKING, at=house.clock.now(), actor="watcher-1", cancel_sent_at=house.clock.now()
        )
    )
    text = told(house, placed)
    assert "Cancel: A cancel was asked for by 4711 (telegram)." in text and "Reason too wild" in text
    assert "Cancel: The cancel was sent to the broker, whose book decides." in text


def test_the_history_keeps_its_order_where_the_clock_was_set_back(house: House):
    [order] = house.alert()
    house.clock.advance(60)
    order = house.apply(claimed(order, at=house.clock.now(), claimant="watcher-1"))
    house.clock.advance(-30)
    house.apply(
        advance(order, Phase.REFUSED, at=house.clock.now(), actor="watcher-1", reason_message="margin")
    )
    events = [line.id for line in lines(house, order) if line.id.startswith("e-")]
    assert events == sorted(events, key=lambda id_: int(id_[2:])) and len(events) == 3


def test_a_group_of_legs_is_told_on_the_page_of_each_leg_alone(house: House):
    one, other, alone = house.alert(legs=3)
    at = time_text(house.clock.now())
    with closing(sqlite3.connect(house.path)) as connection, connection:
        legs = json.dumps([one.command_id, other.command_id])
        connection.execute(GROUP, {"alert": one.alert_id, "legs": legs, "at": at})
        for state, detail in (("FORMING", ""), ("UNWINDING", "the put was refused"), ("UNWOUND", "")):
            connection.execute(
                "INSERT INTO order_group_events (group_id, at, to_state, detail) VALUES ('g1', ?, ?, ?)",
                (at, state, detail),
            )
    for leg in (one, other):
        assert (
            "The group is given up: what waits is cancelled, what is filled is exited. Why the put was refused"
            in told(house, leg)
        )
    assert "Group" not in told(house, alone)


def test_the_page_says_the_exact_time_in_the_zone_and_folds_the_engines_words_away(tmp_path: Path):
    house = House(tmp_path, zone=ZoneInfo("Asia/Kolkata"))
    [order] = house.alert(raw_body="{}")
    house.clock.advance(0.25)
    house.block(order)
    text = house.get(f"/orders/{order.command_id}").text
    story, engineers = text.split("For engineers", 1)
    assert "times in IST" in story and "09:30:00.250" in story and "+250 ms" in story
    assert "Blocked: Daily loss limit hit" in story
    assert "REGISTERED" not in re.sub(r"<[^>]*>", "", story) and "by webhook" in engineers
    as_json = house.get(f"/api/orders/{order.command_id}").json
    assert (as_json["groups"], as_json["alert_messages"]) == ([], [])


def test_a_message_about_the_alert_as_a_whole_is_in_the_story(house: House):
    [order] = house.alert()
    with closing(sqlite3.connect(house.path)) as connection, connection:
        connection.execute(
            "INSERT INTO telegram_messages (client_id, kind, message, timestamp, status, attempts, last_error, "
            "alert_id, blocked) VALUES ('default', 'ALERT_REJECTED', 'for <b>two</b>', ?, 'FAILED', 9, 'no', ?, 0)",
            (time_text(house.clock.now()), order.alert_id),
        )
    [line] = [line for line in lines(house, order) if line.kind is Kind.MESSAGE]
    assert (line.sentence, line.text) == ("Alert rejected: not delivered.", "for two")
    assert line.facts[0].value == "no"


@pytest.mark.parametrize("stored", ["[]", "no JSON", None])
def test_a_context_that_cannot_be_read_costs_nobody_the_page(house: House, stored: str | None):
    [order] = house.alert()
    with closing(sqlite3.connect(house.path)) as connection, connection:
        connection.execute("UPDATE alerts SET context_json = ?", (stored,))
    assert "Read as: native: an alert of STRADDLE." in told(house, order)
