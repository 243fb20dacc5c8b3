"""Protections over HTTP: what is open, what a person may change, and what is refused."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.marks import Mark
from domain.protection import Covered, Protection, protection_of
from domain.protection_step import step
from tests.console.seeding import BEARER, House


@pytest.fixture
def protection(house: House) -> Protection:
    """A stop at 98 of a position of 50 at 100."""
    entry = replace(house.alert()[0], stop_loss="2%")
    made, event = protection_of(entry)
    now = house.clock.now() + timedelta(seconds=1)
    filled = Covered(Decimal(50), Decimal(100), True, Decimal(50), is_all=True)

    def work(tx: Any) -> Protection:
        tx.add_protection(made, event)
        found: Protection = tx.move_protection(step(made, filled, None, now))
        return found

    return house.store.write(work)


def change(house: House, id_: str, **fields: Any) -> Any:
    return house.anonymous().post(f"/api/protections/{id_}", json={"by": "ann", **fields}, headers=BEARER)


def test_open_protections_are_listed_and_all_of_them_where_that_is_asked(house, protection):
    def listed(query: str = "") -> list[str]:
        found = house.get(f"/api/protections{query}").json["protections"]
        return [row["status"] for row in found]

    assert listed() == listed("?client=default") == ["ACTIVE"]
    assert listed("?client=other") == []
    assert change(house, protection.protection_id, cancel=True, reason="by hand").status_code == 200
    assert (listed(), listed("?all=1")) == ([], ["ENDED"])


def test_a_change_is_answered_with_the_protection_and_its_history(house, protection):
    done = change(house, protection.protection_id, stop_price="99", target_price=110).json
    assert (done["stop_price"], done["target_price"]) == ("99", "110")
    assert done["events"][-1]["facts"] == {"by": "console:ann", "before": "98", "stop": "99", "target": "110"}
    assert house.get(f"/api/protections/{protection.protection_id}").json == done


REFUSED = [
    ({"stop_price": 97}, "stop_price"),
    ({"stop_price": 98}, "stop_price"),
    ({"stop_price": "high"}, "stop_price"),
    ({}, "stop_price"),
    ({"cancel": True}, "reason"),
    ({"cancel": "yes"}, "cancel"),
    ({"stop_price": 99, "confirm": "yes"}, "confirm"),
    ({"cancel": True, "stop_price": 99, "reason": "x"}, "cancel"),
    ({"stop": 99}, "stop"),
    ({"stop_price": 99, "by": None}, "by"),
]


@pytest.mark.parametrize(("fields", "field"), REFUSED)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(house, protection, fields, field):
    answer = change(house, protection.protection_id, **fields)
    assert (answer.status_code, answer.json["error"]["field"]) == (400, field)
    assert house.store.protection(protection.protection_id) == protection


@pytest.mark.parametrize(("field", "value"), [("stop_price", "150"), ("target_price", "99")])
def test_what_the_last_price_meets_is_refused_unless_it_is_confirmed(house, protection, field, value):
    last = Mark(protection.exchange, protection.symbol, Decimal(100), house.clock.now(), "test")
    house.store.write(lambda tx: tx.keep_marks(protection.client_id, [last]))
    refused = change(house, protection.protection_id, **{field: value})
    assert (refused.status_code, refused.json["error"]["field"]) == (400, field)
    assert "source test" in refused.json["error"]["message"]
    assert house.store.protection(protection.protection_id) == protection
    done = change(house, protection.protection_id, **{field: value, "confirm": True})
    assert (done.status_code, done.json[field]) == (200, value)


def test_a_protection_that_is_not_there_is_not_found(house):
    assert change(house, "p-none", cancel=True, reason="x").status_code == 404
    assert house.get("/api/protections/p-none").status_code == 404
