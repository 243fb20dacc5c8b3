"""Foreign alerts that could be meant in two ways, as strangers found them: refused, and told."""

import pytest

from domain.enums import LegKind, Side
from domain.errors import InvalidAlert, NothingAsked
from tests.alerts.test_foreign_rules import leg, read, refusal


@pytest.mark.parametrize(
    "fields",
    [{"action": "flat"}, {"action": "sell", "close_position": True}, {"action": "close_position"}],
)
def test_all_of_a_position_and_a_part_of_it_cannot_both_be_closed(fields):
    assert refusal({"ticker": "INFY", "quantity": 5, **fields}) == ("AMBIGUOUS", "quantity")
    assert leg(**fields).quantity is None


def test_a_switch_that_closes_all_keeps_the_side_that_is_named():
    assert leg(action="sell", close_position=True).side is Side.SELL


@pytest.mark.parametrize("text", ["BANKNIFTY-I buy 1", "NIFTY24500CE buy 1", "NIFTY28NOV26C24500 sell 1"])
def test_the_number_behind_a_contract_may_be_lots(text):
    assert refusal(text) == ("AMBIGUOUS", "quantity")


def test_a_fraction_in_a_text_is_a_price_and_no_quantity():
    with pytest.raises(InvalidAlert):
        read("INFY buy 1500.50")


@pytest.mark.parametrize("number", ["1e999999999999", 10**30, "1" + "0" * 40 + ".5"])
def test_a_number_that_no_order_has_is_refused_and_never_an_error_of_ours(number):
    for field in ("price", "quantity", "position_size"):
        with pytest.raises(InvalidAlert):
            read({"ticker": "INFY", "action": "buy", "order_type": "limit", field: number})


@pytest.mark.parametrize("key", ["tslPoints", "tgt", "stop_points", "protective_stop", "max_loss"])
def test_a_protection_under_any_usual_name_is_not_passed_over(key):
    assert refusal({"ticker": "INFY", "action": "buy", key: 5})[0] == "NOT_BUILT"


@pytest.mark.parametrize("key", ["order_id", "id", "comment"])
def test_an_order_whose_name_alone_says_that_it_closes_is_no_entry(key):
    """TradingView's `{{strategy.order.id}}` is `Close entry(s) order Long` for what `strategy.close` sends."""
    fields = {"action": "sell", "quantity": 5, key: "Close entry(s) order Long"}
    assert refusal({"ticker": "INFY", **fields})[0] == "AMBIGUOUS"
    assert leg(**fields, market_position="flat").kind is LegKind.FLAT


@pytest.mark.parametrize(
    "text",
    [
        "Square off INFY now",
        "Cover INFY 50",
        "go flat INFY",
        "SL hit INFY",
        "Closed INFY",
        "cancel all orders",
    ],
)
def test_a_sentence_that_may_ask_for_an_exit_is_told_and_no_notice(text):
    with pytest.raises(InvalidAlert) as caught:
        read({"message": text})
    assert not isinstance(caught.value, NothingAsked)
