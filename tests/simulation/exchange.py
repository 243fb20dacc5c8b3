"""The truth: a broker's account as it really is, and the unreliable lines over which the engine hears of it.

An account never forgets, doubles or invents anything. What goes wrong, goes wrong on the way: requests that are lost,
that arrive late or whose answer is lost; books that fail, lag, repeat themselves or list open orders only. Every fault
stays within what the broker's traits promise, because no engine could be right beyond that.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Protocol

from domain.alert import Side
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.money import ZERO
from domain.reports import Book, BrokerStatus, IdClass, OrderRef, OrderReport, Position, PositionsSnapshot
from tests.simulation.plan import EXCHANGE, PRODUCT, Plan
from tests.simulation.scheduler import SECOND, START, Process, Scheduler

LIVE = (BrokerStatus.PENDING, BrokerStatus.OPEN)
LATEST_ARRIVAL = 14.0  # seconds: the adapters' timeouts end every request within the engine's deadline of 15
UNIQUE = (IdClass.C3, IdClass.C4)
PRICE = Decimal("101.5")


@dataclass(eq=False)
class TrueOrder:
    """One order as the exchange has it."""

    broker_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    quantity: Decimal
    accepted_at: int
    command: UniversalOrderCommand | None = None  # None: somebody traded by hand
    status: BrokerStatus = BrokerStatus.OPEN
    filled: Decimal = ZERO
    odd: bool = False  # the broker went back on its own word: filled after it was dead, or filled too much
    said: list[tuple[int, OrderReport]] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        """It may still be filled."""
        return self.status in LIVE

    @property
    def rest(self) -> Decimal:
        """What may still be filled."""
        return max(self.quantity - self.filled, ZERO) if self.is_live else ZERO

    def report_at(self, micros: int) -> OrderReport | None:
        """What a book of that moment says."""
        for at, report in reversed(self.said):
            if at <= micros:
                return report
        return None


class Witness(Protocol):
    """Who must be told what truly happens."""

    def call_begins(self, command: UniversalOrderCommand) -> None: ...

    def order_made(self, account: "Account", order: TrueOrder) -> None: ...

    def order_changed(self, account: "Account", order: TrueOrder) -> None: ...


class Account:
    """One client's account at the broker."""

    def __init__(self, client_id: str, plan: Plan, scheduler: Scheduler, witness: Witness) -> None:
        self.client_id = client_id
        self.traits = plan.traits
        self.orders: dict[str, TrueOrder] = {}
        self.by_tag: dict[str, list[TrueOrder]] = {}
        self.travelling: Counter[str] = Counter()  # requests under way, by tag
        self.fills: list[tuple[int, str, Decimal]] = []
        self.odd_symbols: set[str] = set()
        self.troubled_at = -1.0
        self.calm = False
        self.random = plan.random(f"account {client_id}")
        self.faults: Counter[str] = Counter()
        self._rates = plan.rates
        self._book_has_times = plan.book_has_times
        self._scheduler = scheduler
        self._witness = witness

    def happens(self, name: str, random: Random | None = None) -> bool:
        """Whether this goes wrong now."""
        if self.calm or (random or self.random).random() >= self._rates[name]:
            return False
        self.faults[name] += 1
        return True

    def first_that_happens(self, *names: str) -> str:
        """One of several things that exclude each other, or nothing."""
        return next((name for name in names if self.happens(name)), "")

    def refuses_doubles(self) -> bool:
        """Some brokers answer a repeated id with a refusal, others with the order that they have."""
        return self.traits.id_class in UNIQUE and self.random.random() < 0.5

    # orders -------------------------------------------------------------------------------------------------

    def arrive(self, command: UniversalOrderCommand) -> TrueOrder:
        """A request has come to the broker."""
        self.travelling[command.client_order_id] -= 1
        known = self._known(command.client_order_id)
        if known is not None:
            return known
        order = self._make(command.symbol, command.side, command.quantity, command)
        self._witness.order_made(self, order)
        self._live(order)
        return order

    def _known(self, tag: str) -> TrueOrder | None:
        """The order that this broker takes the same id to be, by what it promises about ids."""
        orders = self.by_tag.get(tag, [])
        if self.traits.id_class is IdClass.C3:
            window = round(self.traits.id_window * SECOND)
            orders = [o for o in orders if self._scheduler.micros - o.accepted_at < window]
        return orders[0] if orders and self.traits.id_class in UNIQUE else None

    def _make(
        self, symbol: str, side: Side, quantity: Decimal, command: UniversalOrderCommand | None
    ) -> TrueOrder:
        tag = command.client_order_id if command else None
        order = TrueOrder(
            broker_id=f"{self.client_id[0].upper()}{len(self.orders) + 1:06d}",
            client_order_id=None if self.traits.id_class is IdClass.C0 else tag,
            symbol=symbol,
            side=side,
            quantity=quantity,
            accepted_at=self._scheduler.micros,
            command=command,
        )
        self.orders[order.broker_id] = order
        if tag is not None:
            self.by_tag.setdefault(tag, []).append(order)
        self._say(order)
        return order

    def trade_by_hand(self, number: int) -> None:
        """Somebody uses the account without us."""
        order = self._make(f"HAND{number}", Side.BUY, Decimal(25), None)
        self.fill(order, order.quantity)

    def fill(self, order: TrueOrder, quantity: Decimal) -> None:
        """Some of it, or all, is filled."""
        if quantity:
            order.filled += quantity
            self.fills.append((self._scheduler.micros, order.symbol, quantity * order.side.sign))
        if order.filled >= order.quantity:
            order.status = BrokerStatus.COMPLETE
        self._say(order)
        self._witness.order_changed(self, order)

    def finish(self, order: TrueOrder, status: BrokerStatus, code: str = "") -> None:
        """It dies, keeping what was filled."""
        order.status = status
        self._say(order, code)
        self._witness.order_changed(self, order)

    def _say(self, order: TrueOrder, code: str = "") -> None:
        asked = order.command if self._book_has_times else None
        placed_at = START + timedelta(microseconds=order.accepted_at)
        report = OrderReport(
            broker_order_id=order.broker_id,
            client_order_id=order.client_order_id,
            status=order.status,
            exchange=EXCHANGE,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            filled_quantity=order.filled,
            average_price=PRICE if order.filled else None,
            reason="the exchange said so" if code else "",
            code=code,
            placed_at=placed_at if self._book_has_times else None,
            product=PRODUCT if asked else None,
            order_type=asked.order_type if asked else None,
            price=asked.price if asked else None,
        )
        order.said.append((self._scheduler.micros, report))

    def _live(self, order: TrueOrder) -> None:
        """Decide what becomes of it."""
        soon = self.random.uniform(0.05, 1.0)
        later = soon + self.random.uniform(0.1, 15.0)
        life = self.first_that_happens(
            "filled later", "partly, then cancelled", "rejected later", "expired", "rests", "overfilled",
            "dead, then filled",
        )  # fmt: skip
        if not life:
            self.fill(order, order.quantity)
        elif life == "filled later":
            self._after(soon, order, lambda: self.fill(order, self._part(order)))
            self._after(later, order, lambda: self.fill(order, order.rest))
        elif life == "partly, then cancelled":
            self._after(soon, order, lambda: self.fill(order, self._part(order)))
            self._after(later, order, lambda: self.finish(order, BrokerStatus.CANCELLED))
        elif life == "rejected later":
            self._after(soon, order, lambda: self.finish(order, BrokerStatus.REJECTED, "RMS1"))
        elif life == "expired":
            self._after(later, order, lambda: self.finish(order, BrokerStatus.EXPIRED))
        elif life == "overfilled":
            self._mark_odd(order)
            self._after(soon, order, lambda: self.fill(order, order.quantity + 25))
        elif life == "dead, then filled":
            self._mark_odd(order)
            self._after(soon, order, lambda: self.finish(order, BrokerStatus.REJECTED, "RMS2"))
            self._scheduler.later(later + 5.0, lambda: self._revive(order))

    def _after(self, seconds: float, order: TrueOrder, happen: Callable[[], None]) -> None:
        self._scheduler.later(seconds, lambda: happen() if order.is_live else None)

    def _mark_odd(self, order: TrueOrder) -> None:
        order.odd = True
        self.odd_symbols.add(order.symbol)

    def _revive(self, order: TrueOrder) -> None:
        if order.status is BrokerStatus.REJECTED:
            self.fill(order, order.quantity - order.filled)

    def _part(self, order: TrueOrder) -> Decimal:
        return min(order.rest, Decimal(self.random.choice((5, 10, 20))))

    def settle(self) -> None:
        """The exchange closes: what rests is filled or cancelled."""
        for order in self.orders.values():
            if order.odd:
                self._revive(order)
            if order.is_live and self.random.random() < 0.5:
                self.finish(order, BrokerStatus.CANCELLED)
            elif order.is_live:
                self.fill(order, order.rest)

    # truths -------------------------------------------------------------------------------------------------

    def net(self, symbol: str) -> Decimal:
        """The position as it truly is."""
        return sum((signed for _, name, signed in self.fills if name == symbol), ZERO)

    def nets_at(self, micros: int) -> dict[str, Decimal]:
        """All positions as they were at that moment."""
        nets: dict[str, Decimal] = {}
        for at, symbol, signed in self.fills:
            if at <= micros:
                nets[symbol] = nets.get(symbol, ZERO) + signed
        return nets

    def trouble(self, seconds: float = 0.0) -> None:
        """This client has a reason to be slow, and for so long."""
        self.troubled_at = max(self.troubled_at, self._scheduler.seconds + seconds)


