"""Reversals of other platforms: one order of the old and the new position becomes an exit and an entry."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.enums import ExecutionType, LegKind, OrderType, Side
from domain.errors import InvalidAlert
from domain.protection_terms import Terms
from tests.alerts.test_foreign_rules import read, refusal

KEYS = ("action", "contracts", "market_position", "market_position_size", "prev_market_position",
        "prev_market_position_size")  # fmt: skip


def body(*said: Any, **more: Any) -> dict[str, Any]:
    named = {key: value for key, value in zip(KEYS, said, strict=True) if value is not None}
    return {"ticker": "INFY", **named, **more}


TURNS = [
    (("buy", 5, "long", 2, "short", 3), (Side.BUY, 2)),
    (("sell", 5, "short", 2, "long", 3), (Side.SELL, 2)),
    (("sell", 5, "short", -2, "long", 3), (Side.SELL, 2)),
    (("buy", 5, "long", 2, None, -3), (Side.BUY, 2)),
]


@pytest.mark.parametrize(("said", "meant"), TURNS, ids=str)
def test_a_reversal_closes_all_and_then_enters_the_new_position(
    said: tuple[Any, ...], meant: tuple[Side, int]
):
    alert = read(body(*said))
    side, quantity = meant
    assert alert.execution_type is ExecutionType.ADJUST
    assert [(each.kind, each.side, each.quantity) for each in alert.legs] == [
        (LegKind.FLAT, side, None),
        (LegKind.ENTRY, side, quantity),
    ]
    exit_, entry = alert.legs
    assert (exit_.product, entry.product) == ("", "MIS")
    assert exit_.order_type is OrderType.MARKET


NOT_CERTAIN = [
    (("buy", 2, "long", 2, "short", 3), {}, "CONTRADICTION"),  # of the new one alone, or of both?
    (("buy", 6, "long", 2, "short", 3), {}, "CONTRADICTION"),
    (("buy", 50, "long", 1, None, None), {}, "MISSING"),  # the sender's own quantity, beside the chart's position
    (("buy", 50, "long", 1, "short", None), {}, "MISSING"),
    (("buy", 5, "long", None, "short", 3), {}, "MISSING"),
    (("buy", None, "long", 2, "short", 3), {}, "MISSING"),  # the default quantity, or the chart's?
    (("buy", 5, None, 2, None, None), {}, "MISSING"),
    (("sell", 5, "long", 2, "short", 3), {}, "CONTRADICTION"),
    (("buy", 5, "long", 2, "short", 3), {"reduce_only": True}, "CONTRADICTION"),
    (("buy", 5, "long", 2, "short", 3), {"order_type": "limit", "limit_price": 9}, "NOT_BUILT"),
    (("buy", 5, "long", "NaN", "short", 3), {}, "INVALID"),
    (("reverse", 5, None, None, None, None), {}, "NOT_BUILT"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "more", "code"), NOT_CERTAIN, ids=str)
def test_a_reversal_whose_new_size_is_not_certain_is_refused(
    said: tuple[Any, ...], more: dict[str, Any], code: str
):
    assert refusal(body(*said, **more))[0] == code


def test_the_default_text_of_a_strategy_turns_too():
    alert = read("order sell @ 5 filled on NSE:A. New strategy position is -2")
    assert [(each.kind, each.side, each.quantity) for each in alert.legs] == [
        (LegKind.FLAT, Side.SELL, None),
        (LegKind.ENTRY, Side.SELL, 2),
    ]


def test_what_protects_stands_at_the_entry_alone():
    exit_, entry = read(body("buy", 5, "long", 2, "short", 3, stop_loss="2%")).legs
    assert (exit_.protection, entry.protection) == (None, Terms("2%"))


def test_a_reversal_is_the_only_command_of_its_alert():
    orders = [{"symbol": name, **body("buy", 5, "long", 2, "short", 3)} for name in ("A", "B")]
    for order in orders:
        del order["ticker"]
    assert refusal({"orders": orders})[0] == "NOT_BUILT"


SIZES = st.decimals(min_value="0.01", max_value=1000, places=2)


@given(SIZES, SIZES, st.sampled_from([1, -1]))
def test_exit_and_entry_lead_from_the_old_position_to_the_new_one(old, new, side):
    """Whatever a strategy's one order turns, its two legs lead to the same position."""
    said = (
        "buy" if side > 0 else "sell",
        str(old + new),
        "long" if side > 0 else "short",
        str(new),
        "short" if side > 0 else "long",
        str(old),
    )
    alert = read(body(*said))
    position = -side * old
    for each in alert.legs:
        assert each.side is not None
        position += each.side.sign * (abs(position) if each.quantity is None else each.quantity)
    assert position == side * Decimal(new)


@given(SIZES, SIZES, SIZES)
def test_no_order_that_is_not_both_positions_turns(old, new, order):
    try:
        alert = read(body("buy", str(order), "long", str(new), "short", str(old)))
    except InvalidAlert:
        assert order != old + new
    else:
        assert order == old + new
        assert alert.legs[1].quantity == new
