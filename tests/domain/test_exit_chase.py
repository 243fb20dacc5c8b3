"""What the rows of an exit that is priced anew say together: to protections, and to people."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.enums import ExecutionType, OrderType, Side
from domain.exit_chase import Chase, ends_of, rest_of, with_chase
from domain.leg_groups import LegSeen, _stopped
from domain.order import Order
from domain.price_bands import band_edge
from domain.protection import ExitSeen, ExitState
from domain.protection_exits import exit_seen
from domain.states import Phase, Status
from tests.support import START

ASKED = Chase(asked=True)


def row(number: int, phase: Phase, filled: int = 0, chase: Chase | None = None, quantity: int = 50) -> Order:
    """The row of that number of one leg."""
    order = Order(
        command_id="e-1" if number == 1 else f"e-1.{number}", alert_id="e-1", leg_index=0, client_id="c",
        strategy_name="S", execution_type=ExecutionType.EXIT, exchange="NFO", symbol="SYM", side=Side.SELL,
        quantity=Decimal(quantity), requested_quantity=None, product="MIS", order_type=OrderType.MARKET, price=None,
        trigger_price=None, reference_price=None, test_mode=None, client_order_id="t",
        created_at=START + timedelta(seconds=number), expires_at=START + timedelta(hours=1),
    )  # fmt: skip
    status = {Phase.WORKING: Status.SENT_TO_BROKER, Phase.FILLED: Status.EXECUTED}.get(phase, Status.FAILED)
    context_json = None if chase is None else with_chase(None, chase)
    asked_at = START if chase is not None and chase.asked else None
    return replace(
        order, phase=phase, status=status, filled_quantity=Decimal(filled), context_json=context_json,
        cancel_requested_at=asked_at, broker_order_id=f"B{number}",
    )  # fmt: skip


FIRST = row(1, Phase.CANCELLED, 20, ASKED)


def test_an_exit_that_was_priced_anew_is_done_when_its_last_part_is():
    second = row(2, Phase.FILLED, 30, Chase(1, instead_of="e-1"), quantity=30)
    assert exit_seen(FIRST, [second], START) == ExitSeen(ExitState.DONE, Decimal(50))


def test_an_exit_whose_last_part_failed_has_failed_and_nobody_has_withdrawn_it():
    second = replace(
        row(2, Phase.REJECTED, 0, Chase(1, instead_of="e-1"), quantity=30), tag="BROKER_REJECTED"
    )
    assert exit_seen(FIRST, [second], START) == ExitSeen(ExitState.FAILED, Decimal(20), "BROKER_REJECTED")


def test_a_cancel_for_a_new_price_is_no_withdrawal():
    assert exit_seen(FIRST, [], START).state is ExitState.FAILED


def test_a_part_that_a_person_has_cancelled_is_one():
    second = row(2, Phase.CANCELLED, 0, Chase(1, instead_of="e-1"), quantity=30)
    second = replace(second, cancel_requested_at=START)
    assert exit_seen(FIRST, [second], START).state is ExitState.WITHDRAWN


def test_what_is_taken_over_once_is_not_taken_over_again():
    assert rest_of(FIRST, [FIRST], START) == 30
    second = row(2, Phase.WORKING, 0, Chase(1, instead_of="e-1"), quantity=30)
    assert rest_of(FIRST, [FIRST, second], START) == 0
    assert ends_of(FIRST, [second]) == [second]


def test_slices_beside_each_other_are_done_when_all_are():
    beside = Chase(slice_of="e-1")
    first, second = row(1, Phase.FILLED, 50), row(2, Phase.FILLED, 50, beside)
    third = replace(row(3, Phase.REJECTED, 0, Chase(slice_of="e-1.2")), tag="BROKER_REJECTED")
    assert exit_seen(first, [second], START) == ExitSeen(ExitState.DONE, Decimal(100))
    assert exit_seen(first, [second, third], START) == ExitSeen(
        ExitState.FAILED, Decimal(100), "BROKER_REJECTED"
    )
    taken_back = replace(row(3, Phase.CANCELLED, 0, Chase(slice_of="e-1.2")), cancel_requested_at=START)
    assert exit_seen(first, [second, taken_back], START).state is ExitState.WITHDRAWN


def test_a_group_takes_its_own_new_price_for_no_cancel_of_a_person():
    """The second row was refused: the group asks again. Taken back by a person, it is left to people."""
    refused = replace(
        row(2, Phase.REJECTED, 0, Chase(1, instead_of="e-1"), quantity=30), tag="BROKER_REJECTED"
    )
    entry = replace(row(9, Phase.FILLED, 50), execution_type=ExecutionType.ENTRY, side=Side.BUY)
    assert _stopped(LegSeen(entry, Decimal(30), ((FIRST, refused),))) == ""
    taken_back = replace(refused, phase=Phase.CANCELLED, cancel_requested_at=START, tag=None)
    assert "was cancelled" in _stopped(LegSeen(entry, Decimal(30), ((FIRST, taken_back),)))


@pytest.mark.parametrize(
    ("text", "side", "edge"),
    [
        (
            "Your order price is lower than the current lower circuit limit of 70.65. Place an order",
            Side.SELL,
            "70.65",
        ),
        (
            "Your order price is lower than the current lower circuit limit of 70.65. Place an order",
            Side.BUY,
            None,
        ),
        ("Your order price is higher than the current upper circuit limit of ₹120. Place", Side.BUY, "120"),
        ("Limit price should be within circuit limit(214.3 - 261.9)", Side.SELL, "214.3"),
        ("Limit price should be within circuit limit(214.3 - 261.9)", Side.BUY, "261.9"),
        ("Limit price should be within circuit limit(261.9 - 214.3)", Side.BUY, None),
        (
            "Price exceeds circuit limits for the instrument. Place an order within the daily range.",
            Side.SELL,
            None,
        ),
        ("the price is outside the current allowed limit price protection range.", Side.SELL, None),
        ("Order price is beyond LPP limit.", Side.SELL, None),
        ("Order price is out of Day's price range", Side.SELL, None),
        ("RMS: margin of 100 - 200 is missing", Side.SELL, None),
        ("lower circuit limit of 0", Side.SELL, None),
        ("", Side.SELL, None),
    ],
)
def test_the_edge_of_a_band_is_read_where_a_refusal_gives_it(text, side, edge):
    assert band_edge(text, side) == (None if edge is None else Decimal(edge))
