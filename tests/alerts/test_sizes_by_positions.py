"""A size of which nobody says the unit is read where it is exactly what leads from one named position to the other."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.formats.words import FIELDS, Role
from domain.enums import LegKind, Side
from domain.errors import InvalidAlert
from tests.alerts.test_foreign_rules import read, refusal

OPENED = {"action": "buy", "market_position": "long", "market_position_size": "0.05", "prev_market_position": "flat",
          "prev_market_position_size": "0"}  # fmt: skip
_WORDS = {1: "long", -1: "short", 0: "flat"}


def body(**more: Any) -> dict[str, Any]:
    return {"ticker": "INFY", **OPENED, **more}


@pytest.mark.parametrize("key", ["amount", "size", "vol", "order_size"])
def test_a_size_that_leads_to_the_position_after_it_counts_units(key: str):
    [leg] = read(body(**{key: "0.05"})).legs
    assert (leg.kind, leg.side, leg.quantity) == (LegKind.ENTRY, Side.BUY, Decimal("0.05"))


BESIDE = [
    {"amount": "0.1"}, {"amount": "50"}, {"amount": "5%"}, {"amount": "0.05", "prev_market_position": ""},
    {"amount": "0.05", "prev_market_position_size": ""}, {"amount": "0.05", "market_position_size": "0.06"},
    {"amount": "0.05", "lots": "1"}, {"amount": "0.05", "investmentType": "percentage_balance"},
    {"amount": "0.05", "quantityType": "cash"}, {"lots": "0.05"}, {"lot": "0.05"}, {"quantity_lots": "0.05"},
]  # fmt: skip


@pytest.mark.parametrize("beside", BESIDE, ids=str)
def test_any_other_size_without_a_unit_stays_refused(beside: dict[str, Any]):
    assert refusal(body(**beside))[0] in ("AMBIGUOUS", "NOT_BUILT", "INVALID", "MISSING")


@settings(deadline=None)
@given(
    st.sampled_from(FIELDS[Role.SIZE]),
    st.integers(-9, 9),
    st.integers(-9, 9),
    st.integers(1, 30),
    st.sampled_from(Side),
)
def test_of_any_positions_a_size_is_read_only_where_it_leads_from_one_to_the_other(
    key, before, after, size, side
):
    sent = {
        "ticker": "INFY", "action": side.lower(), key: size,
        "market_position": _WORDS[(after > 0) - (after < 0)], "market_position_size": abs(after),
        "prev_market_position": _WORDS[(before > 0) - (before < 0)], "prev_market_position_size": abs(before),
    }  # fmt: skip
    try:
        legs = read(sent).legs
    except InvalidAlert:
        return
    assert size == abs(after - before)
    brought = sum(leg.quantity for leg in legs if leg.kind is LegKind.ENTRY and leg.quantity is not None)
    assert brought in (0, size, abs(after))
