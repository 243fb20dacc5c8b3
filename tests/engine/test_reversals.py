"""One alert that turns a position: the exit goes first, and the entry when the position is closed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.alert import ParsedAlert
from domain.entry_waits import WaitsFor
from domain.enums import ExecutionType, LegKind, OrderType, Outcome, Side
from domain.errors import Refused
from domain.ids import content_hash
from domain.order import Order
from domain.protection_terms import Terms
from domain.states import Status
from tests.engine.promises import history_faults
from tests.engine.test_late_evidence import net, spin
from tests.support import Desk, entry, leg

SIDE: dict[str, Any] = {"side": Side.SELL, "order_type": OrderType.MARKET, "price": None}
CLOSE = leg(qty=None, kind=LegKind.FLAT, **SIDE, product="")
TURN = leg(qty=20, **SIDE)


def reversal(close=CLOSE, turn=TURN, **changes) -> ParsedAlert:
    return replace(entry(), execution_type=ExecutionType.ADJUST, legs=(close, turn), **changes)


def turned(desk: Desk, alert: ParsedAlert | None = None) -> tuple[Order, Order]:
    exit_, new = desk.commands.register(alert or reversal(), desk.delivery()).legs
    return exit_, new


@pytest.fixture
def held(desk: Desk) -> Desk:
    """The strategy holds 50."""
    desk.post()
    desk.settle()
    return desk


def test_the_exit_closes_all_and_the_entry_follows(held):
    exit_, new = turned(held)
    assert (exit_.execution_type, new.execution_type) == (ExecutionType.EXIT, ExecutionType.ENTRY)
    assert new.waits_for is WaitsFor.EXIT
    spin(held, 3)
    assert [held.order(each.command_id).status for each in (exit_, new)] == [Status.EXECUTED] * 2
    assert (held.order(exit_.command_id).filled_quantity, net(held)) == (50, -20)
    assert [command.side for command in held.broker.placed[-2:]] == [Side.SELL, Side.SELL]
    assert history_faults(held) == []


def test_the_entry_goes_alone_where_nothing_is_held(desk):
    exit_, new = turned(desk)
    spin(desk, 3)
    assert desk.order(exit_.command_id).status is Status.FAILED
    assert desk.order(new.command_id).status is Status.EXECUTED
    assert net(desk) == -20


def test_the_entry_waits_as_long_as_the_exit_is_not_filled(held):
    held.broker.fill_at_once = False
    _, new = turned(held)
    spin(held, 60)
    assert held.order(new.command_id).waits_for is WaitsFor.EXIT
    assert len(held.broker.placed) == 2


def test_no_entry_is_sent_where_its_exit_was_refused(held):
    held.broker.script = [Refused("not today")]
    exit_, new = turned(held)
    spin(held, 10)
    assert held.order(exit_.command_id).status is Status.FAILED
    assert held.order(new.command_id).status is Status.FAILED
    assert net(held) == 50


def test_it_is_one_alert_that_is_registered_once(held):
    first = held.commands.register(reversal(), held.delivery())
    again = held.commands.register(reversal(), held.delivery())
    assert (first.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.DUPLICATE)
    assert again.alert_id == first.alert_id
    spin(held, 3)
    assert net(held) == -20
    assert held.rows("SELECT execution_type FROM alerts WHERE outcome = 'accepted' ORDER BY 1 LIMIT 1") == [
        ("ADJUST",)
    ]


def test_the_new_position_is_protected(held):
    turned(held, reversal(turn=replace(TURN, protection=Terms("2%"))))
    spin(held, 3)
    assert held.rows("SELECT count(*) FROM protections") == [(1,)]


def test_kinds_of_legs_count_in_what_an_alert_asks_for():
    other = reversal(close=replace(CLOSE, kind=LegKind.EXIT, quantity=Decimal(20), product="MIS"))
    two = replace(other, legs=(replace(other.legs[0]), replace(other.legs[1])))
    assert content_hash(other) == content_hash(two)
    assert content_hash(other) != content_hash(reversal())
    assert content_hash(reversal()) != content_hash(
        replace(reversal(), legs=(CLOSE, replace(TURN, quantity=Decimal(21))))
    )


@pytest.mark.parametrize(
    "legs", [(TURN, CLOSE), (CLOSE,), (TURN,), (CLOSE, replace(TURN, kind=LegKind.FLAT))]
)
def test_exits_come_first_and_entries_after_them(legs):
    with pytest.raises(ValueError, match=r"a leg of|exits, and then"):
        replace(entry(), execution_type=ExecutionType.ADJUST, legs=legs)
