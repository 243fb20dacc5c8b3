"""What the orders database knows of prices, equity and entries, for who only looks: opened when first asked."""

from collections.abc import Callable
from typing import Protocol

from domain.alert import ClientShare, ParsedAlert
from domain.broker_reports import PositionsSnapshot
from domain.cancel_by_alert import entries_meant
from domain.cancellation import hindrance
from domain.marks import Mark
from domain.money import decimal_text
from domain.order import Order
from domain.ports import EntryReads
from domain.ports.sizing import SizingReads
from domain.sizing import Equity


class PreviewReads(SizingReads, EntryReads, Protocol):
    """What a preview reads; each read may raise `StoreUnavailable`."""


class NoPrices:
    """Nothing is known."""

    def marks(self, client_id: str) -> list[Mark]:
        """None is kept."""
        return []

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """They were never read."""
        return None

    def equity(self, client_id: str) -> Equity | None:
        """It was never read."""
        return None

    def open_entries(self, client_id: str, strategy_name: str) -> list[Order]:
        """There is none."""
        return []


class PricesWhenAsked:
    """Opens what is read when it is first asked: most alerts need none of it."""

    def __init__(self, reads: Callable[[], PreviewReads]) -> None:
        self._open = reads
        self._opened: PreviewReads | None = None

    @property
    def _reads(self) -> PreviewReads:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def marks(self, client_id: str) -> list[Mark]:
        """See `domain.ports.Store`."""
        return self._reads.marks(client_id)

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """See `domain.ports.Store`."""
        return self._reads.saved_positions(client_id)

    def equity(self, client_id: str) -> Equity | None:
        """See `domain.ports.Store`."""
        return self._reads.equity(client_id)

    def open_entries(self, client_id: str, strategy_name: str) -> list[Order]:
        """See `domain.ports.Store`."""
        return self._reads.open_entries(client_id, strategy_name)


def would_cancel(reads: PreviewReads, alert: ParsedAlert) -> list[dict[str, object]]:
    """The entries that an alert would take back as things stand; `why_not`: why one cannot be cancelled just now."""
    found: list[dict[str, object]] = []
    for share in alert.shares or (ClientShare(alert.client_id),):
        orders = reads.open_entries(share.client_id, alert.strategy_name)
        for order in entries_meant(share.legs or alert.legs, orders, is_test=alert.test_mode is not None):
            found.append(
                {
                    "command_id": order.command_id,
                    "client_id": order.client_id,
                    "exchange": order.exchange,
                    "symbol": order.symbol,
                    "side": order.side,
                    "quantity": decimal_text(order.quantity),
                    "status": order.status,
                    "why_not": hindrance(order.phase, order.broker_order_id),
                }
            )
    return found
