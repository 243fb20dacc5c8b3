"""Attribution of broker orders: which belong to our orders, and which to none."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from domain.broker_reports import OrderReport
from domain.order import Order
from domain.order_matching import SeenOrders


class MatchingReads(Protocol):
    """The reads that attribute broker orders, where the broker echoes no id of ours."""

    def unplaced(self, client_id: str) -> list[Order]:
        """List orders that may be live and whose broker id is not known, oldest first, without test mode."""

    def sightings(self, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
        """Return which of these ids rows have (archived rows too), and since when others are noted as external."""


class ExternalOrders(Protocol):
    """Broker orders that no order of ours explains, in a transaction."""

    def note_external(
        self, client_id: str, report: OrderReport, at: datetime, *, unseen_at: datetime | None = None
    ) -> bool:
        """Record a broker order that no row explains, until a row does; True when it was not known before.

        Args:
            unseen_at: when a whole read of the order book last began that did not show the report as it is. Positions
                may have shown it since then. None: not known, so not long before `at`.
        """

    def tagged_external(self, client_id: str, client_order_id: str) -> list[tuple[OrderReport, datetime]]:
        """List the recorded external orders that carry this tag, and when each was first seen."""

    def tagged_among(self, client_id: str, client_order_ids: Sequence[str]) -> set[str]:
        """Return those of the tags for which `tagged_external` would find an order."""

    def external_place(self, client_id: str, broker_order_id: str) -> tuple[str, str, str] | None:
        """Return exchange, symbol and side of a recorded external order; None where it is not recorded."""
