"""Whatever is done to both stores, they answer the same: the store in memory is no easier judge than orders.db."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.broker_reports import Position, PositionsSnapshot, UnreadableRow
from domain.entry_waits import Wait, WaitsFor
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.errors import OrderwatchError
from domain.limits import Limits
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange, advance, register
from domain.pnl import DayResult, after_fill
from domain.ports import ExposureQuery, Halt, Heartbeat, ProcessStore
from domain.position_comparison import Difference, Place
from domain.risk_stops import EventKind, RiskEvent, RiskRule, Stop, StopKey
from domain.states import TRANSITIONS, Phase
from domain.transitions import claimed, waiting
from persistence.database import open_database
from persistence.memory.store import MemoryStore
from tests.contract.broker_contract import ContractClock
from tests.contract.store_making import CLIENT, an_alert, an_order, rendered
from tests.contract.store_positions import a_report

CLIENTS, STRATEGIES, SYMBOLS, PRODUCTS = (CLIENT, "bob"), ("S1", "S2"), ("INFY", "GOLD"), ("MIS", "NRML")
LIMITS = Limits(
    max_daily_loss=Decimal(100),
    max_orders_per_minute=3,
    max_open_orders=5,
    max_order_value=Decimal(9),
    max_trades_per_day=5,
    max_open_positions=5,
    max_gross_exposure=Decimal(9),
    cooldown_minutes=Decimal(1),
    stop_streak=2,
)
Step = Callable[[ProcessStore], Any]


class Chance:
    """Makes steps, each the same for both stores, and knows the orders as the first one has them."""

    def __init__(self, seed: int, clock: ContractClock, first: ProcessStore) -> None:
        self.pick = random.Random(seed)
        self.clock = clock
        self.first = first
        self.ids: list[str] = []

    def step(self) -> Step:
        at = self.clock.now()
        self.clock.advance(seconds=self.pick.choice((0.001, 1, 5, 20)))
        client = self.pick.choice((CLIENT, CLIENT, CLIENT, "bob"))
        symbol = self.pick.choice(("INFY", "INFY", "GOLD"))
        place = ("NFO", symbol, self.pick.choice(PRODUCTS))
        make = self.pick.choice(
            [self.register] * 4
            + [self.move] * 12
            + [self.move_together] * 3
            + [self.wait, self.external, self.external, self.difference, self.difference, self.believe]
            + [self.read, self.read_error, self.halt, self.forget, self.clear, self.tell, self.beat]
            + [self.count, self.stop]
        )
        return make(at, client, place)

    def register(self, at: datetime, client: str, place: Place) -> Step:
        alert_id = f"{len(self.ids):026}"
        self.ids.append(f"{alert_id}-1")
        kind = self.pick.choice((ExecutionType.ENTRY, ExecutionType.ENTRY, ExecutionType.EXIT))
        order = an_order(
            alert_id,
            at,
            client_id=client,
            exchange="NFO",
            symbol=place[1],
            product=place[2],
            strategy_name=self.pick.choice(STRATEGIES),
            execution_type=kind,
            side=self.pick.choice((Side.BUY, Side.SELL)),
            order_type=self.pick.choice((OrderType.MARKET, OrderType.LIMIT)),
            quantity=Decimal(self.pick.choice((10, 50))),
            requested_quantity=self.pick.choice((None, Decimal(50)))
            if kind is ExecutionType.EXIT
            else Decimal(50),
            test_mode=TestMode.SUCCESS if self.pick.random() < 0.1 else None,
        )
        key = f"{client}|{self.pick.randrange(60)}"  # now and then one that is taken

        def work(tx: Any) -> Order:
            tx.add_alert(an_alert(alert_id, at, client_id=client, idempotency_key=key))
            kept: Order = tx.apply(register(order, at=at, actor="webhook"))
            tx.add_intent(kept, f"{key}|0|0", None)
            return kept

        return lambda store: store.write(work)

    def order(self) -> Order | None:
        return self.first.get_by_id(self.pick.choice(self.ids)) if self.ids else None

    def move(self, at: datetime, client: str, place: Place) -> Step:
        order = self.order()
        if order is None or not TRANSITIONS[order.phase]:
            return lambda store: None
        move = self._move(order, at)
        return lambda store: store.write(lambda tx: tx.apply(move()))

    def move_together(self, at: datetime, client: str, place: Place) -> Step:
        some = [self.first.get_by_id(id_) for id_ in self.pick.sample(self.ids, min(len(self.ids), 6))]
        moves = [self._move(order, at) for order in some if order is not None and TRANSITIONS[order.phase]]

        def work(tx: Any) -> object:
            done = tx.attempt(lambda: tx.apply_all([move() for move in moves]))
            return isinstance(done, Exception), tx.unmoved([order for order in some if order is not None])

        return lambda store: store.write(work)

    def _move(self, order: Order, at: datetime) -> Callable[[], OrderChange]:
        phase = self.pick.choice(sorted(TRANSITIONS[order.phase]))
        if phase is Phase.SUBMITTING and order.phase is Phase.REGISTERED:
            return lambda: claimed(order, at=at, claimant="w1")
        changes: dict[str, Any] = {"tag": "X:Y" if phase is not Phase.FILLED else None}
        if phase in (Phase.WORKING, Phase.PARTIALLY_FILLED, Phase.FILLED):
            changes["broker_order_id"] = order.broker_order_id or f"B{self.pick.randrange(8)}"
        if phase in (Phase.PARTIALLY_FILLED, Phase.FILLED, Phase.CANCELLED):
            whole = order.quantity if phase is Phase.FILLED else order.quantity / 2
            changes["filled_quantity"] = max(whole, order.filled_quantity)
        if phase is Phase.ABSENT:
            changes["provisional_until"] = at + timedelta(seconds=60)
        if phase is Phase.REGISTERED:
            changes["not_before"] = at + timedelta(seconds=self.pick.choice((-1, 3, 30)))
        if self.pick.random() < 0.1:
            order = replace(order, event_hash="older")  # somebody moved it meanwhile
        return lambda: advance(order, phase, at=at, actor="w1", **changes)

    def wait(self, at: datetime, client: str, place: Place) -> Step:
        order = self.order()
        if order is None or order.phase is not Phase.REGISTERED:
            return lambda store: None
        wait = Wait(self.pick.choice(list(WaitsFor)), order.expires_at)
        return lambda store: store.write(lambda tx: tx.apply(waiting(order, wait, at=at, actor="w1")))

    def external(self, at: datetime, client: str, place: Place) -> Step:
        report = a_report(
            f"B{self.pick.randrange(8)}",
            self.pick.randrange(0, 60, 5),
            self.pick.choice((Side.BUY, Side.SELL)),
            symbol=place[1],
            product=self.pick.choice((None, place[2])),
            client_order_id=self.pick.choice((None, an_order("x", at).client_order_id)),
        )
        return lambda store: store.write(lambda tx: tx.note_external(client, report, at))

    def difference(self, at: datetime, client: str, place: Place) -> Step:
        held, there = (Decimal(self.pick.randrange(-20, 21, 5)) for _ in range(2))
        savings = max(there - held, Decimal(0)) if self.pick.random() < 0.3 else Decimal(0)
        d = Difference(*place, held, there, is_external=not held, savings=savings)
        believed = self.pick.random() < 0.5
        return lambda store: store.write(lambda tx: tx.keep_difference(client, d, at, at, believed=believed))

    def believe(self, at: datetime, client: str, place: Place) -> Step:
        standing = {
            d.where: d.amount for d in self.first.told_differences(client) if self.pick.random() < 0.7
        }
        since = at - timedelta(seconds=self.pick.choice((0, 30, 180)))
        return lambda store: store.write(lambda tx: tx.believe_differences(client, since, standing, now=at))

    def read(self, at: datetime, client: str, place: Place) -> Step:
        rows = {
            (symbol, product): Position(
                "NFO",
                symbol,
                product,
                Decimal(self.pick.randrange(-50, 51, 10)),
                realized_pnl=Decimal(self.pick.choice((0, 0, 0, -40))),
            )
            for symbol in SYMBOLS
            for product in PRODUCTS
            if self.pick.random() < 0.6
        }
        odd = UnreadableRow("NFO", self.pick.choice((None, *SYMBOLS)), None, None, None, "odd")
        unreadable = (odd,) if self.pick.random() < 0.3 else ()
        shown = tuple(p for p in rows.values() if not unreadable or p.symbol != odd.symbol)
        snapshot = PositionsSnapshot(at, shown, unreadable)
        day = date(2026, 11, 20) + timedelta(days=self.pick.randrange(2))
        starts = self.pick.choice((None, at - timedelta(seconds=1)))
        return lambda store: store.save_positions(client, snapshot, day, day_starts=starts)

    def read_error(self, at: datetime, client: str, place: Place) -> Step:
        return lambda store: store.save_read_error(client, at, "timeout")

    def halt(self, at: datetime, client: str, place: Place) -> Step:
        strategy = self.pick.choice((None, *STRATEGIES))
        if self.pick.random() < 0.5:
            return lambda store: store.write(lambda tx: tx.clear_halt(client, strategy))
        return lambda store: store.write(lambda tx: tx.set_halt(Halt(client, strategy, at, "ann", "why")))

    def forget(self, at: datetime, client: str, place: Place) -> Step:
        return lambda store: store.write(lambda tx: tx.forget_symbol(client, *place[:2]))

    def clear(self, at: datetime, client: str, place: Place) -> Step:
        settled = self.pick.choice((None, at - timedelta(seconds=10)))
        return lambda store: store.write(
            lambda tx: tx.clear_holdings(client, symbol=place[1], settled_before=settled)
        )

    def tell(self, at: datetime, client: str, place: Place) -> Step:
        key = NoticeKey(NoticeSubject.OVERFILL, (place[1],))
        notice, state = Notice(NoticeKind.SYSTEM, client, detail="x"), [self.pick.choice("ab")]
        if self.pick.random() < 0.3:
            return lambda store: store.write(lambda tx: tx.clear_notice(client, key))
        return lambda store: store.write(lambda tx: tx.notify_once(key, notice, state=state))

    def count(self, at: datetime, client: str, place: Place) -> Step:
        limit = self.pick.choice((1, 2, 100))

        def work(tx):
            news = tx.new_fills(limit)
            for fill in news.fills:
                book, realized = after_fill(tx.pnl_book(fill.where), fill)
                last = tx.last_result(fill.where) or DayResult(fill.where, at.date())
                tx.keep_pnl_book(book)
                tx.keep_result(last.after(book, realized))
            tx.keep_fill_cursor(news.cursor)
            return [(fill.command_id, fill.units, fill.cost, fill.at) for fill in news.fills], news.is_all

        return lambda store: store.write(work)

    def stop(self, at: datetime, client: str, place: Place) -> Step:
        key = StopKey(client, self.pick.choice(("", *STRATEGIES)), self.pick.choice(list(RiskRule)))
        lifted, ends = self.pick.random() < 0.3, self.pick.random() < 0.5

        def work(tx):
            tx.drop_stop(key) if ends else tx.put_stop(Stop(key, at, lifted_at=at if lifted else None))
            tx.add_risk_event(RiskEvent(at, key, EventKind.STOPPED))

        return lambda store: store.write(work)

    def beat(self, at: datetime, client: str, place: Place) -> Step:
        return lambda store: store.save_heartbeats([Heartbeat("w2", "execute", client, at)])


def outcome(step: Step, store: ProcessStore) -> object:
    try:
        return step(store)
    except OrderwatchError as error:
        return type(error)


def answers(store: ProcessStore, now: datetime, ids: list[str]) -> Iterator[object]:
    """All that the store says, in an order of its own where it promises none."""
    for client in CLIENTS:
        yield store.get_open_orders(client)
        yield store.may_be_live(client)
        yield store.claimable(client, now, limit=100, exits_only=False)
        yield store.has_work(client, now, exits_only=True), store.has_provisional(client, now)
        yield sorted(store.holdings(client), key=repr)
        yield sorted(store.told_differences(client), key=repr), store.differences_since(client)
        yield store.has_disputed(client, now - timedelta(seconds=30)), store.day_loss(client)
        yield store.untold_frozen(client, now - timedelta(seconds=60), limit=100)
        yield (
            store.told_keys(client, NoticeSubject.OVERFILL),
            store.watchers_of(client),
            store.unplaced(client),
        )
        saved = store.saved_positions(client)
        yield saved and (saved.read_started_at, sorted(saved.positions, key=repr), saved.unreadable)
        yield store.pnl_books(client), store.risk_stops(client), store.risk_events(client, limit=99)
        yield store.day_results(client, now.date()), store.has_new_fills()
        for symbol in SYMBOLS:
            yield store.last_fill_at(client, symbol), store.may_forget(client, "NFO", symbol)
            yield from store.write(lambda tx, c=client, s=symbol: list(facts(tx, c, s, now)))  # type: ignore[misc]
        for number in range(8):
            yield store.get_by_broker_id(client, f"B{number}")
        found = store.sightings(client, [f"B{number}" for number in range(8)])
        yield found.claimed, dict(found.first_seen)
    yield [store.get_by_id(id_) for id_ in ids]
    left = store.unconfigured_rows((), now - timedelta(seconds=60))
    yield [replace(rows, holdings=tuple(sorted(rows.holdings))) for rows in left]


def facts(tx: Any, client: str, symbol: str, now: datetime) -> Iterator[object]:
    for strategy in STRATEGIES:
        starts = now - timedelta(minutes=2)
        query = ExposureQuery(client, strategy, "NFO", symbol, 1, product="MIS", day_starts_at=starts)
        found = tx.facts(query, now=now, limits=LIMITS, live_allowed=True)
        exposed = tuple(sorted(found.of_limits.exposed, key=repr))
        yield replace(found, of_limits=replace(found.of_limits, exposed=exposed))
    for product in PRODUCTS:
        yield tx.held_at(client, ("NFO", symbol, product))
    yield [tx.is_closed_by_others(client, "NFO", symbol, {"MIS": Decimal(units)}) for units in (-10, 10, 25)]
    yield tx.by_hand(client, "NFO", symbol), tx.believed(client, "NFO", symbol)
    exit_ = an_order("none", now, client_id=client, exchange="NFO", symbol=symbol)
    found = tx.exit_facts(exit_, now)
    entries = [an_order(f"{n:026}", now, client_id=client, exchange="NFO", symbol=symbol) for n in range(40)]
    yield tx.with_full_exit([replace(e, strategy_name=STRATEGIES[n % 2]) for n, e in enumerate(entries)])
    yield sorted(found.holdings, key=repr), sorted(found.orders, key=repr), found.by_hand, found.believed
    yield dict(found.known), dict(found.last_fills), found.disputed


@pytest.mark.parametrize("seed", range(5))
def test_both_stores_answer_the_same_after_each_of_many_steps(tmp_path: Path, seed: int):
    database = open_database(tmp_path / "orders.db")
    database.migrate()
    clock = ContractClock()
    sqlite = database.store(clock=ContractClock(), render=rendered)
    memory = MemoryStore(clock=ContractClock(), render=rendered)
    chance = Chance(seed, clock, sqlite)
    for number in range(150):
        step = chance.step()
        assert outcome(step, sqlite) == outcome(step, memory), number
        if number % 4:
            continue
        now = clock.now()
        pairs = zip(answers(sqlite, now, chance.ids), answers(memory, now, chance.ids), strict=True)
        for which, (one, other) in enumerate(pairs):
            assert one == other, (number, which)
    ours = [(m.client_id, m.kind, m.text, m.command_id) for m in database.outbox().pending(CLIENTS, 10_000)]
    theirs = [(m.client_id, m.kind, m.text, m.command_id) for m in memory.outbox().pending(CLIENTS, 10_000)]
    assert ours == theirs
