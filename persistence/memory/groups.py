"""Leg groups with their history, in the tables of the store in memory."""

from collections.abc import Sequence

from domain.combined import Happened
from domain.enums import ExecutionType
from domain.errors import ConcurrentUpdate
from domain.leg_groups import LegGroup
from domain.order import Order
from persistence.memory.tables import Tables


class GroupReads:
    """Implement `domain.ports.GroupReads`."""

    _tables: Tables

    def open_groups(self, client_id: str) -> list[LegGroup]:
        found = [g for g in self._tables.groups.values() if g.client_id == client_id and g.is_watched]
        return sorted(found, key=lambda g: (g.created_at, g.group_id))

    def groups_of_alert(self, alert_id: str) -> list[LegGroup]:
        found = [g for g in self._tables.groups.values() if g.alert_id == alert_id]
        return sorted(found, key=lambda g: g.group_id)

    def halted_because(self, client_id: str, strategy_name: str) -> str | None:
        found = (self._tables.halts.get((client_id, name)) for name in ("", strategy_name))
        return next((halt.reason for halt in found if halt is not None), None)

    def exits_after(self, entry: Order) -> list[Order]:
        place = (entry.client_id, entry.strategy_name, entry.exchange, entry.symbol)
        found = [
            o
            for o in self._tables.orders.values()
            if (o.client_id, o.strategy_name, o.exchange, o.symbol) == place
            and (o.execution_type, o.side) == (ExecutionType.EXIT, entry.side.opposite)
            and o.filled_quantity
            and o.test_mode is None
            and o.command_id > entry.command_id
        ]
        return sorted(found, key=lambda order: order.command_id, reverse=True)


class GroupWrites:
    """Implement `domain.ports.GroupWrites`."""

    _tables: Tables

    def add_group(self, group: LegGroup) -> None:
        if group.group_id in self._tables.groups:
            raise ConcurrentUpdate(f"group {group.group_id} is there already")
        self._tables.groups[group.group_id] = group
        self._tables.group_events.append((group.group_id, None, group.state, ""))

    def move_group(self, before: LegGroup, after: LegGroup, events: Sequence[Happened] = ()) -> None:
        known = self._tables.groups.get(before.group_id)
        if known is None or known.version != before.version:
            raise ConcurrentUpdate(f"group {before.group_id} moved on")
        self._tables.groups[known.group_id] = after
        if after.state is not before.state:
            self._tables.group_events.append((known.group_id, before.state, after.state, after.why))
        for event in events:
            self._tables.group_events.append((known.group_id, after.state, after.state, event.kind.value))
