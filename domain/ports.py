"""The interfaces that the services need from outside. Adapters implement them; tests pass their own."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from domain.account import AccountStanding, BrokerAccount
from domain.adoption import Adoption, AdoptionFacts
from domain.alert import Alert, DecisionType
from domain.broker_reports import Book, BrokerTraits, OrderRef, OrderReport, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.daily_loss import DayLoss, Lift
from domain.first_reads import Missing
from domain.limits import Limits
from domain.message_facts import MessageFacts
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice
from domain.order import Order
from domain.order_events import OrderChange
from domain.order_matching import SeenOrders
from domain.position_comparison import Difference, Place
from domain.risk_facts import ExitFacts, Facts, Holding
from domain.stale_orders import StaleOrder
from domain.unconfigured_clients import UnconfiguredRows

T = TypeVar("T")


class Clock(Protocol):
    """The clock, passed in."""

    def now(self) -> datetime:
        """Return the present time, aware UTC."""


class Ids(Protocol):
    """New ids, passed in so that a run can be repeated."""

    def alert_id(self, at: datetime) -> str:
        """Return a unique id that sorts by time."""


class Broker(Protocol):
    """One client's broker. Every call is bounded in time by the adapter's own timeouts.

    Order calls raise only `NotSent`, `Refused` or `OutcomeUnknown`; reads raise only `ReadFailed`.
    """

    traits: BrokerTraits

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Place an order, once.

        Raises:
            NotSent: the request provably never left us, or with `look_first` the broker said that it turned it away.
            Refused: the broker provably refused this request.
            OutcomeUnknown: anything else.
        """

    def cancel(self, ref: OrderRef) -> None:
        """Request a cancel; only the order book shows its result. Raises the same errors as `place`."""

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the order book: at least all that the broker knows of `wanted`, closed orders too.

        Args:
            urgent: an exit waits for this read. Where calls are rationed, it must not wait for others.

        Raises:
            ReadFailed: the book could not be read.
        """

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions.

        Args:
            urgent: an exit is sized from them. Where calls are rationed, this read must not wait for others.

        Raises:
            ReadFailed: they could not be read.
        """


@dataclass(frozen=True, slots=True)
class ExposureQuery:
    """The order that the facts are about; `command_id` is None while it is not registered yet."""

    client_id: str
    strategy_name: str
    exchange: str
    symbol: str
    sign: int
    command_id: str | None = None
    product: str | None = None
    limits_of: str = ""  # the strategy whose own limits bind the order; empty: its client's limits bind it
    created_at: datetime | None = None  # None: now


WAITING = "WAITING"
"""The state of a client's `reconcile` loop until its broker has been read; the heartbeat says what is missing."""


CANNOT_BE_READ_AFTER = timedelta(seconds=15)
"""A broker counts as unreadable when its reads have failed without a break for so long.

People are then notified, and the client is not ready. A single failure is only a lag.
"""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A loop's heartbeat. `detail` says as a text what `missing` says part by part."""

    watcher_id: str
    loop: str
    client_id: str
    at: datetime
    state: str = "OK"
    detail: str = ""
    missing: Missing = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt of a strategy, or of the whole client where `strategy_name` is None; by whom and why."""

    client_id: str
    strategy_name: str | None
    at: datetime
    by: str
    reason: str


class Ownership(Protocol):
    """The reads that attribute broker orders, where the broker echoes no id of ours."""

    def unplaced(self, client_id: str) -> list[Order]:
        """List orders that may be live and whose broker id is not known, oldest first, without test mode."""

    def sightings(self, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
        """Return which of these ids rows have (archived rows too), and since when others are noted as external."""


class Review(Protocol):
    """The reads of what people are notified of once, across restarts."""

    def untold_frozen(self, client_id: str, sent_before: datetime, *, limit: int) -> list[StaleOrder]:
        """List orders SENT_TO_BROKER since before `sent_before` without a notification yet, the oldest first."""

    def is_told(self, client_id: str, key: NoticeKey) -> bool:
        """Return True when a notification was made under this key and is not cleared."""

    def told_keys(self, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
        """List the keys of this kind under which notifications about the client were made and are not cleared."""

    def told_clients(self, about: NoticeSubject) -> list[str]:
        """List the clients that have a notification of this kind that is not cleared."""


class Accounts(Protocol):
    """The reads of the broker accounts that clients' rows belong to."""

    def account(self, client_id: str) -> BrokerAccount | None:
        """Return the account that is recorded for the client; None while none is."""

    def account_standing(self, client_id: str, account: BrokerAccount) -> AccountStanding:
        """Return the client's recorded account, and which other client's rows prevent it from using this account."""

    def watchers_of(self, client_id: str) -> list[str]:
        """List the watchers, alive or not, that gave a heartbeat for the client or hold a claim on an order of it."""


