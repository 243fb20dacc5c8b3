"""The unreliable lines over which the engine hears of an account.

Requests are lost, arrive late, or their answer is lost; books fail, lag, repeat themselves, list open orders only,
contradict themselves; positions fail, lag, and are wrong without anybody saying so. What the broker's traits promise
holds, but for what the table of rates names: acceptance later than the horizon (revived), and reads of positions that
lie. Of those no engine can know at once, so it has to doubt.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NoReturn

from domain.broker_reports import (
    Book,
    BrokerStatus,
    OrderRef,
    OrderReport,
    Position,
    PositionsSnapshot,
    UnreadableRow,
)
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import BrokerError, NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.money import ZERO
from tests.simulation.exchange import LIVE, Account, Read, TrueOrder, Witness
from tests.simulation.plan import EXCHANGE
from tests.simulation.scheduler import SECOND, Process, Scheduler

LATEST_ARRIVAL = 14.0  # seconds: the adapters' timeouts end every request within the engine's deadline of 15


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
        self._witness.call_begins(self._account, self._process.name, command)
        try:
            return self._place(command)
        finally:
            if self._process.alive:  # the dead cross nothing
                self._cross(self._process, "placed")

    def place_together(
        self, groups: Sequence[Sequence[UniversalOrderCommand]]
    ) -> list[list[OrderResult | BrokerError]]:
        """See `domain.ports.BatchPlacer`: one request after another, none later than a second after the first."""
        count = sum(map(len, groups))
        if count > 1:
            self._account.faults["sent in batches"] += count
        ends = self._scheduler.seconds + 1.0
        return [self._place_group(group, ends) for group in groups]

    def _place_group(
        self, group: Sequence[UniversalOrderCommand], ends: float
    ) -> list[OrderResult | BrokerError]:
        answers: list[OrderResult | BrokerError] = []
        for command in group:
            if any(isinstance(answer, Refused) for answer in answers):
                answers.append(NotSent("another order of its group was refused"))
            elif self._scheduler.seconds > ends:
                answers.append(NotSent("the batch took too long"))
            else:
                try:
                    answers.append(self.place(command))
                except BrokerError as error:
                    answers.append(error)
        return answers

    def _place(self, command: UniversalOrderCommand) -> OrderResult:
        account, random = self._account, self._account.random
        fate = account.first_that_happens(
            "not sent",
            "turned away",
            "turned away, taken",
            "refused",
            "lost",
            "unanswered",
            "late",
            "accepted late",
            "revived",
            "hangs",
            "slow",
        )
        if fate:
            account.trouble()
        if fate == "not sent":
            raise NotSent("no connection")
        if fate in ("turned away", "turned away, taken"):
            account.turned_away.add(command.client_order_id)
            if fate == "turned away, taken":
                account.travelling[command.client_order_id] += 1
                account.arrive(command)
            elif account.happens("dead row kept", account.aside):
                account.keep_dead(command)
            raise NotSent("Session Expired", look_first=True)
        if fate == "revived":
            account.sleeping += 1
            self._scheduler.later(*self._revival(command))
            self._give_up()
        account.travelling[command.client_order_id] += 1
        if fate == "accepted late":
            late = random.uniform(3.0, max(self.traits_horizon, LATEST_ARRIVAL))
            self._scheduler.later(late, lambda: account.arrive(command))
            self._give_up()
        if fate == "lost":
            slow = random.uniform(0.0, 5.0)
            account.trouble(slow)
            self._wait(slow, lambda: self._lose(command))
            raise OutcomeUnknown("connection reset")
        if fate == "late":
            self._scheduler.later(random.uniform(3.0, LATEST_ARRIVAL), lambda: account.arrive(command))
            self._give_up()
        if fate == "hangs":
            arrives = random.choice((account.arrive, lambda command: self._lose(command)))
            self._scheduler.later(random.uniform(0.0, LATEST_ARRIVAL), lambda: arrives(command))
            hangs = random.uniform(10.0, 40.0)
            account.trouble(hangs)
            self._scheduler.sleep(hangs)
            known = account.number_of(command.client_order_id)
            if known is None or random.random() < 0.5:
                raise OutcomeUnknown("connection reset")
            return OrderResult(known)
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
        known = account.number_of(command.client_order_id)
        assert known is not None
        return OrderResult(known)

    @property
    def traits_horizon(self) -> float:
        """For so long the broker may accept what it has received."""
        return self._account.acceptance_horizon

    def _revival(self, command: UniversalOrderCommand) -> tuple[float, Callable[[], object]]:
        """When it is accepted after all: mostly while the engine still watches, for as long again as the horizon."""
        random, horizon = self._account.random, self.traits_horizon
        beyond = random.random() < 0.2
        late = (
            random.uniform(horizon, 2 * horizon) if not beyond else 2 * horizon + random.uniform(30.0, 60.0)
        )
        return late + 20.0 * beyond, lambda: self._account.arrive(command, revived=True, beyond=beyond)

    def _give_up(self) -> NoReturn:
        """The caller waits in vain."""
        self._account.trouble(2.9)
        self._scheduler.sleep(2.9)
        raise OutcomeUnknown("timed out")

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

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """See `domain.ports.Broker`."""
        account = self._account
        self._cross(self._process, "read_book")
        began, micros = self._scheduler.now(), self._scheduler.micros
        self._is_down()
        if account.happens("book fails"):
            slow = account.random.uniform(0.0, 3.0)
            account.trouble(slow)
            self._scheduler.sleep(slow)
            raise ReadFailed("gateway timeout")
        if account.happens("book lags"):
            micros -= round(account.random.random() * self.traits.visibility_horizon * SECOND)
        now = self._scheduler.seconds
        orders = [order for order in account.orders.values() if order.shows_from <= now]
        said = [self._said(order, micros) for order in orders if not self._is_unreadable(order)]
        reports = [report for report in said if report is not None]
        complete = not account.happens("book is of open orders")
        if not complete:
            reports = [report for report in reports if report.status in LIVE]
        if account.happens("book repeats"):
            reports = self._repeated(reports)
        listed = {report.broker_order_id for report in reports}
        for order in orders:
            if order.twice and order.broker_id in listed:
                reports.append(order.said[0][1])
            if order.revived and order.shown_at is None and order.broker_id in listed:
                order.shown_at = now
        book = Book(began, tuple(reports), complete=complete)
        unreadable = tuple(self._unreadable_row(order) for order in orders if self._is_unreadable(order))
        if unreadable:
            account.trouble()  # a book that may lack an order opens no gate
            book = replace(book, unreadable=unreadable)
        if account.happens("slow"):
            account.trouble(0.5)
            self._scheduler.sleep(account.random.uniform(0.0, 0.5))
        return book

    def _said(self, order: TrueOrder, micros: int) -> OrderReport | None:
        report = order.report_at(micros)
        nothing = self._scheduler.seconds < order.says_nothing_until
        if report is None or not nothing or report.status is not BrokerStatus.COMPLETE:
            return report
        order.contradicts_since = order.contradicts_since or self._scheduler.seconds
        return replace(
            report, filled_quantity=ZERO, average_price=None, contradiction="COMPLETE with 0 filled"
        )

    def _is_unreadable(self, order: TrueOrder) -> bool:
        return self._scheduler.seconds < order.unreadable_until

    @staticmethod
    def _unreadable_row(order: TrueOrder) -> UnreadableRow:
        return UnreadableRow(
            EXCHANGE, order.symbol, order.product, order.broker_id, order.client_order_id, "qty ''"
        )

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
        self._is_down()
        if account.happens("positions fail"):
            account.trouble()
            raise ReadFailed("gateway timeout")
        if account.happens("positions lag"):
            micros -= round(account.random.random() * self.traits.position_horizon * SECOND)
        micros -= self._behind()
        nets = account.nets_at(micros)
        wrong, unreadable = self._spoil(nets)
        account.reads.append(Read(self._scheduler.micros, self._process.name, micros, wrong))
        positions = tuple(
            Position(EXCHANGE, *where, net, last_price=account.last_price(where[0]))
            for where, net in nets.items()
        )
        snapshot = PositionsSnapshot(began, positions)
        if unreadable:
            snapshot = replace(snapshot, unreadable=unreadable)
        if account.happens("slow"):
            # Exits go first, and each reads the positions: entries of this client wait for it.
            account.trouble(0.3)
            self._scheduler.sleep(account.random.uniform(0.0, 0.3))
        return snapshot

    def _is_down(self) -> None:
        begins, ends = self._account.down
        if begins <= self._scheduler.seconds < ends:
            self._scheduler.sleep(0.5)
            raise ReadFailed("no route to host")

    def _behind(self) -> int:
        """By how much this read is older than anybody says."""
        account, now = self._account, self._scheduler.seconds
        if account.happens("positions behind"):
            account.behind_until = now + account.random.uniform(4.0, 12.0)
            account.behind_by = round(account.random.uniform(3.0, 6.0) * SECOND)
        return account.behind_by if now < account.behind_until else 0

    def _spoil(
        self, nets: dict[tuple[str, str], Decimal]
    ) -> tuple[frozenset[str], tuple[UnreadableRow, ...]]:
        """Make the read wrong; returns of which symbols it is, and rows that cannot be read."""
        account, now = self._account, self._scheduler.seconds
        if account.happens("positions empty"):
            account.empty_until = now + account.random.choice((0.5, 8.0)) * account.random.uniform(0.5, 1.2)
        if now < account.empty_until:
            everything = frozenset(symbol for symbol, _ in nets)
            nets.clear()
            return everything, ()
        held = [where for where, net in nets.items() if net]
        wrong, unreadable = set[str](), list[UnreadableRow]()
        if held and account.happens("position row missing"):
            where = account.random.choice(held)
            nets.pop(where)
            wrong.add(where[0])
        if held and account.happens("position wild"):
            where = account.random.choice(held)
            nets[where] = account.random.choice((-1, 2, 3)) * nets.get(where, Decimal(25))
            wrong.add(where[0])
        if held and account.happens("position row unreadable"):
            where = account.random.choice(held)
            nets.pop(where, None)
            unreadable.append(UnreadableRow(EXCHANGE, *where, None, None, "netqty '1,000'"))
            wrong.add(where[0])
        return frozenset(wrong), tuple(unreadable)
