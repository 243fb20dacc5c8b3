"""What entries are sized by, in the store in memory."""

import json

from domain.enums import ExecutionType, Side
from domain.sizing import Equity
from domain.states import Status
from persistence.memory.tables import Tables


class SizingReads:
    """Part of what is read."""

    _tables: Tables

    def equity(self, client_id: str) -> Equity | None:
        return self._tables.equities.get((client_id,))


class SizingWrites:
    """Part of a transaction."""

    _tables: Tables

    def keep_equity(self, client_id: str, read: Equity) -> None:
        self._tables.equities[client_id,] = read

    def open_as_asked(
        self, client_id: str, strategy_name: str, asked: str, side: Side | None = None
    ) -> list[tuple[str, str]]:
        found = {
            (o.exchange, o.symbol)
            for o in self._tables.orders_of(client_id)
            if o.strategy_name == strategy_name
            and o.status in (Status.CREATED, Status.SENT_TO_BROKER)
            and o.execution_type is ExecutionType.ENTRY
            and o.test_mode is None
            and side in (None, o.side)
            and o.context_json is not None
            and json.loads(o.context_json).get("instrument", {}).get("asked") == asked
        }
        return sorted(found)
