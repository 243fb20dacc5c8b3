"""What the judge goes by: files that others wrote, read with the standard library alone."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LIVE = frozenset({"PENDING", "OPEN", "TRIGGER_PENDING"})
BY_HAND = "MOB"  # the source of orders that people place in the broker's app
ONCE_ONLY = frozenset({"secret_key"})  # of an alert's body: no part of what it asks for


@dataclass(frozen=True)
class Fill:
    """One trade, or half of a conversion, in the order of the broker's own record. `quantity` is signed: + bought."""

    broker_order_id: str  # empty for a conversion
    position: tuple[str, ...]  # whose, and in what: user, exchange, symbol, product
    quantity: Decimal
    at: datetime
    by_hand: bool = False

    @property
    def symbol(self) -> tuple[str, ...]:
        """Whose, and in what, whatever the product."""
        return self.position[:3]


@dataclass
class BrokerOrder:
    """One order as the broker's own record has it at the end."""

    broker_order_id: str
    client_order_id: str  # empty where the order carries none
    at: datetime  # when the broker took it
    quantity: Decimal
    status: str
    filled: Decimal
    record: str  # where it stands, for people
    position: tuple[str, ...] = ()  # as in `Fill`
    by_hand: bool = False
    received: datetime | None = None  # by the front end, where that kept it back
    ended: datetime | None = None  # when it stopped to live

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    @property
    def late_by(self) -> timedelta:
        """For how long the front end kept it back before it accepted it."""
        return timedelta(0) if self.received is None else self.at - self.received

    def __str__(self) -> str:
        return f"{self.record}: {self.broker_order_id} {self.status} {self.filled} of {self.quantity} at {self.at}"


@dataclass(frozen=True)
class Delivery:
    """One attempt of a sender. `status` None: nothing was heard of it."""

    client_id: str
    body: Row
    status: int | None
    command_ids: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """What identifies the alert: its sender and all that it says."""
        return asked(self.client_id, self.body)


@dataclass(frozen=True)
class Tables:
    """What orders.db says: the rows of its tables that matter here."""

    alerts: Sequence[Row]
    orders: Sequence[Row]
    events: Sequence[Row]
    messages: Sequence[Row]
    holdings: Sequence[Row] = ()


@dataclass(frozen=True)
class Evidence:
    """All of it. `delivered` are the channel's ids of messages that people have seen; None: there is no channel.

    `run_faults`: why the run itself was none, in the words of whoever ran it. `horizon`: for so long the service has to
    reckon with a late acceptance.
    """

    tables: Tables
    broker_orders: Sequence[BrokerOrder]
    deliveries: Sequence[Delivery]
    fills: Sequence[Fill] = ()
    delivered: frozenset[str] | None = None
    run_faults: Sequence[str] = ()
    horizon: timedelta = timedelta(0)


def asked(client_id: str, body: Row) -> str:
    """One text for all deliveries of the same alert."""
    plain = {name: value for name, value in body.items() if name not in ONCE_ONLY}
    return f"{client_id} {json.dumps(plain, sort_keys=True)}"


def asked_in(alert: Row) -> str:
    """The same of a row of `alerts`; one that is no JSON object stands for itself."""
    try:
        body = json.loads(alert["raw_body"])
    except ValueError:
        body = None
    return asked(alert["client_id"], body if isinstance(body, dict) else {"": alert["raw_body"]})


def read_database(path: Path) -> Tables:
    """Read orders.db.

    Raises:
        sqlite3.Error: it is damaged.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return Tables(
            *(
                [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}")]
                for table, key in (
                    ("alerts", "alert_id"),
                    ("orders", "command_id"),
                    ("order_events", "event_id"),
                    ("telegram_messages", "id"),
                    ("holdings", "client_id, exchange, symbol, strategy_name, product"),
                )
            )
        )


def read_journal(path: Path) -> tuple[list[BrokerOrder], list[Fill]]:
    """What the simulated broker recorded: each order as it ended, and all trades and conversions in their order."""
    orders: dict[str, BrokerOrder] = {}
    received: dict[str, datetime] = {}
    fills: list[Fill] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        record = json.loads(line)
        match record["kind"]:
            case "received":
                received[record["remarks"]] = _time(record)
            case "order":
                order = _taken(record, f"journal line {number}")
                order.received = received.get(order.client_order_id)
                orders[order.broker_order_id] = order
            case "fill" | "status":
                order = orders[record["norenordno"]]
                _change(order, record)
                if record["kind"] == "fill":
                    signed = Decimal(record["flqty"]) * (1 if record["side"] == "BUY" else -1)
                    fills.append(
                        Fill(order.broker_order_id, order.position, signed, _time(record), order.by_hand)
                    )
            case "converted":
                fills += _halves(record)
    return list(orders.values()), fills


def _change(order: BrokerOrder, record: Row) -> None:
    order.status, order.filled = record["status"], Decimal(record["fillshares"])
    order.quantity = Decimal(record["qty"])
    order.ended = None if order.is_live else order.ended or _time(record)


def _halves(record: Row) -> list[Fill]:
    """A conversion, which a person asked for: so many units out of one product and into another."""
    quantity = Decimal(record["qty"])
    where = tuple(record[name] for name in ("uid", "exch", "tsym"))
    halves = ((record["prd"], -quantity), (record["to"], quantity))
    return [Fill("", (*where, prd), signed, _time(record), by_hand=True) for prd, signed in halves]


def _time(record: Row) -> datetime:
    return datetime.fromisoformat(record["at"])


def _taken(record: Row, where: str) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=record["norenordno"],
        client_order_id=record["remarks"] or "",
        at=_time(record),
        quantity=Decimal(record["qty"]),
        status=record["status"],
        filled=Decimal(record["fillshares"]),
        record=where,
        position=tuple(record[name] for name in ("uid", "exch", "tsym", "prd")),
        by_hand=record.get("ordersource") == BY_HAND,
    )


def read_paper(path: Path) -> list[BrokerOrder]:
    """The same of the paper broker's own file; its numbers are `P` and twelve digits."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM orders ORDER BY sequence").fetchall()
    return [
        BrokerOrder(
            broker_order_id=f"P{row['sequence']:012d}",
            client_order_id=row["client_order_id"],
            at=datetime.fromisoformat(row["placed_at"]),
            quantity=Decimal(row["quantity"]),
            status=row["status"],
            filled=Decimal(row["filled_quantity"]),
            record="paper.db",
        )
        for row in rows
    ]


def read_deliveries(path: Path) -> list[Delivery]:
    """What the senders noted; a line for each attempt."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        Delivery(each["client_id"], each["body"], each["status"], tuple(each["command_ids"]))
        for each in found
    ]
