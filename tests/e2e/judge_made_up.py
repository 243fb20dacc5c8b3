"""A small world, made up for the judge: orders.db, the broker's journal and the senders' notes, all agreeing."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.e2e.judge import Verdict, judge
from tests.e2e.judge_evidence import Evidence, read_database, read_deliveries, read_journal
from tests.e2e.judge_history import chain_hash

DAY = "2026-11-20T04:"
STATUS = {
    "REGISTERED": "CREATED",
    "SUBMITTING": "SENT_TO_BROKER",
    "UNKNOWN": "SENT_TO_BROKER",
    "WORKING": "SENT_TO_BROKER",
    "FILLED": "EXECUTED",
}  # every other phase here is FAILED
TABLES = {  # of orders.db, what the judge goes by
    "alerts": "alert_id PRIMARY KEY, client_id, duplicate_of, raw_body",
    "orders": "command_id PRIMARY KEY, alert_id, leg_index, client_id, strategy_name, execution_type, exchange, "
    "symbol, side, quantity, requested_quantity, requested_side, parent_command_id, price, test_mode, "
    "client_order_id, created_at, filled_quantity, broker_order_id, status, phase, tag, updated_at, event_hash, "
    "context_json",
    "order_events": "event_id INTEGER PRIMARY KEY, command_id, at, from_status, to_status, from_phase, to_phase, "
    "tag, actor, detail_json, previous_hash, hash",
    "telegram_messages": "id INTEGER PRIMARY KEY, kind, message, status, last_error, telegram_message_id, command_id, "
    "timestamp",
    "holdings": "client_id, exchange, symbol, strategy_name, product, net_quantity",
}


def at(seconds: float) -> str:
    """So long after four o'clock."""
    minutes, rest = divmod(seconds, 60)
    return f"{DAY}{int(minutes):02d}:{rest:09.6f}Z"


