"""What says the kind of an order, its price or the position is read in every dialect, under a usual name too."""

from decimal import Decimal
from typing import Any

import pytest

from alerts.formats.registry import LAYOUTS
from alerts.formats.words import FIELDS, NEVER_LEFT_OUT
from domain.enums import LegKind, OrderType, Side
from tests.alerts.test_foreign_rules import read, refusal

_PLATFORMS: list[dict[str, Any]] = [
    {"stop_loss": "2%"},
    {"signalPrice": 1500},
    {"takeProfit": {"percent": 2}},
    {"quantityType": "fixed_quantity"},
    {"apikey": "x"},
    {},
]
"""What makes an alert one of TradersPost, of OpenAlgo, or of none."""
_SELL = {"ticker": "INFY", "action": "sell", "quantity": 3}


def test_every_dialect_reads_each_usual_name_of_these_roles():
    for layout in LAYOUTS:
        for role in NEVER_LEFT_OUT:
            assert [key for key in FIELDS[role] if key not in layout.roles] == [], layout.name


@pytest.mark.parametrize("platform", _PLATFORMS, ids=str)
@pytest.mark.parametrize(
    "beside",
    [{"market_position": "flat"}, {"position": 0}, {"position": "flat"}, {"market_position_size": 0}],
    ids=str,
)
def test_an_order_that_leads_to_no_position_is_an_exit_whatever_stands_beside_it(
    platform: dict[str, Any], beside: dict[str, Any]
):
    [only] = read(_SELL | platform | beside).legs
    assert (only.kind, only.side, only.quantity) == (LegKind.FLAT, Side.SELL, None)


@pytest.mark.parametrize("platform", _PLATFORMS, ids=str)
def test_a_sell_on_the_long_side_and_a_part_of_a_position_open_nothing(platform: dict[str, Any]):
    part = {"market_position": "long", "prev_market_position": "long"}
    for beside in ({"positionSide": "long"}, {"position_side": "LONG"}, part):
        [only] = read(_SELL | platform | beside).legs
        assert (only.kind, only.side, only.quantity) == (LegKind.EXIT, Side.SELL, 3)
    assert refusal(_SELL | platform | {"prev_market_position": "long"})[0] == "AMBIGUOUS"


def test_a_reversal_is_one_in_every_dialect():
    turn = {"market_position": "short", "market_position_size": 2, "prev_market_position": "long",
            "prev_market_position_size": 3, "quantity": 5}  # fmt: skip
    for platform in (each for each in _PLATFORMS if "apikey" not in each):  # there the size is one to reach
        away, new = read(_SELL | turn | platform).legs
        assert (away.kind, new.kind, new.side, new.quantity) == (LegKind.FLAT, LegKind.ENTRY, Side.SELL, 2)


@pytest.mark.parametrize(
    ("beside", "meant"),
    [
        ({"orderType": "LIMIT", "price": 1490}, (OrderType.LIMIT, 1490, None)),
        ({"order_type": "LIMIT", "price": 1490}, (OrderType.LIMIT, 1490, None)),
        ({"type": "limit", "price": 1490}, (OrderType.LIMIT, 1490, None)),
        ({"price_type": "limit", "limit_price": 1490}, (OrderType.LIMIT, 1490, None)),
        ({"order_type": "SL-M", "stop_price": 1520}, (OrderType.STOP, None, 1520)),
        ({"type": "stop", "stopPrice": 1520}, (OrderType.STOP, None, 1520)),
        ({"type": "stop", "trigger": 1520}, (OrderType.STOP, None, 1520)),
    ],
    ids=str,
)
def test_openalgo_and_kite_read_the_kind_of_an_order_under_any_usual_name(
    beside: dict[str, Any], meant: tuple[Any, ...]
):
    order = {"symbol": "INFY", "action": "buy", "quantity": 2}
    for platform in ({"apikey": "x"}, {"transaction_type": "BUY"}):
        [only] = read(order | platform | beside).legs
        assert (only.order_type, only.price, only.trigger_price) == meant


def test_an_order_that_is_not_at_market_for_certain_is_refused_by_traderspost():
    order = {"ticker": "INFY", "action": "buy", "quantity": 2, "signalPrice": 1500}
    for beside in ({"type": "limit", "price": 1490}, {"order_type": "limit"}, {"trigger_price": 1520}):
        assert refusal(order | beside)[0] in ("MISSING", "CONTRADICTION")
    [only] = read(order | {"type": "limit", "limit_price": "1490.5"}).legs
    assert (only.order_type, only.price) == (OrderType.LIMIT, Decimal("1490.5"))


def test_two_names_that_contradict_each_other_are_refused():
    order = {"apikey": "x", "symbol": "INFY", "action": "buy", "quantity": 2, "price": 1490}
    assert refusal(order | {"pricetype": "MARKET", "order_type": "LIMIT"})[0] == "CONTRADICTION"
    assert (
        refusal(_SELL | {"signalPrice": 1, "sentiment": "flat", "market_position": "short"})[0] == "AMBIGUOUS"
    )


@pytest.mark.parametrize(
    "beside",
    [
        {"sentiment": "", "market_position": "flat"},
        {"sentiment": "flat", "position": 0},
        {"position": "none", "market_position": "FLAT"},
    ],
    ids=str,
)
def test_no_empty_field_hides_a_position_and_two_words_for_one_agree(beside: dict[str, Any]):
    [only] = read(_SELL | beside).legs
    assert (only.kind, only.quantity) == (LegKind.FLAT, None)
    assert read(_SELL | {"sentiment": "bearish", "market_position": "short"}).legs[0].kind is LegKind.ENTRY
