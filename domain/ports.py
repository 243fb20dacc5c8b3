"""What the services need of the world. Adapters outside implement these; tests pass their own."""

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
    """Time, passed in."""

    def now(self) -> datetime:
        """The present, aware UTC."""


class Ids(Protocol):
    """New ids, passed in so that a run can be repeated."""

    def alert_id(self, at: datetime) -> str:
        """A unique id that sorts by time."""


class Broker(Protocol):
    """One client's broker. Every call is bounded in time by the adapter's own timeouts.

    Order calls raise only `NotSent`, `Refused` or `OutcomeUnknown`; reads raise only `ReadFailed`.
    """

    traits: BrokerTraits

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Ask for an order, once.

        Raises:
            NotSent: it provably never left us, or with `look_first` the broker said that it was turned away.
            Refused: the broker provably said no to this request.
            OutcomeUnknown: anything else.
        """

    def cancel(self, ref: OrderRef) -> None:
        """Ask for a cancel; the book tells what became of it. Raises as `place` does."""

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """The order book; at least all that is known of `wanted`, closed orders too.

        Raises:
            ReadFailed: the book could not be read.
        """

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """All positions.

        Args:
            urgent: an exit is sized from them: where calls are rationed, this one is not to wait for others.

        Raises:
            ReadFailed: they could not be read.
        """


@dataclass(frozen=True, slots=True)
class ExposureQuery:
    """Which order the facts are about; `command_id` None while it is not registered yet."""

    client_id: str
    strategy_name: str
    exchange: str
    symbol: str
    sign: int
    command_id: str | None = None
    product: str | None = None
    limits_of: str = ""  # the strategy whose own limits bind the order; empty: its client's
    created_at: datetime | None = None  # None: now


WAITING = "WAITING"
"""The state of a client's `reconcile` loop until its broker has been read; the beat says what is missing."""


CANNOT_BE_READ_AFTER = timedelta(seconds=15)
"""When reads of a broker have failed for so long on end, it cannot be read: told, and not ready. One is a lag."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A loop's sign of life. `detail` says in words what `missing` says part by part."""

    watcher_id: str
    loop: str
    client_id: str
    at: datetime
    state: str = "OK"
    detail: str = ""
    missing: Missing = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Halt:
    """What is halted (`strategy_name` None: the whole client), by whom, why."""

    client_id: str
    strategy_name: str | None
    at: datetime
    by: str
    reason: str


