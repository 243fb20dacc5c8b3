"""The contract of leg groups, and of the halts that end them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import ConcurrentUpdate
from domain.leg_groups import GroupState, LegGroup
from domain.limits import GroupPolicy, WhenIncomplete
from domain.ports import Halt
from tests.contract.store_making import CLIENT, STRATEGY, House, StoreCase


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

    def test_a_halt_of_the_client_or_of_the_strategy_ends_its_groups_alone(self, house: House) -> None:
        at = house.clock.now()
        assert house.store.halted_because(CLIENT, STRATEGY) is None
        house.store.write(lambda tx: tx.set_halt(Halt(CLIENT, STRATEGY, at, "ann", "lunch")))
        assert house.store.halted_because(CLIENT, STRATEGY) == "lunch"
        assert house.store.halted_because(CLIENT, "OTHER") is None
        house.store.write(lambda tx: tx.set_halt(Halt(CLIENT, None, at, "ann", "all")))
        assert house.store.halted_because(CLIENT, "OTHER") == "all"
