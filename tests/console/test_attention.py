"""What needs a person stands on the first page until it is over, or until somebody has seen it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attention import Decided, Decision, Item, Need, parted
from domain.broker_reports import PositionsSnapshot
from domain.risk_stops import RiskRule, Stop, StopKey
from tests.console.desk_day import CE, PE, day, exit_of
from tests.console.seeding import BEARER, House
from tests.support import START

HIDING = (Decided.ACKNOWLEDGED, Decided.SNOOZED)


@pytest.fixture(scope="module")
def bad_day(tmp_path_factory: pytest.TempPathFactory) -> House:
    return day(tmp_path_factory.mktemp("day"))


def strip_of(house: House) -> str:
    """The words of the open items, one line each."""
    text = house.browser().get("/").text
    found = re.search(r'<ul class="items" id="needs".*?</ul>\s*<div id="seen"', text, re.S)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.group()))


def badge_of(house: House, path: str = "/health") -> int:
    found = re.search(r'class="badge \w+">(\d+)<', house.browser().get(path).text)
    assert found is not None
    return int(found.group(1))


def keys_of(house: House) -> list[tuple[str, str]]:
    text = house.browser().get("/").text.split('<div id="seen"')[0]
    return re.findall(r'name="item" value="([^"]*)"><input type="hidden" name="facts" value="([^"]*)"', text)


def decide(house: House, item: tuple[str, str], decision: str, **more: object):
    body = {"item": item[0], "facts": item[1], "decision": decision, "by": "ann", **more}
    return house.anonymous().post("/api/attention", json=body, headers=BEARER)


def test_each_matter_is_told_with_what_it_means_and_one_way_on(bad_day: House):
    text, page = strip_of(bad_day), bad_day.browser().get("/").text
    for said in ("Exit failed", "Still held: 50", "Outcome unknown", "Stop not watched", "One leg only",
                 "Position differs", "Limit reached", "lost 512 of 500", "Halted", "Over an hour"):  # fmt: skip
        assert said in text, said
    for way in (f"/exit?client=default&amp;exchange=NFO&amp;symbol={PE}&amp;strategy=STRANGLE", "#resolve",
                "/protections/p-", "/review#positions", "/api/latches/lift", "/api/resume"):  # fmt: skip
        assert way in page, way
    assert badge_of(bad_day) == badge_of(bad_day, "/positions") == 8


def test_the_most_urgent_comes_first(bad_day: House):
    needs = [key.partition("|")[0] for key, _ in keys_of(bad_day)]
    assert needs == sorted(needs, key=lambda need: list(Need).index(Need(need)))
    assert needs[0] == Need.EXIT_FAILED


def test_nothing_is_called_calm_that_was_not_read(house: House):
    assert "Nothing needs you." not in strip_of(house)
    house.beat()
    house.store.save_positions(
        "default", PositionsSnapshot(house.clock.now(), ()), START.date(), compared_at=house.clock.now()
    )
    assert "Nothing needs you." in strip_of(house) and badge_of(house) == 0


def test_a_failed_exit_stands_until_nothing_is_held(house: House):
    entry = house.fill(house.alert()[0])
    house.refuse(exit_of(house, CE, "STRADDLE"))
    assert "Exit failed" in strip_of(house)
    again = exit_of(house, CE, "STRADDLE")
    assert "Exit failed" not in strip_of(house), "another exit is under way"
    house.refuse(again)
    assert "Exit failed" in strip_of(house)
    house.fill(exit_of(house, CE, "STRADDLE"))
    assert entry.symbol == CE and "Exit failed" not in strip_of(house)


def test_what_somebody_has_seen_leaves_the_strip_and_comes_back_when_it_changes(house: House):
    house.beat()
    house.read_positions()
    house.halt("S9", "news")
    [item] = [each for each in keys_of(house) if each[0].startswith("HALTED")]
    assert decide(house, item, "ACKNOWLEDGED").json["by"] == "console:ann"
    assert "Halted" not in strip_of(house) and badge_of(house) == 0
    assert "acknowledged by console:ann" in house.browser().get("/").text
    house.clock.advance(3)
    house.halt("S9", "more news")
    assert "Halted" in strip_of(house)


def test_a_snooze_ends_by_itself_and_each_decision_is_kept(house: House):
    house.halt("S9", "news")
    [item] = [each for each in keys_of(house) if each[0].startswith("HALTED")]
    assert decide(house, item, "SNOOZED", minutes="30").status_code == 200
    house.clock.advance(30 * 60 - 1)
    assert "Halted" not in strip_of(house)
    house.clock.advance(1)
    assert "Halted" in strip_of(house)
    decide(house, item, "ACKNOWLEDGED")
    decide(house, item, "REOPENED", reason="mine")
    assert "Halted" in strip_of(house)
    kept = house.get("/api/attention/decisions").json["decisions"]
    assert [each["decision"] for each in kept] == ["REOPENED", "ACKNOWLEDGED", "SNOOZED"]
    assert kept[0]["reason"] == "mine" and kept[2]["until"] > kept[2]["at"]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"item": "WEATHER|default|"}, 404, None),
        ({"decision": "FORGET"}, 400, "decision"),
        ({"decision": "SNOOZED", "minutes": "1441"}, 400, "minutes"),
        ({"minutes": "5"}, 400, "minutes"),
        ({"item": ""}, 400, "item"),
    ],
)
def test_what_is_no_decision_is_refused_and_kept_nowhere(house: House, changes, status, field):
    body = {"item": "HALTED|default|S9", "facts": "", "decision": "ACKNOWLEDGED", "by": "ann"} | changes
    answer: Any = house.anonymous().post("/api/attention", json=body, headers=BEARER)
    assert (answer.status_code, answer.json["error"]["field"]) == (status, field)
    assert house.get("/api/attention/decisions").json["decisions"] == []


def test_what_could_hide_later_failures_is_snoozed_and_never_acknowledged(house: House):
    def services() -> list[tuple[str, str]]:
        return [each for each in keys_of(house) if each[0].startswith("SERVICE")]

    first = services()[0]
    answer: Any = decide(house, first, "ACKNOWLEDGED")
    assert (answer.status_code, answer.json["error"]["field"]) == (400, "decision")
    assert "SNOOZED" in answer.json["error"]["message"] and first in services()
    house.halt("S9", "news")
    forms = house.browser().get("/").text.split("<details")
    offered = {
        form.split('name="item" value="')[1].partition("|")[0]: "ACKNOWLEDGED" in form
        for form in forms
        if 'name="item"' in form
    }
    assert offered == {"SERVICE": False, "BROKER": False, "HALTED": True}
    assert decide(house, first, "SNOOZED", minutes="5").status_code == 200 and first not in services()
    house.clock.advance(300)
    assert first in services()


@pytest.mark.parametrize("need", list(Need))
def test_what_was_acknowledged_before_hides_only_what_its_facts_tell_apart(need: Need):
    item = Item(need, "default", "x")
    decision = Decision(item.key, "default", "", Decided.ACKNOWLEDGED, "ann", START)
    assert decision.hides(item, START) == (need not in (Need.SERVICE, Need.BROKER, Need.LONG_AT_BROKER))


def test_a_limit_says_until_when_entries_wait_and_not_until_tomorrow_where_it_is_longer(house: House):
    key = StopKey("default", "SWING", RiskRule.LOSING_DAYS)
    stop = Stop(key, START, until=START + timedelta(days=4), detail="3 trading days with a loss")
    house.store.write(lambda tx: tx.put_stop(stop))
    day = f"{START + timedelta(days=4):%d %b}"
    health = re.sub(r"\s+", " ", house.browser().get("/health").text)
    for text in (strip_of(house), health):
        assert re.search(rf"[Nn]o new entries until {day} \d\d:\d\d:\d\d; exits go on", text)
        assert "until the next trading day" not in text


def test_a_form_of_another_site_decides_nothing(house: House):
    form = {"item": "HALTED|default|S9", "facts": "", "decision": "ACKNOWLEDGED"}
    answer = house.browser().post("/api/attention", data=form, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert house.get("/api/attention/decisions").json["decisions"] == []


@given(
    facts=st.sampled_from(["a", "b"]),
    decided=st.sampled_from(list(Decided)),
    minutes=st.none() | st.integers(1, 5),
    later=st.integers(-3, 8),
)
def test_a_decision_hides_only_the_facts_that_were_seen_and_only_for_its_time(facts, decided, minutes, later):
    item = Item(Need.HALTED, "default", "S9", "a")
    until = None if minutes is None else START + timedelta(minutes=minutes)
    decision = Decision(item.key, "default", facts, decided, "ann", START, until)
    still_open, seen = parted([item], {item.key: decision}, START + timedelta(minutes=later))
    hides = facts == "a" and decided in HIDING and (minutes is None or 0 <= later < minutes)
    assert ([], [(item, decision)]) == (still_open, seen) if hides else (still_open, seen) == ([item], [])
