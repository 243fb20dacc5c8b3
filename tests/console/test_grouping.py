"""What protects a group as a whole, shown and ended over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

from domain.alert import Delivery
from domain.broker_reports import PositionsSnapshot
from domain.combined import CombinedTerms, CombinedUnit
from tests.console.seeding import BEARER, House
from tests.support import START, entry, leg

STOP = CombinedTerms(CombinedUnit.MONEY, stop_loss=Decimal(1000))


@pytest.fixture
def group_id(house: House) -> str:
    """The group of two entries that are protected as a whole."""
    assert house.control.commands is not None
    read = PositionsSnapshot(house.clock.now(), ())
    house.store.save_positions("default", read, START.date(), compared_at=house.clock.now())
    delivery = Delivery(house.clock.now(), "127.0.0.1", "{}", "native")
    receipt = house.control.commands.register(entry(leg(), leg("OTHER"), combined=STOP), delivery)
    return receipt.legs[0].command_id


def change(house: House, id_: str, **fields: Any) -> Any:
    return house.anonymous().post(f"/api/groups/{id_}", json={"by": "ann", **fields}, headers=BEARER)


def test_a_person_ends_it_and_the_history_says_who_and_why(house: House, group_id: str) -> None:
    [group] = house.get("/api/groups").json["groups"]
    assert (group["combined"]["kept"], group["combined"]["is_over"]) == ("-1000", False)
    done = change(house, group_id, cancel=True, reason="held over night")
    assert (done.status_code, done.json) == (200, {"group_id": group_id, "cancelled": True})
    [group] = house.get("/api/groups").json["groups"]
    assert group["combined"]["is_over"] is True
    assert group["events"][-1]["kind"] == "CANCELLED"
    assert (
        "console:ann" in group["events"][-1]["detail"] and "held over night" in group["events"][-1]["detail"]
    )
    page = house.browser().get(f"/orders/{group_id}").text
    assert "A person ended the group&#39;s combined protection." in page


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"reason": "x"}, 400, "cancel"),
        ({"cancel": False, "reason": "x"}, 400, "cancel"),
        ({"cancel": True}, 400, "reason"),
        ({"cancel": True, "reason": "x", "stop_loss": 5}, 400, "stop_loss"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    house: House, group_id: str, fields: Any, status: int, field: str
) -> None:
    answer = change(house, group_id, **fields)
    assert (answer.status_code, answer.json["error"]["field"]) == (status, field)


def test_an_unknown_group_and_one_that_is_not_protected_are_named(house: House, group_id: str) -> None:
    assert change(house, "nothing", cancel=True, reason="x").status_code == 404
    assert change(house, group_id, cancel=True, reason="x").status_code == 200
    again = change(house, group_id, cancel=True, reason="x")
    assert (again.status_code, again.json["error"]["field"]) == (400, "group_id")