class MadeUp:
    """Tables, journal and notes, to be spoilt by tests."""

    def __init__(self, folder: Path) -> None:
        self.database, self.journal, self.notes = folder / "orders.db", folder / "journal", folder / "notes"
        with self.connected() as connection:
            for table, columns in TABLES.items():
                connection.execute(f"CREATE TABLE {table} ({columns})")
        self.journal.write_text("")
        self.notes.write_text("")
        self.delivered: set[str] = set()
        self._owners: dict[str, tuple[str, str]] = {}
        self._traded: list[tuple[str, int]] = []
        self._holdings: dict[tuple[str, str], int] = {}

    def connected(self) -> "closing[sqlite3.Connection]":
        connection = sqlite3.connect(self.database, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return closing(connection)

    def run(self, sql: str, *values: object) -> None:
        """One statement; it must change something."""
        with self.connected() as connection:
            assert connection.execute(sql, values).rowcount, sql

    def judge(self, *run_faults: str, horizon: float = 0) -> Verdict:
        """What the judge says of it; `horizon` in seconds."""
        self._keep_holdings()
        orders, fills = read_journal(self.journal)
        return judge(
            Evidence(
                read_database(self.database),
                broker_orders=orders,
                fills=fills,
                deliveries=read_deliveries(self.notes),
                delivered=frozenset(self.delivered),
                run_faults=run_faults,
                horizon=timedelta(seconds=horizon),
            )
        )

    # orders.db ----------------------------------------------------------------------------------------------

    def order(
        self,
        name: str,
        *phases: str,
        began: float = 0,
        step: float = 1,
        alert_id: str = "",
        told: bool = True,
        **columns: Any,
    ) -> str:
        """An order `<alert>-1` that went through these phases, one each `step` seconds; its alert and message too.

        `columns` are those of its last phase. Its client order id is `ow<name>`.
        """
        command_id = f"{name}-1"
        first = {
            "command_id": command_id,
            "alert_id": alert_id or name,
            "leg_index": 0,
            "client_id": "alice",
            "strategy_name": columns.pop("strategy_name", "S1"),
            "exchange": "NFO",
            "symbol": columns.pop("symbol", "SYM"),
            "side": columns.pop("side", "BUY"),
            "execution_type": columns.pop("execution_type", "ENTRY"),
            "quantity": "50",
            "client_order_id": f"ow{name}",
            "created_at": at(began),
            "filled_quantity": "0",
        }
        row: dict[str, Any] = {}
        for number, phase in enumerate(("REGISTERED", *phases)):
            last = number == len(phases)
            detail = (first if number == 0 else {}) | (columns if last else {})
            tag = detail.pop("tag", None)
            row |= self._event(row, detail, phase, tag, at(began + number * step))
        self._insert("orders", row)
        self._owners[row["client_order_id"]] = (row["symbol"], row["strategy_name"])
        if not alert_id:
            body = {"execution_type": row["execution_type"], "legs": [{"tradingsymbol": name}]}
            self.alert(name, body)
            self.delivery(body, 200, command_id)
        if told and (phases or ("",))[-1] != "WORKING":
            self.message("FILLED" if row["status"] == "EXECUTED" else "FAILED", command_id)
        return command_id

    def _event(
        self, row: dict[str, Any], detail: dict[str, Any], phase: str, tag: Any, when: str
    ) -> dict[str, Any]:
        event = {
            "command_id": row.get("command_id", detail.get("command_id")),
            "at": when,
            "from_status": row.get("status"),
            "to_status": STATUS.get(phase, "FAILED"),
            "from_phase": row.get("phase"),
            "to_phase": phase,
            "tag": tag,
            "actor": "somebody",
            "detail_json": json.dumps(detail),
            "previous_hash": row.get("event_hash", ""),
        }
        event["hash"] = chain_hash(event["previous_hash"], event)
        self._insert("order_events", event)
        names = {"status": event["to_status"], "phase": phase, "tag": tag}
        return {**detail, **names, "updated_at": when, "event_hash": event["hash"]}

    def alert(self, alert_id: str, body: dict[str, Any], duplicate_of: str | None = None) -> None:
        """An alert's row."""
        values = {
            "alert_id": alert_id,
            "client_id": "alice",
            "duplicate_of": duplicate_of,
            "raw_body": json.dumps({"secret_key": "***", **body}),
        }
        self._insert("alerts", values)

    def holding(self, quantity: int, strategy: str = "S1", symbol: str = "SYM") -> None:
        """What `holdings` say, where that is something else than the fills."""
        self._holdings[symbol, strategy] = quantity

    def _keep_holdings(self) -> None:
        """Holdings by the fills of orders that a row explains, but for those that a test has set."""
        held: Counter[tuple[str, str]] = Counter()
        for remarks, signed in self._traded:
            if remarks in self._owners:
                held[self._owners[remarks]] += signed
        with self.connected() as connection:
            connection.execute("DELETE FROM holdings")
        for (symbol, strategy), quantity in {**held, **self._holdings}.items():
            names = {"client_id": "alice", "exchange": "NFO", "symbol": symbol, "strategy_name": strategy}
            self._insert("holdings", {**names, "product": "MIS", "net_quantity": str(quantity)})

    def message(self, kind: str, command_id: str, status: str = "SENT", *, told: float = 0) -> None:
        """A message about the order, which was delivered."""
        number = str(len(self.delivered) + 1)
        self.delivered.add(number)
        values = {
            "kind": kind,
            "message": "ORDER FAILED" if kind == "FAILED" else kind,
            "status": status,
            "telegram_message_id": number,
            "command_id": command_id,
            "timestamp": at(told),
        }
        self._insert("telegram_messages", values)

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(values))
        self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())

    # the broker and the senders -----------------------------------------------------------------------------

    def at_broker(
        self,
        number: str,
        remarks: str | None,
        status: str,
        filled: int = 0,
        *,
        taken: float = 1.5,
        side: str = "BUY",
        traded: float | None = None,
        ended: float | None = None,
        received: float | None = None,
        symbol: str = "SYM",
        source: str = "API",
    ) -> None:
        """An order for 50 that the broker took, and how it ended.

        Args:
            taken, traded, ended, received: seconds: when the broker accepted it, when it was filled (by default at
                once), when it got its last status, and when a front end received it that kept it back.
        """
        named = {"norenordno": number, "remarks": remarks}
        where = {"uid": "FA1", "exch": "NFO", "tsym": symbol, "prd": "I", "ordersource": source}
        traded = taken if traded is None else traded
        state: dict[str, object] = {"at": at(taken), "side": side, "qty": "50", "fillshares": "0"}
        if received is not None:
            self._record("received", uid="FA1", remarks=remarks, at=at(received), seconds=taken - received)
        self._record("order", **named, **where, **state, status="PENDING")
        if filled:
            state |= {"at": at(traded), "fillshares": str(filled)}
            now = "COMPLETE" if filled == 50 else "OPEN"
            self._record("fill", **named, **state, flqty=str(filled), status=now)
            self._traded.append((remarks or "", filled if side == "BUY" else -filled))
        state["at"] = at(traded if ended is None else ended)
        self._record("status", **named, **state, status=status)

    def by_hand(self, number: str, quantity: int, when: float, symbol: str = "SYM") -> None:
        """A trade in the broker's app; negative: sold. At most 50."""
        side = "BUY" if quantity > 0 else "SELL"
        status = "COMPLETE" if abs(quantity) == 50 else "CANCELLED"
        self.at_broker(
            number, None, status, abs(quantity), taken=when, side=side, symbol=symbol, source="MOB"
        )

    def converted(self, quantity: int, when: float) -> None:
        """MIS became NRML by hand."""
        where = {"uid": "FA1", "exch": "NFO", "tsym": "SYM", "prd": "I", "to": "M"}
        self._record("converted", **where, at=at(when), qty=str(quantity), price="100")

    def _record(self, kind: str, **values: object) -> None:
        with self.journal.open("a") as journal:
            journal.write(json.dumps({"kind": kind, **values}) + "\n")

    def delivery(self, body: dict[str, Any], status: int | None, *command_ids: str) -> None:
        """A sender's note."""
        note = {"client_id": "alice", "body": body, "status": status, "command_ids": command_ids}
        with self.notes.open("a") as notes:
            notes.write(json.dumps(note) + "\n")
