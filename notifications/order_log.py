"""Log one line for each change of an order and for each halt, once it is durable and not before."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from domain.money import decimal_text
from domain.notice_keys import NoticeKey
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange
from domain.ports import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Transaction], T]

_LONGEST = 300  # characters of a line, which may contain what others wrote


def journaled(write: Callable[[Work[T]], T], work: Work[T]) -> T:
    """Do the work with a store's `write`, then log its notices. Returns and raises as `write` does."""
    if not log.isEnabledFor(logging.INFO):
        return write(work)
    told: list[Notice] = []

    def noted(tx: Transaction) -> T:
        told.clear()  # those of a run that was rolled back
        return work(cast("Transaction", _Noting(tx, told)))

    result = write(noted)
    for notice in told:
        line = line_of(notice)
        if line is not None:
            log.info("%s", line)
    return result


class _Noting:
    """A transaction that collects its notices."""

    def __init__(self, tx: Transaction, told: list[Notice]) -> None:
        self._tx = tx
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def attempt(self, work: Callable[[], T]) -> T | Exception:
        before = len(self._told)
        result = self._tx.attempt(work)
        if isinstance(result, Exception):
            del self._told[before:]  # what it wrote was undone
        return result

    def apply(self, change: OrderChange) -> Order:
        after = self._tx.apply(change)
        self._told.extend(change.notices)
        return after

    def apply_all(self, changes: Sequence[OrderChange]) -> None:
        self._tx.apply_all(changes)
        self._told.extend(notice for change in changes for notice in change.notices)

    def notify(self, notice: Notice) -> None:
        self._tx.notify(notice)
        self._told.append(notice)

    def notify_once(self, key: NoticeKey, notice: Notice, **options: Any) -> bool:
        is_news = self._tx.notify_once(key, notice, **options)
        if is_news:
            self._told.append(notice)
        return is_news


def line_of(notice: Notice) -> str | None:
    """The log line for a notice about an order or a halt; None for other notices, which their creators log."""
    order = notice.order
    if notice.kind in (NoticeKind.HALTED, NoticeKind.RESUMED):
        return _plain(f"{notice.kind.lower()} {notice.client_id}: {notice.detail}")
    if order is None or notice.kind not in _BEFELL:
        return None
    mode = " (test mode)" if order.test_mode is not None else ""
    what = f"{order.execution_type} {order.side} {decimal_text(order.quantity)} {order.symbol}{mode}"
    whose = f"{order.client_id} {order.strategy_name}"
    return _plain(f"order {order.command_id} {_BEFELL[notice.kind](order)}: {whose} {what}")


def _fills(order: Order) -> str:
    price = "" if order.average_price is None else f" @ {decimal_text(order.average_price)}"
    return f"{decimal_text(order.filled_quantity)} of {decimal_text(order.quantity)}{price}"


_BEFELL: dict[NoticeKind, Callable[[Order], str]] = {
    NoticeKind.PLACED: lambda order: f"placed as {order.broker_order_id}",
    NoticeKind.PARTIALLY_FILLED: lambda order: f"partly filled, {_fills(order)}",
    NoticeKind.FILLED: lambda order: f"filled, {_fills(order)}",
    NoticeKind.OVERFILLED: lambda order: f"OVERFILLED, {_fills(order)}",
    NoticeKind.BLOCKED: lambda order: f"blocked, {order.tag}",
    NoticeKind.REJECTED: lambda order: f"rejected, {order.tag}",
    NoticeKind.FAILED: lambda order: f"failed, {order.tag}",
    NoticeKind.RESURRECTED: lambda order: f"is alive after all, {order.phase}",
}


def _plain(text: str) -> str:
    """One printable line, whatever a name or a reason contains."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST])
