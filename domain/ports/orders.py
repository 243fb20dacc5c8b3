"""Orders and alerts: what is read of them, and what a transaction writes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.alert import Alert
from domain.order import Order
from domain.order_events import OrderChange


class OrderReads(Protocol):
    """Orders as they stand."""

    def get_by_id(self, command_id: str) -> Order | None: ...

    def get_all(self, command_ids: Iterable[str]) -> dict[str, Order]:
        """Return those of the orders that there are, by id."""

    def orders_of_alert(self, alert_id: str) -> list[Order]:
        """List an alert's legs in their order, of all clients that trade it, without further parts of exits."""

    def parts(self, command_id: str) -> list[Order]:
        """List the further parts of a leg."""

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None: ...

    def get_by_client_order_id(self, client_id: str, client_order_id: str) -> Order | None:
        """Return the order with this tag that was sent and whose id at the broker is not known yet."""

    def get_open_orders(self, client_id: str) -> list[Order]:
        """List orders that may be live at the broker (SENT_TO_BROKER), oldest first."""

    def may_be_live(self, client_id: str) -> list[Order]:
        """List orders that may be live: as `get_open_orders`, and those that the broker says it turned away."""

    def get_open_orders_by_strategy(self, client_id: str, strategy_name: str) -> list[Order]: ...

    def has_provisional(self, client_id: str, now: datetime) -> bool:
        """Return True while an order that was proven absent may still be accepted late."""


class EntryReads(Protocol):
    """The entries of a strategy that are under way."""

    def open_entries(self, client_id: str, strategy_name: str) -> list[Order]:
        """List the strategy's entries that have not ended, oldest first, in test mode too."""


class ClaimReads(Protocol):
    """What may be sent now, and who has claimed."""

    def claimable(self, client_id: str, now: datetime, *, limit: int, exits_only: bool) -> list[Order]:
        """List CREATED orders that may be sent now, by `domain.claim_priority` (exits first), then oldest first."""

    def has_work(self, client_id: str, now: datetime, *, exits_only: bool = False) -> bool:
        """Return True when the client has a CREATED order that may be sent now."""

    def claimant_alive(self, claimant: str) -> bool:
        """Return False only when the watcher that claimed under this name has provably ended."""


class Registration(NamedTuple):
    """A new alert with the one order that it makes, and the UNIQUE key of that order's intent."""

    alert: Alert
    change: OrderChange
    intent: str


class AlertWrites(Protocol):
    """Alerts and intents, in a transaction."""

    def orders_of_alert(self, alert_id: str) -> list[Order]:
        """List an alert's legs in their order, of all clients that trade it, without further parts of exits."""

    def add_alert(self, alert: Alert) -> None: ...

    def accepted(self, key: str, since: datetime) -> list[Alert]:
        """Return the alerts that were accepted under that key since then, the oldest first."""

    def replays_of(self, alert_id: str, since: datetime) -> list[Alert]:
        """Return the accepted replays of an alert that its sender delivered then."""

    def last_accepted(self, key: str) -> Alert | None:
        """Return the newest delivery under this idempotency key that was no duplicate and not rejected."""

    def add_intent(self, order: Order, key: str, signal_id: str | None) -> None:
        """Add the intent under its UNIQUE key, in the transaction that registers its order.

        Raises:
            ConcurrentUpdate: the key is taken.
        """

    def accepted_among(self, keys: Sequence[str]) -> set[str]:
        """Return those of the keys under which `last_accepted` would find an alert."""

    def add_registrations(self, registrations: Sequence[Registration]) -> None:
        """Write them all, or raise an error: then nothing of this transaction may be kept but what came before.

        Call it inside `attempt`.
        """

    def entered_since(self, order: Order) -> bool:
        """Return True when the order's strategy has a later entry in its symbol that is or was at the broker."""


class OrderWrites(Protocol):
    """Orders, in a transaction."""

    def apply(self, change: OrderChange) -> Order:
        """Write a change: its event, its row, its intent's status, its notices, and its effect on holdings.

        Raises:
            ConcurrentUpdate: the row moved since the change was computed.
        """

    def apply_all(self, changes: Sequence[OrderChange]) -> None:
        """Write changes as `apply` does one after the other, each of another order.

        Raises an error where one of them may not be written: then nothing of this transaction may be kept but what came
        before. Call it inside `attempt`.
        """

    def get(self, command_id: str) -> Order | None: ...

    def unmoved(self, orders: Sequence[Order]) -> set[str]:
        """Return the ids of those orders whose rows are still as given."""

    def has_work(self, client_id: str, now: datetime, *, exits_only: bool = False) -> bool:
        """Return True when the client has a CREATED order that may be sent now."""

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None: ...

    def with_full_exit(self, entries: Sequence[Order]) -> set[str]:
        """Return the ids of those entries for which `full_exits_after` would find an exit."""

    def full_exits_after(self, entry: Order) -> list[Order]:
        """List the exits without a quantity that the entry's strategy registered in its symbol after it, latest first.

        The latest five: whoever repeats an exit more often than that repeats the same one.
        """

    def parts(self, command_id: str) -> list[Order]:
        """List the further parts of a leg."""
