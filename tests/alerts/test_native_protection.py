"""What protects a position in a native alert beyond one stop, one target and a trail."""

from decimal import Decimal
from typing import Any

import pytest

from domain.combined import CombinedTerms, CombinedUnit
from domain.ids import content_hash
from domain.limits import GroupPolicy
from domain.locks import Lock
from domain.protection_terms import LockTexts, Terms
from tests.alerts.fakes import with_leg
from tests.alerts.test_native import parse, refusal


def d(value: object) -> Decimal:
    return Decimal(str(value))


def two(first: Any = 50, second: Any = 50, *values: Any) -> list[dict[str, Any]]:
    near, far = values or ("10pt", "20pt")
    return [{"value": near, "share": first}, {"value": far, "share": second}]


MEANT = [
    ({"target": two()}, Terms(targets=(("10pt", d(50)), ("20pt", d(50))))),
    ({"target": two("33.5", 66.5)}, Terms(targets=(("10pt", d("33.5")), ("20pt", d("66.5"))))),
    (
        {"target": [{"value": 120, "share": 40}, {"value": 130}]},
        Terms(targets=(("120", d(40)), ("130", d(60)))),
    ),
    (
        {"target": two(), "lot_size": 25, "stop_loss": "2%"},
        Terms("2%", targets=(("10pt", d(50)), ("20pt", d(50))), lot_size=d(25)),
    ),
    ({"move_to_cost": {"trigger": 5, "offset": 1}}, Terms(cost_trigger="5pt", cost_offset="1pt")),
    ({"move_to_cost": {"trigger": "1%", "offset": 0}}, Terms(cost_trigger="1%")),
    (
        {"lock_and_trail": {"lock_at": 10, "lock_floor": "4pt", "step": 5, "trail": 2}},
        Terms(lock=LockTexts("10pt", "4pt", "5pt", "2pt")),
    ),
    (
        {"lock_and_trail": {"lock_at": "2%", "lock_floor": 0, "step": None}},
        Terms(lock=LockTexts("2%", None)),
    ),
    ({"exit_at": " 15:10 "}, Terms(exit_at="15:10")),
    ({"exit_after_minutes": "7.5"}, Terms(exit_after_minutes=d("7.5"))),
]


@pytest.mark.parametrize(
    "name", ["target", "lot_size", "move_to_cost", "lock_and_trail", "exit_at", "exit_after_minutes"]
)
def test_null_and_an_empty_text_are_none(name: str) -> None:
    for nothing in (None, ""):
        assert parse(with_leg(**{name: nothing})).legs[0].protection is None


@pytest.mark.parametrize(("given", "meant"), MEANT)
def test_a_leg_brings_its_protection(given: dict[str, Any], meant: Terms) -> None:
    assert parse(with_leg(**given)).legs[0].protection == meant


