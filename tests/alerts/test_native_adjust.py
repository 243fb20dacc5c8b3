"""The native format's ADJUST: legs that exit, and then legs that enter."""

from typing import Any

import pytest

from domain.enums import ExecutionType, LegKind, Side
from tests.alerts.fakes import a_document
from tests.alerts.test_native import parse, refusal

OUT: dict[str, Any] = {"tradingsymbol": "NIFTY26NOV24500CE", "exit": True}
IN: dict[str, Any] = {"tradingsymbol": "NIFTY26DEC24500CE", "direction": "BUY", "qty": 50, "stop_loss": "2%"}


def test_exits_come_first_and_then_entries() -> None:
    alert = parse(
        a_document(execution_type="adjust", legs=[OUT, OUT | {"tradingsymbol": "X", "qty": 25}, IN])
    )
    assert alert.execution_type is ExecutionType.ADJUST
    assert [leg.kind for leg in alert.legs] == [LegKind.FLAT, LegKind.EXIT, LegKind.ENTRY]
    assert [(leg.side, leg.product) for leg in alert.legs] == [(None, ""), (None, ""), (Side.BUY, "MIS")]
    assert [leg.protection is None for leg in alert.legs] == [True, True, False]


@pytest.mark.parametrize(
    ("execution_type", "legs", "field"),
    [
        ("ADJUST", [IN, OUT], "legs[1].exit"),
        ("ADJUST", [OUT], "legs"),
        ("ADJUST", [IN], "legs"),
        ("ADJUST", [OUT | {"exit": "yes"}, IN], "legs[0].exit"),
        ("ADJUST", [OUT, IN | {"direction": None}], "legs[1].direction"),
        ("ADJUST", [OUT | {"stop_loss": 5}, IN], "legs[0].stop_loss"),
        ("ENTRY", [IN, IN | {"tradingsymbol": "X", "exit": True}], "legs[1].exit"),
        ("EXIT", [OUT], "legs[0].exit"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(
    execution_type: str, legs: list[dict[str, Any]], field: str
) -> None:
    assert refusal(a_document(execution_type=execution_type, legs=legs)).field == field