class Line:
    """What one process knows as its broker: `domain.ports.Broker` over an unreliable line to an account."""

    def __init__(
        self,
        account: Account,
        process: Process,
        scheduler: Scheduler,
        witness: Witness,
        cross: Callable[[Process, str], None],
    ) -> None:
        self.traits = account.traits
        self._account = account
        self._process = process
        self._scheduler = scheduler
        self._witness = witness
        self._cross = cross

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """See `domain.ports.Broker`."""
        self._cross(self._process, "place")
        self._witness.call_begins(command)
        try:
            return self._place(command)
        finally:
            if self._process.alive:  # the dead cross nothing
                self._cross(self._process, "placed")

    def _place(self, command: UniversalOrderCommand) -> OrderResult:
        account, random = self._account, self._account.random
        fate = account.first_that_happens(
            "not sent", "refused", "lost", "unanswered", "late", "hangs", "slow"
        )
        if fate:
            account.trouble()
        if fate == "not sent":
            raise NotSent("no connection")
        account.travelling[command.client_order_id] += 1
        if fate == "lost":
            slow = random.uniform(0.0, 5.0)
            account.trouble(slow)
            self._wait(slow, lambda: self._lose(command))
            raise OutcomeUnknown("connection reset")
        if fate == "late":
            self._scheduler.later(random.uniform(3.0, LATEST_ARRIVAL), lambda: account.arrive(command))
            account.trouble(2.9)
            self._scheduler.sleep(2.9)
            raise OutcomeUnknown("timed out")
        if fate == "hangs":
            arrives = random.choice((account.arrive, lambda command: self._lose(command)))
            self._scheduler.later(random.uniform(0.0, LATEST_ARRIVAL), lambda: arrives(command))
            hangs = random.uniform(10.0, 40.0)
            account.trouble(hangs)
            self._scheduler.sleep(hangs)
            known = account.by_tag.get(command.client_order_id)
            if not known or random.random() < 0.5:
                raise OutcomeUnknown("connection reset")
            return OrderResult(known[0].broker_id)
        return self._answered(command, fate)

    def _answered(self, command: UniversalOrderCommand, fate: str) -> OrderResult:
        account = self._account
        if fate == "refused":
            self._wait(0.0, lambda: self._lose(command))
            raise Refused("Insufficient margin", "RMS7")
        if fate == "slow":
            account.trouble(0.4)
            self._wait(account.random.uniform(0.005, 0.4), lambda: account.arrive(command))
        elif account.by_tag.get(command.client_order_id) and account.refuses_doubles():
            self._lose(command)
            raise Refused("duplicate client order id", "DUP")
        else:
            account.arrive(command)
        if fate == "unanswered":
            raise OutcomeUnknown("the answer was cut off")
        return OrderResult(account.by_tag[command.client_order_id][0].broker_id)

    def _lose(self, command: UniversalOrderCommand) -> None:
        self._account.travelling[command.client_order_id] -= 1

    def _wait(self, seconds: float, arrival: Callable[[], object]) -> None:
        """The request travels on its own: it arrives whether or not anybody still waits for it."""
        travel = seconds / 2
        self._scheduler.later(travel, arrival)
        self._scheduler.sleep(seconds + 0.000_01)

    def cancel(self, ref: OrderRef) -> None:
        """See `domain.ports.Broker`."""
        self._cross(self._process, "cancel")
        order = self._account.orders.get(ref.broker_order_id or "")
        fails = self._account.happens("cancel fails")
        if order is None or not order.is_live:
            raise Refused("no such open order")
        if fails and self._account.random.random() < 0.5:
            raise NotSent("no connection")
        self._account.finish(order, BrokerStatus.CANCELLED)
        self._cross(self._process, "cancelled")
        if fails:
            raise OutcomeUnknown("the answer was cut off")

    def read_book(self, wanted: Sequence[OrderRef]) -> Book:
        """See `domain.ports.Broker`."""
        account = self._account
        self._cross(self._process, "read_book")
        began, micros = self._scheduler.now(), self._scheduler.micros
        if account.happens("book fails"):
            slow = account.random.uniform(0.0, 3.0)
            account.trouble(slow)
            self._scheduler.sleep(slow)
            raise ReadFailed("gateway timeout")
        if account.happens("book lags"):
            micros -= round(account.random.random() * self.traits.visibility_horizon * SECOND)
        said = [order.report_at(micros) for order in account.orders.values()]
        reports = [report for report in said if report is not None]
        complete = not account.happens("book is of open orders")
        if not complete:
            reports = [report for report in reports if report.status in LIVE]
        if account.happens("book repeats"):
            reports = self._repeated(reports)
        if account.happens("slow"):
            account.trouble(0.5)
            self._scheduler.sleep(account.random.uniform(0.0, 0.5))
        return Book(began, tuple(reports), complete=complete)

    def _repeated(self, reports: list[OrderReport]) -> list[OrderReport]:
        """Old words about some orders before the last ones, and all in another order."""
        account = self._account
        old = [r for _, r in (account.orders[report.broker_order_id].said[0] for report in reports)]
        account.random.shuffle(old)
        account.random.shuffle(reports)
        return old[: len(old) // 2] + reports

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """See `domain.ports.Broker`."""
        account = self._account
        self._cross(self._process, "read_positions")
        began, micros = self._scheduler.now(), self._scheduler.micros
        if account.happens("positions fail"):
            account.trouble()
            raise ReadFailed("gateway timeout")
        if account.happens("positions lag"):
            micros -= round(account.random.random() * self.traits.position_horizon * SECOND)
        nets = account.nets_at(micros)
        if account.happens("slow"):
            account.trouble(
                0.3
            )  # exits go first, and each reads the positions: entries of this client wait for it
            self._scheduler.sleep(account.random.uniform(0.0, 0.3))
        return PositionsSnapshot(
            began, tuple(Position(EXCHANGE, symbol, PRODUCT, net) for symbol, net in nets.items())
        )