class Transaction(Ownership, Review, Accounts, Protocol):
    """One write transaction: all of it becomes durable, or nothing."""

    def add_alert(self, alert: Alert) -> None: ...

    def last_accepted(self, key: str) -> Alert | None:
        """Return the newest delivery under this idempotency key that was no duplicate and not rejected."""

    def entered_since(self, order: Order) -> bool:
        """Return True when the order's strategy has a later entry in its symbol that is or was at the broker."""

    def decide_alert(self, alert_id: str, decision: DecisionType, code: str, message: str | None) -> None:
        """Fill an alert's decision columns."""

    def apply(self, change: OrderChange) -> Order:
        """Write a change: its event, its row, its intent's status, its notices, and its effect on holdings.

        Raises:
            ConcurrentUpdate: the row moved since the change was computed.
        """

    def add_intent(self, order: Order, key: str, signal_id: str | None) -> None:
        """Add the intent under its UNIQUE key, in the transaction that registers its order.

        Raises:
            ConcurrentUpdate: the key is taken.
        """

    def notify(self, notice: Notice) -> None:
        """Put a message into the outbox."""

    def notify_once(
        self, key: NoticeKey, notice: Notice, *, client_id: str | None = None, state: Iterable[str] = ()
    ) -> bool:
        """Put a message into the outbox, unless people were notified under this key; True when a message was put.

        Args:
            key: what it is about.
            client_id: the client that the key belongs to, where the message is for another client.
            state: facts that may change. When they differ from those of the last notification, people are notified
                again.
        """

    def clear_notice(self, client_id: str, key: NoticeKey) -> bool:
        """Clear a key, so that people are notified again the next time; True when it had been notified."""

    def get(self, command_id: str) -> Order | None: ...

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None: ...

    def orders_of_alert(self, alert_id: str) -> list[Order]: ...

    def facts(self, query: ExposureQuery, *, now: datetime, limits: Limits, live_allowed: bool) -> Facts: ...

    def exit_facts(self, order: Order, now: datetime) -> ExitFacts: ...

    def full_exit_after(self, entry: Order) -> Order | None:
        """Return the last exit without a quantity that the entry's strategy registered in its symbol after it."""

    def count_parts(self, command_id: str) -> int:
        """Return how many further parts a leg has."""

    def believe_differences(self, client_id: str, since: datetime) -> None:
        """Believe differences that have lasted since `since`: the broker's position is then expected to differ so."""

    def forget_symbol(self, client_id: str, exchange: str, symbol: str) -> None:
        """Forget the differences of a symbol that is flat, and what external orders did to its position."""

    def by_hand(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        """Return the effect of external orders on the position that no believed difference explains yet."""

    def believed(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        """Return by how much the broker's position is believed to differ from what strategies hold."""

    def holding(self, client_id: str, strategy_name: str, exchange: str, symbol: str) -> list[Holding]: ...

    def held_at(self, client_id: str, place: Place) -> Decimal:
        """Return what all strategies together hold there."""

    def clear_holdings(
        self,
        client_id: str,
        *,
        symbol: str | None = None,
        exchange: str | None = None,
        strategy_name: str | None = None,
        settled_before: datetime | None = None,
    ) -> int:
        """Delete the holdings of strategies; returns how many were deleted.

        With `settled_before`, only in symbols without a fill since then and without an order at the broker.
        """

    def net_position(self, client_id: str, exchange: str, symbol: str, product: str) -> Decimal | None:
        """Return the position as last read; None when positions were never read or that one could not be read."""

    def note_external(self, client_id: str, report: OrderReport, at: datetime) -> bool:
        """Record a broker order that no row explains, until a row does; True when it was not known before."""

    def told_difference(self, client_id: str, place: Place) -> Difference | None:
        """Return the position's difference that was notified and still exists."""

    def keep_difference(
        self, client_id: str, difference: Difference, since: datetime, at: datetime, *, believed: bool = True
    ) -> None:
        """Record a difference in place of the one that was notified there before; a difference of zero is deleted.

        `believed`: units that the broker has more, on the same side, are believed at once.
        """

    def tagged_external(self, client_id: str, client_order_id: str) -> list[tuple[OrderReport, datetime]]:
        """List the recorded external orders that carry this tag, and when each was first seen."""

    def external_place(self, client_id: str, broker_order_id: str) -> tuple[str, str, str] | None:
        """Return exchange, symbol and side of a recorded external order; None where it is not recorded."""

    def day_loss(self, client_id: str) -> DayLoss | None:
        """Return the trading day's profit and loss; None while positions were never read."""

    def keep_day_loss(self, client_id: str, loss: DayLoss) -> None: ...

    def keep_lift(self, lift: Lift) -> None:
        """Record an operator's lift permanently."""

    def adoption_facts(self, client_id: str, symbol: str, now: datetime) -> AdoptionFacts:
        """Return what must be known before units of the symbol become a strategy's holding."""

    def keep_adoption(self, adoption: Adoption) -> None:
        """Record an adoption permanently, with its effect on holdings and on differences."""

    def set_halt(self, halt: Halt) -> None: ...

    def clear_halt(self, client_id: str, strategy_name: str | None) -> bool:
        """End a halt; True when there was one."""

    def bind_account(self, client_id: str, account: BrokerAccount) -> BrokerAccount:
        """Record the account that the client's rows belong to, unless one is recorded; returns the recorded one."""

    def rebind_account(self, client_id: str, account: BrokerAccount) -> None:
        """Move the rows to another account: delete what was held, seen and notified at the old one; history stays.

        Raises:
            OpenOrders: orders of the client have not ended; nothing was changed.
        """

    def move_client(self, old: str, new: str, *, at: datetime, actor: str) -> tuple[int, int]:
        """Move one client's rows to another client id of the same account; returns the orders and holdings moved."""


class Store(Ownership, Review, Accounts, Protocol):
    """The orders database. Reads see committed data; a write is durable when `write` returns."""

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one durable write transaction and return what it returned.

        Errors of `work` roll its own changes back and are raised as they are.

        Raises:
            StoreUnavailable: the database could not commit; nothing of `work` was kept.
        """

    def unconfigured_rows(
        self, configured: Collection[str], served_since: datetime
    ) -> list[UnconfiguredRows]:
        """List what clients that are not configured have open, without those that a watcher has served since then."""

    def get_by_id(self, command_id: str) -> Order | None: ...

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None: ...

    def get_by_client_order_id(self, client_id: str, client_order_id: str) -> Order | None:
        """Return the order with this tag that was sent and whose id at the broker is not known yet."""

    def get_open_orders(self, client_id: str) -> list[Order]:
        """List orders that may be live at the broker (SENT_TO_BROKER), oldest first."""

    def get_open_orders_by_strategy(self, client_id: str, strategy_name: str) -> list[Order]: ...

    def claimable(self, client_id: str, now: datetime, *, limit: int, exits_only: bool) -> list[Order]:
        """List CREATED orders that may be sent now, exits first, then oldest first."""

    def has_disputed(self, client_id: str, since: datetime) -> bool:
        """Return True when a difference has lasted since `since` and is not believed yet."""

    def may_forget(self, client_id: str, exchange: str, symbol: str) -> bool:
        """Return True when something was recorded that may explain why the broker shows the symbol flat."""

    def has_provisional(self, client_id: str, now: datetime) -> bool:
        """Return True while an order that was proven absent may still be accepted late."""

    def has_work(self, client_id: str, now: datetime) -> bool:
        """Return True when the client has a CREATED order that may be sent now."""

    def holdings(self, client_id: str) -> list[Holding]: ...

    def last_fill_at(self, client_id: str, symbol: str) -> datetime | None:
        """Return when a fill in the symbol was last recorded."""

    def told_differences(self, client_id: str) -> list[Difference]:
        """List the positions' differences that were notified and still exist."""

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """Return the positions as last read, with the time of that read; None when they were never read."""

    def day_loss(self, client_id: str) -> DayLoss | None:
        """Return the trading day's profit and loss; None while positions were never read."""

    def save_positions(
        self,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        *,
        day_starts: datetime | None = None,
        compared_at: datetime | None = None,
    ) -> None:
        """Save a successful read: positions, profit and loss, and their effect on the day's loss.

        Without `day_starts` nothing counts as the day before's: the whole profit and loss counts as today's.
        `compared_at`: when an earlier read was last compared with the holdings. None leaves the saved time as it is.
        """

    def save_read_error(self, client_id: str, at: datetime, error: str) -> None:
        """Record that the broker could not be read; the positions saved before stay, with their time."""

    def save_beats(self, heartbeats: Iterable[Heartbeat]) -> None: ...

    def claimant_alive(self, claimant: str) -> bool:
        """Return False only when the watcher that claimed under this name has provably ended."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One pending message of the outbox."""

    id: int
    client_id: str
    kind: str
    text: str
    attempts: int
    created_at: datetime
    command_id: str | None = None  # of the order that it is about
    facts: MessageFacts | None = None  # its content as data; None where an earlier version wrote the message


class OutboxStore(Protocol):
    """The outbox, as the process that sends messages uses it."""

    def pending(self, client_ids: Sequence[str], limit: int) -> list[OutboxMessage]:
        """List pending messages, oldest first."""

    def mark_sent(self, ids: Sequence[int], telegram_message_id: str, at: datetime) -> None: ...

    def mark_attempt(self, ids: Sequence[int], error: str, at: datetime) -> None:
        """Record an attempt that did not deliver; the messages stay pending."""

    def mark_failed(self, ids: Sequence[int], error: str, at: datetime) -> None:
        """Record that the channel permanently refused these messages; no further attempt will be made."""

    def lease(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew an exclusive lease; False while somebody else holds it."""


class SendFailed(Exception):
    """A message was not delivered.

    `retry_after`: seconds to wait before the next attempt, if the channel said so. `permanent`: True when the channel
    refused this very message and would refuse it again.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


class Sender(Protocol):
    """A channel that delivers messages to people, such as Telegram."""

    def send(self, chat_id: str, text: str) -> str:
        """Deliver one message; returns the channel's id for it.

        Raises:
            SendFailed: it was not delivered.
        """


class MarkSetter(Protocol):
    """A setter for the last prices of a simulated market; only simulated brokers have one."""

    def set_mark(self, exchange: str, symbol: str, price: Decimal) -> None: ...
