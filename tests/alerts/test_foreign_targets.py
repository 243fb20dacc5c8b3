"""Positions to reach, where a platform's size is one."""

from typing import Any

import pytest

from domain.enums import ExecutionType, LegKind, Side
from tests.alerts.test_foreign_rules import read, refusal

SMART = {
    "apikey": "k",
    "strategy": "S",
    "symbol": "SBIN",
    "exchange": "NSE",
    "action": "BUY",
    "product": "MIS",
}
STANCE = {"breadkey": "k", "symbol": "MNQ1!"}

TARGETS = [
    (SMART | {"position_size": 100}, (LegKind.TARGET, Side.BUY, 100)),
    (SMART | {"position_size": "100", "quantity": "40"}, (LegKind.TARGET, Side.BUY, 100)),
    (SMART | {"position_size": "-100", "action": "SELL"}, (LegKind.TARGET, Side.SELL, 100)),
    (SMART | {"position_size": 100, "action": "SELL"}, (LegKind.TARGET, Side.BUY, 100)),  # of more than that
    (SMART | {"position_size": 0, "quantity": "0"}, (LegKind.FLAT, Side.BUY, None)),
    (STANCE | {"stance": "long", "qty": 2}, (LegKind.TARGET, Side.BUY, 2)),
    (STANCE | {"stance": "short", "qty": 2}, (LegKind.TARGET, Side.SELL, 2)),
    (STANCE | {"stance": "short", "qty": -2}, (LegKind.TARGET, Side.SELL, 2)),
    (STANCE | {"stance": "flat", "qty": 0}, (LegKind.FLAT, None, None)),
]


@pytest.mark.parametrize(("body", "meant"), TARGETS, ids=str)
def test_a_size_that_is_the_position_to_reach_is_no_quantity_of_an_order(body: dict[str, Any], meant: Any):
    alert = read(body)
    [only] = alert.legs
    assert (only.kind, only.side, only.quantity) == meant
    named = Side(body["action"]) if "action" in body and only.kind is LegKind.TARGET else None
    assert only.order_side is named
    assert (alert.execution_type is ExecutionType.ADJUST) is (only.kind is LegKind.TARGET)


REFUSED = [
    (STANCE | {"stance": "flat", "qty": 2}, "CONTRADICTION"),
    (SMART | {"position_size": 5, "action": "exit"}, "CONTRADICTION"),
    (STANCE | {"stance": "long", "qty": -2}, "CONTRADICTION"),
    (STANCE | {"stance": "long", "qty": "NaN"}, "INVALID"),
    (SMART | {"position_size": 100, "pricetype": "LIMIT", "price": 5}, "NOT_BUILT"),
    (SMART | {"position_size": "0.000000001"}, "INVALID"),
    ({"apikey": "k", "orders": [SMART | {"position_size": 5}, SMART | {"symbol": "TCS", "quantity": 1}]}, "NOT_BUILT"),
    ({"apikey": "k", "orders": [SMART | {"position_size": 5}] * 2}, "NOT_BUILT"),
    ({"ticker": "A", "action": "buy", "market_position": "long", "position_size": 5}, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code"), REFUSED, ids=str)
def test_a_position_to_reach_is_certain_and_alone(body: dict[str, Any], code: str | None):
    if code is None:  # elsewhere that size only tells what an order led to
        assert read(body).legs[0].kind is LegKind.ENTRY
    else:
        assert refusal(body)[0] == code
