"""The truth: a broker's account as it really is, with all that was traded in it, by us and by hand.

An account never forgets, doubles or invents anything. What goes wrong, goes wrong on the way: see `line`.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Protocol

from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderReport
from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType, OrderType, Side
from domain.money import ZERO
from tests.simulation.plan import EXCHANGE, OTHER_PRODUCT, PRODUCT, Plan
from tests.simulation.prices import PRICE, Prices
from tests.simulation.scheduler import SECOND, START, Scheduler

LIVE = (BrokerStatus.PENDING, BrokerStatus.OPEN)
UNIQUE = (IdClass.C3, IdClass.C4)


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
    product: str = PRODUCT
    status: BrokerStatus = BrokerStatus.OPEN
    filled: Decimal = ZERO
    price: Decimal = PRICE  # of each of its fills
    odd: bool = False  # the broker went back on its own word: filled after it was dead, or filled too much
    was_turned_away: bool = False  # a dead row, all that is left of a request that the broker did not take
    revived: bool = False  # accepted later than the broker's horizon
    shown_at: float | None = None  # when a read of the book first told of it, where it was revived
    twice: bool = False  # the book always has its first row too, after the one that is true
    says_nothing_until: float = -1.0  # its book says COMPLETE and nothing filled
    unreadable_until: float = -1.0
    shows_from: float = -1.0  # the book does not have it before, though positions do
    contradicts_since: float | None = None  # when a read first said so
    said: list[tuple[int, OrderReport]] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        """It may still be filled."""
        return self.status in LIVE

    @property
    def is_exit(self) -> bool:
        """An exit of ours."""
        return self.command is not None and self.command.execution_type is ExecutionType.EXIT

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


@dataclass(frozen=True, slots=True)
class Read:
    """A read of the positions that was given to the engine: as of when it was true, and where it was not at all."""

    at: int
    process: str
    as_of: int
    wrong: frozenset[str]


class Witness(Protocol):
    """Who must be told what truly happens."""

    def call_begins(self, account: "Account", process: str, command: UniversalOrderCommand) -> None: ...

    def order_made(self, account: "Account", order: TrueOrder) -> None: ...

    def order_changed(self, account: "Account", order: TrueOrder) -> None: ...


class Account:
    """One client's account at the broker."""

    def __init__(self, client_id: str, plan: Plan, scheduler: Scheduler, witness: Witness) -> None:
        self.client_id = client_id
        self.traits = plan.traits
        self.acceptance_horizon = plan.acceptance_horizon
        self.orders: dict[str, TrueOrder] = {}
        self.by_tag: dict[str, list[TrueOrder]] = {}
        self.travelling: Counter[str] = Counter()  # requests under way, by tag
        self.turned_away: set[str] = set()  # tags of which the broker has said that it did not take the order
        self.sleeping = 0  # requests that nobody can expect to be accepted any more, and that will be
        self.fills: list[tuple[int, str, str, Decimal]] = []
        self._moves: dict[str, list[tuple[int, str, Decimal]]] = {}
        self._sorted = 0  # so many fills stand in `_moves`
        self.by_hand: list[tuple[int, str, str, Decimal]] = []  # those of them that are none of ours
        self.conversions: list[tuple[int, str, str, Decimal]] = []  # from one product to another
        self.reads: deque[Read] = deque(maxlen=40)
        self.empty_until = self.behind_until = -1.0  # episodes in which position reads are wrong
        self.behind_by = 0
        self.odd_symbols: set[str] = set()
        self.troubled_at = -1.0
        self.calm = False
        self.down = (-1.0, -1.0)  # nothing can be read from then until then
        self.random = plan.random(f"account {client_id}")
        self.aside = plan.random(f"account {client_id} aside")
        self.prices = Prices(plan)
        self._shows_prices = plan.has_prices or plan.rates["a market exit rests"] > 0
        self._resting = plan.random(f"account {client_id} resting")
        self._fills_at_the_market = plan.money is not None
        self._protecting = plan.random(f"account {client_id} protecting")
        self._of_rows = plan.random(f"account {client_id} rows")
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

    def arrive(
        self, command: UniversalOrderCommand, *, revived: bool = False, beyond: bool = False
    ) -> TrueOrder:
        """A request has come to the broker; `revived`: later than its horizon, `beyond`: later than anybody watches."""
        if revived:
            self.sleeping -= 1
        else:
            self.travelling[command.client_order_id] -= 1
        known = self._known(command.client_order_id)
        if known is not None:
            return known
        order = self._make(
            command.symbol,
            command.side,
            command.quantity,
            command,
            tagged=revived or not self._loses_tag(command),
        )
        order.product, order.revived = command.product, revived
        if beyond:
            self.odd_symbols.add(
                order.symbol
            )  # what went out meanwhile was right as far as anybody could know
        self.faults["revived, arrived"] += int(revived)
        order.twice = self.happens("book row twice")
        if self.happens("complete of nothing"):
            order.says_nothing_until = self._scheduler.seconds + self.random.uniform(5.0, 40.0)
        if self.happens("book row unreadable"):
            order.unreadable_until = self._scheduler.seconds + self.random.uniform(5.0, 20.0)
        self._witness.order_made(self, order)
        self._live(order)
        return order

    def _loses_tag(self, command: UniversalOrderCommand) -> bool:
        """Its row will not carry our tag. Not of one that was turned away: nobody could tell that it was taken."""
        is_told = command.client_order_id not in self.turned_away
        return is_told and self.traits.id_class is not IdClass.C0 and self.happens("tag lost", self._of_rows)

    def keep_dead(self, command: UniversalOrderCommand) -> None:
        """A request is turned away, and what is left of it is a dead row."""
        order = self._make(command.symbol, command.side, command.quantity, command)
        order.product, order.status, order.was_turned_away = command.product, BrokerStatus.REJECTED, True
        self._say(order, "RMS9")
        self._witness.order_made(self, order)

    def number_of(self, tag: str) -> str | None:
        """The number in an answer about this id: the newest order that was taken, else that of a dead row."""
        orders = sorted(self.by_tag.get(tag, []), key=lambda order: not order.was_turned_away)
        return orders[-1].broker_id if orders else None

    def _known(self, tag: str) -> TrueOrder | None:
        """The order that this broker takes the same id to be, by what it promises about ids."""
        orders = self.by_tag.get(tag, [])
        if self.traits.id_class is IdClass.C3:
            window = round(self.traits.id_window * SECOND)
            orders = [o for o in orders if self._scheduler.micros - o.accepted_at < window]
        return orders[0] if orders and self.traits.id_class in UNIQUE else None

    def _make(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal,
        command: UniversalOrderCommand | None,
        *,
        tagged: bool = True,
    ) -> TrueOrder:
        tag = command.client_order_id if command else None
        order = TrueOrder(
            broker_id=f"{self.client_id[0].upper()}{len(self.orders) + 1:06d}",
            client_order_id=tag if tagged and self.traits.id_class is not IdClass.C0 else None,
            symbol=symbol,
            side=side,
            quantity=quantity,
            accepted_at=self._scheduler.micros,
            command=command,
        )
        if self._fills_at_the_market:
            order.price = self.prices.at(symbol, self._scheduler.seconds)
        self.orders[order.broker_id] = order
        if tag is not None:
            self.by_tag.setdefault(tag, []).append(order)
        self._say(order)
        return order

    def trade_by_hand(self, symbol: str, side: Side, quantity: Decimal) -> None:
        """Somebody uses the account without us."""
        order = self._make(symbol, side, quantity, None)
        if self.happens("order by hand shows late", self.aside):
            order.shows_from = self._scheduler.seconds + self.aside.uniform(3.0, 25.0)
        self.by_hand.append((self._scheduler.micros, symbol, order.product, quantity * side.sign))
        self.fill(order, order.quantity)

    def make_smaller_by_hand(self) -> None:
        """Somebody takes some of one of our orders off that is not filled yet. Its tag stays, and so what it is."""
        resting = [
            o
            for o in self.orders.values()
            if o.command is not None and o.client_order_id and o.rest > 5 and not o.odd
        ]
        if resting and not self.calm:
            order = self._of_rows.choice(resting)
            self.faults["made smaller by hand"] += 1
            order.quantity = order.filled + 5
            self._say(order)
            self._witness.order_changed(self, order)

    def convert_by_hand(self, symbol: str) -> None:
        """Somebody asks the broker to carry a position on under another product."""
        net = self.nets_at(self._scheduler.micros).get((symbol, PRODUCT), ZERO)
        if net:
            now = self._scheduler.micros
            moves = [(now, symbol, PRODUCT, -net), (now, symbol, OTHER_PRODUCT, net)]
            self.fills += moves
            self.conversions += moves

    def fill(self, order: TrueOrder, quantity: Decimal) -> None:
        """Some of it, or all, is filled."""
        if quantity:
            order.filled += quantity
            signed = quantity * order.side.sign
            self.fills.append((self._scheduler.micros, order.symbol, order.product, signed))
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
            average_price=order.price if order.filled else None,
            reason="the exchange said so" if code else "",
            code=code,
            placed_at=placed_at if self._book_has_times else None,
            product=order.product if asked else None,
            order_type=asked.order_type if asked else None,
            price=asked.price if asked else None,
        )
        order.said.append((self._scheduler.micros, report))

    def _live(self, order: TrueOrder) -> None:
        """Decide what becomes of it."""
        soon = self.random.uniform(0.05, 1.0)
        later = soon + self.random.uniform(0.1, 15.0)
        waits = order.is_exit and order.command is not None and order.command.order_type is OrderType.LIMIT
        if waits and self.happens("a limit exit rests"):
            return
        if self._rests(order):
            return
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

    def _rests(self, order: TrueOrder) -> bool:
        """An exit at market that went as a limit, which nobody meets any more: perhaps after a part was filled."""
        at_market = order.command is not None and order.command.order_type is OrderType.MARKET
        if not (order.is_exit and at_market and self.happens("a market exit rests", self._resting)):
            return False
        if self.happens("partly filled first", self._resting):
            soon = self._resting.uniform(0.05, 6.0)
            self._after(soon, order, lambda: self.fill(order, min(order.rest, Decimal(10))))
        return True

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

    def last_price(self, symbol: str) -> Decimal | None:
        """What a read of the positions says of the symbol's price."""
        if not self._shows_prices or self.happens("price missing", self._protecting):
            return None
        if self.happens("price is nothing", self._protecting):
            return ZERO
        return self.prices.at(symbol, self._scheduler.seconds)

    # truths -------------------------------------------------------------------------------------------------

    def _moves_of(self, symbol: str) -> list[tuple[int, str, Decimal]]:
        """When the symbol's position moved, in which product, and by how much: `fills` only grows."""
        for at, name, of, signed in self.fills[self._sorted :]:
            self._moves.setdefault(name, []).append((at, of, signed))
        self._sorted = len(self.fills)
        return self._moves.get(symbol, [])

    def net(self, symbol: str, product: str | None = None) -> Decimal:
        """The position as it truly is, in one product or in all of them."""
        return sum((signed for _, of, signed in self._moves_of(symbol) if product in (None, of)), ZERO)

    def net_at(self, symbol: str, micros: int) -> Decimal:
        """The position as it was at that moment."""
        return sum((signed for at, _, signed in self._moves_of(symbol) if at <= micros), ZERO)

    def nets_at(self, micros: int) -> dict[tuple[str, str], Decimal]:
        """All positions as they were at that moment, by symbol and product."""
        nets: dict[tuple[str, str], Decimal] = {}
        for at, symbol, product, signed in self.fills:
            if at <= micros:
                nets[symbol, product] = nets.get((symbol, product), ZERO) + signed
        return nets

    def moved_by_hand(self, symbol: str, since: int, product: str | None = None) -> list[Decimal]:
        """What others did to a position after that moment; a conversion matters to a single product only."""
        moves = self.by_hand if product is None else self.by_hand + self.conversions
        return [
            signed
            for at, name, of, signed in moves
            if name == symbol and at > since and product in (None, of)
        ]

    def is_clear(self, symbol: str) -> bool:
        """Neither has it gone back on its word in that symbol, nor has a hand been there."""
        if symbol in self.odd_symbols or self.moved_by_hand(symbol, -1):
            return False
        orders = [o for o in self.orders.values() if o.symbol == symbol]
        return not any(o.odd or o.revived for o in orders) and all(
            s != symbol for _, s, *_ in self.conversions
        )

    def converted_by_hand(self, symbol: str, since: int) -> bool:
        """Whether a hand has carried units on under another product after that moment."""
        return any(name == symbol and at > since for at, name, _, _ in self.conversions)

    def go_down(self, seconds: float) -> None:
        """For so long nothing can be read; just before and after it, some brokers say that nothing is held."""
        empty = self.aside.choice((0.0, 7.0))
        now = self._scheduler.seconds
        self.faults["outage"] += 1
        self.down = (now + empty, now + empty + seconds)
        self.trouble(empty + seconds)
        self._be_empty(empty)
        self._scheduler.later(empty + seconds, lambda: self._be_empty(empty))

    def _be_empty(self, seconds: float) -> None:
        self.empty_until = max(self.empty_until, self._scheduler.seconds + seconds)

    def expects(self) -> bool:
        """Requests are still on their way, or sleep at the broker."""
        return self.sleeping > 0 or any(self.travelling.values())

    def trouble(self, seconds: float = 0.0) -> None:
        """This client has a reason to be slow, and for so long."""
        self.troubled_at = max(self.troubled_at, self._scheduler.seconds + seconds)
