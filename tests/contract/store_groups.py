"""The contract of leg groups, and of the halts that end them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.combined import CombinedTerms, CombinedUnit, combined_of, looked
from domain.enums import ExecutionType, Side
from domain.errors import ConcurrentUpdate
from domain.leg_groups import GroupState, LegGroup
from domain.limits import GroupPolicy, WhenIncomplete
from domain.locks import Lock
from domain.order import Order
from domain.ports import Halt
from domain.protection import Rule
from domain.states import Phase
from tests.contract.store_making import AN_EXIT, CLIENT, STRATEGY, House, StoreCase


def grouped(house: House, alert_id: str = "a1", **changes: Any) -> LegGroup:
    """A new group, as it is stored."""
    at = house.clock.now()
    values: dict[str, Any] = {
        "group_id": f"{alert_id}-1",
        "alert_id": alert_id,
        "client_id": CLIENT,
        "strategy_name": STRATEGY,
        "policy": GroupPolicy.ALL_OR_NONE,
        "when_incomplete": WhenIncomplete.UNWIND,
        "minimum": 2,
        "legs": (f"{alert_id}-1", f"{alert_id}-2"),
        "created_at": at,
        "updated_at": at,
        "deadline": at + timedelta(seconds=20),
    }
    group = LegGroup(**(values | changes))
    house.store.write(lambda tx: tx.add_group(group))
    return group


def ended(group: LegGroup, state: GroupState) -> LegGroup:
    return replace(group, state=state, why="it was late", version=group.version + 1)


def filled_exit(house: House, alert_id: str, **changes: Any) -> Order:
    order = house.claim(house.register(alert_id, **{**AN_EXIT, **changes}))
    return house.move(
        order,
        Phase.FILLED,
        broker_order_id=alert_id,
        filled_quantity=order.quantity,
        average_price=Decimal(100),
    )


class GroupsContract(StoreCase):
    """Groups are read as they were written, and those that have ended are not watched any more."""

    def test_a_group_is_read_as_it_was_written(self, house: House) -> None:
        at = house.clock.now()
        full = grouped(
            house, why="one leg", incomplete_since=at, unwinding_since=at, state=GroupState.UNWINDING
        )
        assert house.store.open_groups(CLIENT) == [full] == house.store.groups_of_alert("a1")
        assert house.store.write(lambda tx: (tx.open_groups(CLIENT), tx.groups_of_alert("a1"))) == (
            [full],
            [full],
        )
        assert house.store.open_groups("nobody") == [] == house.store.groups_of_alert("a2")

    def test_open_groups_come_in_their_order_and_without_those_that_have_ended(self, house: House) -> None:
        first, second, third = (grouped(house, f"a{n}", deadline=None) for n in (3, 1, 2))
        gone = ended(second, GroupState.COMPLETE)
        house.store.write(lambda tx: tx.move_group(second, gone))
        assert house.store.open_groups(CLIENT) == [first, third]
        assert house.store.groups_of_alert("a1") == [gone]

    def test_who_moves_a_group_that_has_moved_is_refused(self, house: House) -> None:
        group = grouped(house)
        house.store.write(lambda tx: tx.move_group(group, ended(group, GroupState.UNWOUND)))
        with pytest.raises(ConcurrentUpdate):
            house.store.write(lambda tx: tx.move_group(group, ended(group, GroupState.COMPLETE)))
        assert house.store.groups_of_alert("a1")[0].state is GroupState.UNWOUND

    def test_what_protects_a_group_as_a_whole_is_stored_and_keeps_it_watched(self, house: House) -> None:
        lock = Lock(Decimal(1000), Decimal(400), Decimal(500), Decimal("200.5"))
        terms = CombinedTerms(CombinedUnit.POINTS, Decimal(20), None, Decimal("7.25"), Decimal(5), lock)
        group = grouped(house, combined=combined_of(terms))
        assert house.store.open_groups(CLIENT) == [group]
        look = looked(combined_of(terms), Decimal("1500.75"), house.clock.now())
        whole = replace(ended(group, GroupState.COMPLETE), combined=look.after)
        house.store.write(lambda tx: tx.move_group(group, whole, look.events))
        assert house.store.open_groups(CLIENT) == [whole] == house.store.groups_of_alert("a1")
        assert (look.after.locked_steps, look.after.kept) == (1, Decimal("1493.5"))
        look = looked(look.after, Decimal(1), house.clock.now())
        met = replace(
            ended(whole, GroupState.UNWINDING), unwinding_since=whole.updated_at, combined=look.after
        )
        house.store.write(lambda tx: tx.move_group(whole, met, look.events))
        assert house.store.groups_of_alert("a1") == [met]
        assert look.after.fired_by is Rule.TRAIL
        over = ended(met, GroupState.UNWOUND)
        house.store.write(lambda tx: tx.move_group(met, over))
        assert house.store.open_groups(CLIENT) == []

    def test_the_exits_that_closed_an_entry_are_found_the_latest_first(self, house: House) -> None:
        before = filled_exit(house, "a0")
        entry = house.register("a1")
        found = [filled_exit(house, name) for name in ("a2", "a3")]
        house.register("a4", execution_type=ExecutionType.EXIT, side=Side.SELL)  # not filled
        filled_exit(house, "a5", symbol="OTHER")
        filled_exit(house, "a6", strategy_name="OTHER")
        filled_exit(house, "a7", side=Side.BUY)
        assert before.command_id < entry.command_id
        assert house.store.exits_after(entry) == found[::-1]
        assert house.store.write(lambda tx: tx.exits_after(entry)) == found[::-1]

    def test_a_halt_of_the_client_or_of_the_strategy_ends_its_groups_alone(self, house: House) -> None:
        at = house.clock.now()
        assert house.store.halted_because(CLIENT, STRATEGY) is None
        house.store.write(lambda tx: tx.set_halt(Halt(CLIENT, STRATEGY, at, "ann", "lunch")))
        assert house.store.halted_because(CLIENT, STRATEGY) == "lunch"
        assert house.store.halted_because(CLIENT, "OTHER") is None
        house.store.write(lambda tx: tx.set_halt(Halt(CLIENT, None, at, "ann", "all")))
        assert house.store.halted_because(CLIENT, "OTHER") == "all"
