"""The evidence of a run, sorted once for all checks of the judge."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime

from tests.e2e.judge_evidence import BrokerOrder, Evidence, Row, asked_in


class Case:
    """The evidence, sorted once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.orders = {row["command_id"]: row for row in evidence.tables.orders}
        self.at_broker: dict[str, list[BrokerOrder]] = defaultdict(list)
        for order in evidence.broker_orders:
            self.at_broker[order.client_order_id].append(order)
        self.by_number = {order.broker_order_id: order for order in evidence.broker_orders}
        self.by_tag = {row["client_order_id"]: row for row in evidence.tables.orders}
        self.by_alert: dict[str, list[Row]] = defaultdict(list)
        for row in evidence.tables.orders:
            self.by_alert[row["alert_id"]].append(row)
        self.by_strategy: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in evidence.tables.orders:
            names = ("client_id", "exchange", "symbol", "strategy_name")
            self.by_strategy[tuple(row[name] for name in names)].append(row)
        self.client_of: dict[str, str] = {}  # the broker's user to our client, by the orders that went there
        self.user_of: dict[str, str] = {}
        for order in evidence.broker_orders:
            sent_by = self.by_tag.get(order.client_order_id)
            if sent_by is not None and order.position:
                self.client_of[order.position[0]] = sent_by["client_id"]
                self.user_of[sent_by["client_id"]] = order.position[0]
        self.events: dict[str, list[Row]] = defaultdict(list)
        for event in evidence.tables.events:
            self.events[event["command_id"]].append(event)
        self.told: dict[str, list[Row]] = defaultdict(list)
        for message in evidence.tables.messages:
            self.told[message["command_id"]].append(message)
        self.by_asked: dict[str, list[Row]] = defaultdict(list)
        for alert in evidence.tables.alerts:
            self.by_asked[asked_in(alert)].append(alert)

    def sent(self, row: Row) -> list[BrokerOrder]:
        """What the broker has of this row."""
        return self.at_broker.get(row["client_order_id"], [])

    def row_of(self, broker_order_id: str) -> Row | None:
        """The row that explains this broker order; None where none does, or a person placed it."""
        order = self.by_number.get(broker_order_id)
        return None if order is None or order.by_hand else self.by_tag.get(order.client_order_id)


Check = Callable[[Case], Iterator[str]]


def said(row: Row) -> str:
    """What orders.db says of an order, in one line."""
    return f"{row['command_id']} {row['status']}/{row['phase']} {row['tag'] or ''} filled {row['filled_quantity']}"


def listed(orders: list[BrokerOrder]) -> str:
    """Broker orders in one line."""
    return "; ".join(map(str, orders)) or "nothing"


def time_of(text: str) -> datetime:
    """A time of orders.db."""
    return datetime.fromisoformat(text)
