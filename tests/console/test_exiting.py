"""An operator exits from the console: what is shown is what is asked for, once."""

import html
import re
from decimal import Decimal

import pytest

from domain.broker_reports import Position, PositionsSnapshot
from tests.console.desk_day import CE, PE
from tests.console.seeding import House
from tests.support import START

ORIGIN = {"Origin": "http://localhost"}


@pytest.fixture
def held(house: House) -> House:
    """A strategy holds 50 of one symbol, and nobody holds 5 of another."""
    house.fill(house.alert()[0])
    rows = (Position("NFO", CE, "MIS", Decimal(50)), Position("NFO", PE, "NRML", Decimal(-5)))
    house.store.save_positions("default", PositionsSnapshot(house.clock.now(), rows), START.date())
    return house


def form_of(house: House, path: str = "/exit") -> dict[str, str]:
    text = house.browser().get(path).text
    fields = re.findall(r'<input type="hidden" name="(act|asked_at|exits)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in fields}


def exits_of(house: House) -> list[tuple[str, str, str]]:
    rows, _ = house.views.orders({}, limit=50)
    return [
        (row["strategy_name"], row["symbol"], row["requested_side"])
        for row in rows
        if row["execution_type"] == "EXIT"
    ]


def test_each_part_is_shown_and_asked_for(held: House):
    page = held.browser().get("/exit").text
    assert f"SELL 50 {CE}" in page and f"BUY 5 {PE}" in page and "held by no strategy" in page
    answer = held.browser().post("/exit", data={**form_of(held), "by": "ann"}, headers=ORIGIN)
    assert answer.status_code == 200 and "Follow it" in answer.text
    assert sorted(exits_of(held)) == [("OPERATOR", PE, "BUY"), ("STRADDLE", CE, "SELL")]
    assert all(asked[3] == "console:ann" for asked in held.control.asked)


def test_a_second_tap_exits_nothing_more(held: House):
    form = {**form_of(held, f"/exit?symbol={CE}"), "by": "ann"}
    browser = held.browser()
    for _ in range(3):
        assert browser.post("/exit", data=form, headers=ORIGIN).status_code == 200
        held.clock.advance(1)
    assert exits_of(held) == [("STRADDLE", CE, "SELL")]
    assert len({id_ for _, _, id_, _ in held.control.asked}) == 1


@pytest.mark.parametrize("seconds", [121, 7200])
def test_what_was_shown_too_long_ago_is_shown_anew_and_not_sent(held: House, seconds: int):
    form = {**form_of(held), "by": "ann"}
    held.clock.advance(seconds)
    answer = held.browser().post("/exit", data=form, headers=ORIGIN)
    assert answer.status_code == 409 and "nothing was sent" in answer.text
    assert exits_of(held) == []


@pytest.mark.parametrize("seconds", [121, 7200])
def test_an_act_that_was_sent_is_not_called_unsent_when_it_comes_again_late(held: House, seconds: int):
    form = {**form_of(held), "by": "ann"}
    browser = held.browser()
    assert browser.post("/exit", data=form, headers=ORIGIN).status_code == 200
    before = sorted(exits_of(held))
    held.clock.advance(seconds)
    answer = browser.post("/exit", data=form, headers=ORIGIN)
    assert answer.status_code == 200 and "Nothing more was sent now" in answer.text
    assert "nothing was sent" not in answer.text and 'name="act"' not in answer.text
    assert answer.text.count("Follow it") == 2 and sorted(exits_of(held)) == before


def test_what_is_shown_anew_is_the_same_position_in_its_present_size_and_not_one_that_turned(held: House):
    form = {**form_of(held), "by": "ann"}
    held.clock.advance(121)
    fewer = (Position("NFO", CE, "MIS", Decimal(50)), Position("NFO", PE, "NRML", Decimal(-3)))
    held.store.save_positions("default", PositionsSnapshot(held.clock.now(), fewer), START.date())
    answer = held.browser().post("/exit", data=form, headers=ORIGIN)
    assert answer.status_code == 409 and f"BUY 3 {PE}" in answer.text and f"SELL 50 {CE}" in answer.text
    turned = (Position("NFO", PE, "NRML", Decimal(3)),)
    held.store.save_positions("default", PositionsSnapshot(held.clock.now(), turned), START.date())
    assert f"SELL 3 {PE}" not in held.browser().post("/exit", data=form, headers=ORIGIN).text


def test_nobody_exits_without_a_name(held: House):
    answer = held.browser().post("/exit", data=form_of(held), headers=ORIGIN)
    assert answer.status_code == 400 and 'aria-invalid="true"' in answer.text
    assert exits_of(held) == []


@pytest.mark.parametrize("exits", ["", "{}", "[]", "[[1]]", '[["default"]]', "[" * 5000])
def test_a_list_that_is_none_is_refused(held: House, exits: str):
    form = {**form_of(held), "by": "ann", "exits": exits}
    assert held.browser().post("/exit", data=form, headers=ORIGIN).status_code == 400
    assert exits_of(held) == []


def test_one_strategy_alone_is_chosen(held: House):
    page = held.browser().get("/exit?strategy=STRADDLE").text
    assert CE in page and PE not in page


def test_a_form_of_another_site_exits_nothing(held: House):
    form = {**form_of(held), "by": "ann"}
    answer = held.browser().post("/exit", data=form, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403 and exits_of(held) == []


def test_positions_that_were_never_read_are_not_called_empty(house: House):
    answer = house.browser().get("/exit")
    assert answer.status_code in (404, 409) and "never read" in answer.text


def test_the_name_is_remembered_in_the_browser_alone(held: House):
    browser = held.browser()
    answer = browser.post("/exit", data={**form_of(held), "by": "Ann Ö"}, headers=ORIGIN)
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("orderwatch_name"))
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert 'value="Ann Ö"' in browser.get("/trading").text