REFUSED = [
    ({"target": two()[:1]}, "target"),
    ({"target": two() * 6}, "target"),
    ({"target": two(0, 100)}, "target"),
    ({"target": two("x", 50)}, "target"),
    ({"target": two(50, 40)}, "target"),
    ({"target": two(60, 60)}, "target"),
    ({"target": [{"value": "10pt"}, {"value": "20pt", "share": 50}]}, "target"),
    ({"target": [{"value": "10pt", "share": 50, "qty": 5}, {"value": "20pt"}]}, "target"),
    ({"target": [{"share": 50}, {"value": "20pt"}]}, "target"),
    ({"target": [10, 20]}, "target"),
    ({"target": two(50, 50, "10pt", "20%")}, "target[1].value"),
    ({"target": two(50, 50, "20pt", "10pt")}, "target[1].value"),
    ({"target": two(50, 50, 130, 120)}, "target[1].value"),
    ({"target": two(50, 50, 120, 130), "direction": "SELL"}, "target[1].value"),
    ({"lot_size": 25}, "lot_size"),
    ({"lot_size": 25, "target": 120}, "lot_size"),
    ({"lot_size": "x", "target": two()}, "lot_size"),
    ({"move_to_cost": 5}, "move_to_cost"),
    ({"move_to_cost": {"offset": 5}}, "move_to_cost"),
    ({"move_to_cost": {"trigger": 0}}, "move_to_cost"),
    ({"move_to_cost": {"trigger": 5, "at": 1}}, "move_to_cost"),
    ({"move_to_cost": {"trigger": 5, "offset": 5}}, "move_to_cost.offset"),
    ({"move_to_cost": {"trigger": 5, "offset": "1%"}}, "move_to_cost.offset"),
    ({"lock_and_trail": 5}, "lock_and_trail"),
    ({"lock_and_trail": {"lock_at": 5}}, "lock_and_trail"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": None}}, "lock_and_trail"),
    ({"lock_and_trail": {"lock_at": 0, "lock_floor": 0}}, "lock_and_trail"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": 1, "at": 1}}, "lock_and_trail"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": 5}}, "lock_and_trail.lock_floor"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": "1%"}}, "lock_and_trail.lock_floor"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": 1, "step": 2}}, "lock_and_trail.trail"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": 1, "trail": 2}}, "lock_and_trail.step"),
    ({"lock_and_trail": {"lock_at": 5, "lock_floor": 1, "step": 2, "trail": 3}}, "lock_and_trail.trail"),
    ({"exit_at": 1510}, "exit_at"),
    ({"exit_at": "24:00"}, "exit_at"),
    ({"exit_at": "9:15"}, "exit_at"),
    ({"exit_at": "15:10 IST"}, "exit_at"),
    ({"exit_after_minutes": -5}, "exit_after_minutes"),
    ({"exit_after_minutes": 99999}, "exit_after_minutes"),
    ({"exit_after_minutes": "1h"}, "exit_after_minutes"),
]


@pytest.mark.parametrize(("given", "field"), REFUSED)
def test_what_cannot_be_meant_is_refused_by_name(given: dict[str, Any], field: str) -> None:
    error = refusal(with_leg(**given))
    assert (error.code, error.field) == ("INVALID", f"legs[0].{field}")
    assert error.message.startswith("expected ")


def combined(given: Any, **changes: Any) -> dict[str, Any]:
    return {**with_leg(), "group_protection": given, **changes}


def test_an_alert_brings_what_protects_its_entries_as_a_whole() -> None:
    given = {"stop_loss": "2000", "lock_and_trail": {"lock_at": 1000, "lock_floor": 0}}
    meant = CombinedTerms(CombinedUnit.MONEY, d(2000), lock=Lock(d(1000), d(0)))
    assert parse(combined(given)).combined == meant
    assert parse(combined({"target": "12.5pt"})).combined == CombinedTerms(
        CombinedUnit.POINTS, target=d("12.5")
    )
    assert parse(combined(None)).combined is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (5, ""),
        ({"stop_los": 5}, ""),
        ({"stop_loss": "2%"}, ""),
        ({"stop_loss": -5}, ""),
        ({"lock_and_trail": {"lock_at": 5}}, ""),
        ({}, ".stop_loss"),
        ({"stop_loss": 5, "target": "5pt"}, ".target"),
    ],
)
def test_what_cannot_protect_a_group_is_refused_by_name(given: Any, field: str) -> None:
    error = refusal(combined(given))
    assert (error.code, error.field) == ("INVALID", f"group_protection{field}")
    assert error.message.startswith("expected ")


def test_what_protects_a_group_is_none_of_an_exit_and_makes_another_alert() -> None:
    assert refusal(combined({"stop_loss": 5}, execution_type="EXIT")).field == "group_protection"
    one, other = (parse(combined({"stop_loss": each})) for each in (5, 6))
    assert len({content_hash(each) for each in (one, other, parse(with_leg()))}) == 3


def test_an_alert_names_how_its_entries_depend_on_each_other() -> None:
    assert parse({**with_leg(), "group": "All_Or_None"}).group is GroupPolicy.ALL_OR_NONE
    assert parse({**with_leg(), "group": None}).group is None is parse(with_leg()).group
    for wrong in ("best_effort", "all", 5):
        error = refusal({**with_leg(), "group": wrong})
        assert (error.code, error.field) == ("INVALID", "group")
    assert refusal({**with_leg(), "group": "independent", "execution_type": "EXIT"}).field == "group"
    asked = [parse({**with_leg(), "group": each}) for each in (None, "independent", "hedge_first")]
    assert len({content_hash(each) for each in asked}) == 3