class Ownership(Protocol):
    """What bears on whose a broker order is, where the broker echoes no id of ours."""

    def unplaced(self, client_id: str) -> list[Order]:
        """Orders that may be live and whose broker id is not known, oldest first; test mode left out."""

    def sightings(self, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
        """Which of these ids rows have, archived ones too, and since when others are noted as nobody's."""


class Review(Protocol):
    """What a person is told once, whatever restarts."""

    def untold_frozen(self, client_id: str, sent_before: datetime, *, limit: int) -> list[StaleOrder]:
        """Orders SENT_TO_BROKER since before then of which nobody was told yet, the oldest first."""

    def is_told(self, client_id: str, key: NoticeKey) -> bool:
        """Whether it was told under this key and is not cleared."""

    def told_keys(self, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
        """What of this kind was told of the client and is not cleared."""

    def told_clients(self, about: NoticeSubject) -> list[str]:
        """The clients of which something of this kind was told and is not cleared."""


class Accounts(Protocol):
    """Whose orders a client's rows are."""

    def account(self, client_id: str) -> BrokerAccount | None:
        """The account that is remembered; None while none is."""

    def account_standing(self, client_id: str, account: BrokerAccount) -> AccountStanding:
        """Whose the client's rows are, and which other client's rows stand in its way to this account."""

    def watchers_of(self, client_id: str) -> list[str]:
        """The names of watchers that gave a heartbeat for the client or hold a claim of its, living or not."""


class Transaction(Ownership, Review, Accounts, Protocol):
    """One write transaction: all of it becomes durable, or none."""

    def add_alert(self, alert: Alert) -> None: ...

    def last_accepted(self, key: str) -> Alert | None:
        """The newest delivery under this idempotency key that was no duplicate and not rejected."""

    def entered_since(self, order: Order) -> bool:
        """True when its strategy has an entry in its symbol that was registered later and is or was at the broker."""

    def decide_alert(self, alert_id: str, decision: DecisionType, code: str, message: str | None) -> None:
        """Fill an alert's decision columns."""

    def apply(self, change: OrderChange) -> Order:
        """Write a change: its event, its row, its intent's status, its notices, what it does to holdings.

        Raises:
            ConcurrentUpdate: the row moved since the change was computed.
        """

    def add_intent(self, order: Order, key: str, signal_id: str | None) -> None:
        """The intent under its UNIQUE key, in the transaction that registers its order.

        Raises:
            ConcurrentUpdate: the key is taken.
        """

    def notify(self, notice: Notice) -> None:
        """Put a message into the outbox."""

    def notify_once(
        self, key: NoticeKey, notice: Notice, *, client_id: str | None = None, state: Iterable[str] = ()
    ) -> bool:
        """Put a message into the outbox unless it was told under this key; True when it is told now.

        Args:
            key: what it is about.
            client_id: whose key it is, where the message is for another client.
            state: facts that may change; once they are others than those that were told last, it is told again.
        """

    def clear_notice(self, client_id: str, key: NoticeKey) -> bool:
        """It is over: the next time it is told anew. True when it had been told."""

    def get(self, command_id: str) -> Order | None: ...

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None: ...

    def orders_of_alert(self, alert_id: str) -> list[Order]: ...

    def facts(self, query: ExposureQuery, *, now: datetime, limits: Limits, live_allowed: bool) -> Facts: ...

    def exit_facts(self, order: Order, now: datetime) -> ExitFacts: ...

    def full_exit_after(self, entry: Order) -> Order | None:
        """The last exit without a quantity that its strategy registered in its symbol after this entry."""

    def count_parts(self, command_id: str) -> int:
        """How many further parts a leg has."""

    def believe_differences(self, client_id: str, since: datetime) -> None:
        """Believe the differences that have stood since then: expect the broker's position to differ by them."""

    def forget_symbol(self, client_id: str, exchange: str, symbol: str) -> None:
        """Forget what was told and believed of a symbol that is flat."""

    def by_hand(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        """What the broker's rows of orders that are not ours did to the position, and no difference explains yet."""

    def believed(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        """By how much the broker's position is believed to differ from what strategies hold."""

    def holding(self, client_id: str, strategy_name: str, exchange: str, symbol: str) -> list[Holding]: ...

    def held_at(self, client_id: str, place: Place) -> Decimal:
        """What all strategies together hold there."""

    def clear_holdings(
        self,
        client_id: str,
        *,
        symbol: str | None = None,
        exchange: str | None = None,
        strategy_name: str | None = None,
        settled_before: datetime | None = None,
    ) -> int:
        """Forget what strategies are believed to hold; returns how many holdings were cleared.

        With `settled_before` only symbols without a fill since then and without an order at the broker.
        """

    def net_position(self, client_id: str, exchange: str, symbol: str, product: str) -> Decimal | None:
        """The position as last read; None when positions were never read, or that one could not be."""

    def note_external(self, client_id: str, report: OrderReport, at: datetime) -> bool:
        """Keep a broker order that no row explains, until one does; True when it was not known before."""

    def told_difference(self, client_id: str, place: Place) -> Difference | None:
        """The position's difference that was told and still stands."""

    def keep_difference(
        self, client_id: str, difference: Difference, since: datetime, at: datetime, *, believed: bool = True
    ) -> None:
        """Put it in the place of what was told there before; one of zero leaves nothing."""

    def tagged_external(self, client_id: str, client_order_id: str) -> list[tuple[OrderReport, datetime]]:
        """The noted broker orders that carry this tag, and when each was first seen."""

    def external_place(self, client_id: str, broker_order_id: str) -> tuple[str, str, str] | None:
        """Exchange, symbol and side of a broker order that was noted as external; None where it was not."""

    def day_loss(self, client_id: str) -> DayLoss | None:
        """The trading day's profit and loss; None while positions were never read."""

    def keep_day_loss(self, client_id: str, loss: DayLoss) -> None: ...

    def keep_lift(self, lift: Lift) -> None:
        """Note an operator's lift, for good."""

    def adoption_facts(self, client_id: str, symbol: str, now: datetime) -> AdoptionFacts:
        """What must be known before units of the symbol become a strategy's holding."""

    def keep_adoption(self, adoption: Adoption) -> None:
        """Note an adoption, for good, and write what it does to holdings and to differences."""

    def set_halt(self, halt: Halt) -> None: ...

    def clear_halt(self, client_id: str, strategy_name: str | None) -> bool:
        """True when something was halted there."""

    def bind_account(self, client_id: str, account: BrokerAccount) -> BrokerAccount:
        """Remember whose the client's rows are, unless that is known; what is remembered then."""

    def rebind_account(self, client_id: str, account: BrokerAccount) -> None:
        """Make the rows another account's: forget what was held, seen and told at the old one; history stays.

        Raises:
            OpenOrders: orders of the client have not ended; nothing was changed.
        """

    def move_client(self, old: str, new: str, *, at: datetime, actor: str) -> tuple[int, int]:
        """Make one client's rows another's, of the same account; returns how many orders and holdings."""


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
        """What clients that are not configured have open, those left out that a watcher has served since then."""

    def get_by_id(self, command_id: str) -> Order | None: ...

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None: ...

    def get_by_client_order_id(self, client_id: str, client_order_id: str) -> Order | None:
        """An order that was sent and whose id at the broker is not known yet."""

    def get_open_orders(self, client_id: str) -> list[Order]:
        """Orders that may be live at the broker (SENT_TO_BROKER), oldest first."""

    def get_open_orders_by_strategy(self, client_id: str, strategy_name: str) -> list[Order]: ...

    def claimable(self, client_id: str, now: datetime, *, limit: int, exits_only: bool) -> list[Order]:
        """CREATED orders that may be sent now, exits first, then oldest first."""

    def has_disputed(self, client_id: str, since: datetime) -> bool:
        """True where a difference has stood since then and is not believed yet."""

    def may_forget(self, client_id: str, exchange: str, symbol: str) -> bool:
        """True where something was recorded that may explain why the broker shows the symbol flat."""

    def has_provisional(self, client_id: str, now: datetime) -> bool:
        """True while an order that was shown absent may still be accepted late."""

    def has_work(self, client_id: str, now: datetime) -> bool:
        """True when the client has a CREATED order whose time has come."""

    def holdings(self, client_id: str) -> list[Holding]: ...

    def last_fill_at(self, client_id: str, symbol: str) -> datetime | None:
        """When a fill in the symbol was last recorded."""

    def told_differences(self, client_id: str) -> list[Difference]:
        """The positions whose difference was told and still stands."""

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """The last positions that were read, with their age; None when none ever were."""

    def day_loss(self, client_id: str) -> DayLoss | None:
        """The trading day's profit and loss; None while positions were never read."""

    def save_positions(
        self,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        *,
        day_starts: datetime | None = None,
        compared_at: datetime | None = None,
    ) -> None:
        """Keep a successful read: positions, profit and loss, and what that says of the day's loss.

        Without `day_starts` nothing is taken for the day before's: all of it counts as today's.
        `compared_at` is when an earlier read was last compared with the holdings; None leaves what is kept of that.
        """

    def save_read_error(self, client_id: str, at: datetime, error: str) -> None:
        """Note that the broker could not be read; the positions kept before stay, with their age."""

    def save_beats(self, heartbeats: Iterable[Heartbeat]) -> None: ...

    def claimant_alive(self, claimant: str) -> bool:
        """False only when the watcher that claimed under this name provably ended."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message that waits to be sent, as it stands in the outbox."""

    id: int
    client_id: str
    kind: str
    text: str
    attempts: int
    created_at: datetime
    command_id: str | None = None  # of the order that it is about
    facts: MessageFacts | None = None  # what its text tells; None of one that an earlier version wrote


class OutboxStore(Protocol):
    """The outbox as its sender sees it."""

    def pending(self, client_ids: Sequence[str], limit: int) -> list[OutboxMessage]:
        """Oldest first."""

    def mark_sent(self, ids: Sequence[int], telegram_message_id: str, at: datetime) -> None: ...

    def mark_attempt(self, ids: Sequence[int], error: str, at: datetime) -> None:
        """One more attempt that did not deliver; the messages stay pending."""

    def mark_failed(self, ids: Sequence[int], error: str, at: datetime) -> None:
        """The channel refused these messages for what they are; no further attempt will be made."""

    def lease(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew an exclusive lease; False while somebody else holds it."""


class SendFailed(Exception):
    """A message was not delivered. `retry_after` seconds are to pass before the next attempt, if the channel said so.

    `permanent` is True when the channel refused this very message and would refuse it again.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


class Sender(Protocol):
    """A channel to people. Telegram is one."""

    def send(self, chat_id: str, text: str) -> str:
        """Deliver one message; returns the channel's id of it.

        Raises:
            SendFailed: it was not delivered.
        """


class MarkSetter(Protocol):
    """Where a simulated market's last prices are set; only simulated brokers have one."""

    def set_mark(self, exchange: str, symbol: str, price: Decimal) -> None: ...
