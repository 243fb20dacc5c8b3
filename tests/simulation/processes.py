"""The processes of a simulated world: the real engine, wired as in production, with a boundary wherever it may die."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

from greenlet import getcurrent, greenlet

from app.alert_batches import MOST_TOGETHER
from broker.steady_reads import BrokerWithSteadyReads
from broker.test_mode import BrokerWithTestMode
from command_service import CommandService
from domain.alert import Delivery
from domain.broker_reports import PositionsSnapshot
from domain.errors import StoreUnavailable
from domain.ids import ulid
from domain.ports import SendFailed, Transaction
from domain.receipt import Receipt
from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine
from notifications.facts import facts_of
from notifications.messages import render
from notifications.outbox import OutboxDrainer
from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.outbox import SqliteOutbox
from persistence.sqlite.repository import OrderRepository
from tests.simulation.line import Line
from tests.simulation.scheduler import CooperativeLock, Killed, Process

if TYPE_CHECKING:
    from tests.simulation.plan import PlannedAlert
    from tests.simulation.world import World

T = TypeVar("T")

_GATHERS = 0.3  # how often an alert finds the database busy, and how many wait then is chance


class WatchedStore(OrderRepository):
    """The repository of one process, with a boundary before and after each commit."""

    def __init__(self, world: "World", process: Process) -> None:
        super().__init__(world.path, clock=world.scheduler, render=render, facts_of=facts_of)
        self._world = world
        self._process = process

    def write(self, work: Callable[[Transaction], T]) -> T:
        """As the repository does."""
        return self._commit(partial(super().write, work))

    def save_positions(
        self,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        *,
        day_starts: datetime | None = None,
        compared_at: datetime | None = None,
    ) -> None:
        """As the repository does."""
        at = {"day_starts": day_starts, "compared_at": compared_at}
        self._commit(partial(super().save_positions, client_id, snapshot, day, **at))

    def save_read_error(self, client_id: str, at: datetime, error: str) -> None:
        """As the repository does."""
        self._commit(partial(super().save_read_error, client_id, at, error))

    def _commit(self, commit: Callable[[], T]) -> T:
        self._world.cross(self._process, "commit")
        if self._world.happens("store fails"):
            self._world.promises.trouble()
            raise StoreUnavailable("orders.db: database is locked")
        result = commit()
        self._world.promises.committed()
        self._world.cross(self._process, "committed")
        return result

    def die(self) -> None:
        """What the kernel does: the files are closed, and the locks on them gone."""
        for handle in self.claimants._held.values():
            os.close(handle)
        self.claimants._held.clear()
        self.close()


class Ids:
    """Ids of one process."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def alert_id(self, at: datetime) -> str:
        """A ULID."""
        return ulid(at, self._random.getrandbits(80))


@dataclass
class _Waiting:
    """An alert on its way into a batch, and what became of it."""

    task: greenlet
    planned: "PlannedAlert"
    delivery: Delivery
    result: Receipt | Exception | None = None


class Web:
    """A process that takes alerts and operators' wishes."""

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self._random = world.plan.random(f"{name} gathers")
        self._waiting: list[_Waiting] = []
        self._is_committing = False
        self.process = Process(name)
        self.store = WatchedStore(world, self.process)
        self.commands = CommandService(
            self.store,
            world.policies,
            clock=world.scheduler,
            ids=Ids(world.plan.random(f"{name} from {world.scheduler.micros}")),
            dedup_window=timedelta(seconds=60),
            alert_life=timedelta(seconds=120),
        )

    def register(self, planned: "PlannedAlert") -> Receipt:
        """As the front does: alerts that wait when a commit begins are registered together."""
        scheduler = self._world.scheduler
        mine = _Waiting(getcurrent(), planned, Delivery(scheduler.now(), "127.0.0.1", "{}", "native"))
        self._waiting.append(mine)
        if self._is_committing:
            while mine.result is None:
                scheduler.sleep(3600.0)  # whoever commits wakes it
        else:
            self._is_committing = True
            if self._random.random() < _GATHERS:  # as while another process holds the lock
                scheduler.sleep(self._random.random())
            while self._waiting:
                self._register(self._waiting[:MOST_TOGETHER])
            self._is_committing = False
        if not isinstance(mine.result, Receipt):
            assert mine.result is not None
            raise mine.result
        return mine.result

    def _register(self, batch: list[_Waiting]) -> None:
        del self._waiting[: len(batch)]
        self._world.promises.incoming[getcurrent()] = {
            each.delivery.received_at: each.planned for each in batch
        }
        for each, result in zip(batch, self._results(batch), strict=True):
            each.result = result
            if each.task is not getcurrent():
                self._world.scheduler.wake(each.task)

    def _results(self, batch: list[_Waiting]) -> list[Receipt | Exception]:
        try:
            if len(batch) == 1:
                return [self.commands.register(batch[0].planned.alert, batch[0].delivery)]
            self._world.counts["registered together"] += len(batch)
            return self.commands.register_together([(each.planned.alert, each.delivery) for each in batch])
        except StoreUnavailable as error:
            return [error] * len(batch)


class Watcher:
    """A watcher process: for each client the loops that it has in production, and the sender of messages."""

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self._random = world.plan.random(name)
        self.process = Process(name)
        self.store = WatchedStore(world, self.process)
        self.store.claimants.enter(name)
        clients = world.plan.clients
        self.engine = OrderWatcherEngine(
            self.store,
            {client: self._context(client) for client in clients},
            clock=world.scheduler,
            claimant=name,
            rules=EngineTimings(),
        )
        # The one lock that is held over a commit, where a task may sleep.
        self.engine._submitter.outcomes._recording = CooperativeLock(world.scheduler)  # type: ignore[assignment]
        self._drainer = self._sender_of_messages()
        for client in clients:
            self._begin(partial(self._follow, client))
            for _ in range(world.plan.executors):
                self._begin(partial(self._execute, client, exits_only=False))
            self._begin(partial(self._execute, client, exits_only=True))
            self._begin(partial(self._protect, client))
            if world.plan.has_prices:
                self._begin(partial(self._watch_risk, client))
        self._begin(self._drain)

    def _context(self, client: str) -> ClientContext:
        world = self._world
        line = Line(world.accounts[client], self.process, world.scheduler, world.promises, world.cross)
        reads = BrokerWithSteadyReads(line, world.steadiness)
        broker = BrokerWithTestMode(reads, world.scheduler)
        largest = world.plan.largest
        policy = world.policies[client]
        return ClientContext(client, broker, policy, line, largest=lambda exchange, symbol: largest)

    def _sender_of_messages(self) -> OutboxDrainer:
        scheduler = self._world.scheduler
        return OutboxDrainer(
            SqliteOutbox(GroupCommit(self._world.path), Readers(self._world.path)),
            self,
            {client: f"chat of {client}" for client in self._world.plan.clients},
            scheduler,
            self.process.name,
            monotonic=lambda: scheduler.seconds,
        )

    def _begin(self, loop: Callable[[], None]) -> None:
        """Repeat it until the process dies, as a thread of production does."""
        scheduler = self._world.scheduler

        def run() -> None:
            with suppress(Killed), scheduler.inside(self.process):
                while self._round(loop):
                    pass

        scheduler.spawn(run, after=self._random.uniform(0.0, 0.05))

    def _round(self, loop: Callable[[], None]) -> bool:
        try:
            loop()
        except StoreUnavailable:
            self._world.scheduler.sleep(0.2)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not come out of the engine
            surprise = f"{self.process.name}: {type(error).__name__}: {error}"
            self._world.promises.breaks("no surprise", surprise)
            return False
        return True

    def _execute(self, client: str, *, exits_only: bool) -> None:
        if not self.engine.execute_next(client, exits_only=exits_only):
            self._world.wait_for_work(client, 2.0 if self._world.calm else 1.0)

    def _follow(self, client: str) -> None:
        self.engine.expire_overdue(client)
        self.engine.reconcile(client)
        self._world.promises.looked_at_book(client)
        self.engine.refresh(client)
        self._world.scheduler.sleep(2.0 if self._world.calm else self._random.uniform(0.5, 1.5))

    def _protect(self, client: str) -> None:
        moved = self.engine.protect(client)
        self._world.promises.looked_at_protections(client)
        if moved:
            self._world.there_is_work(client)
        self._world.scheduler.sleep(1.0 if self._world.calm else self._random.uniform(0.3, 1.2))

    def _watch_risk(self, client: str) -> None:
        self.engine.watch_risk(client)
        self._world.scheduler.sleep(2.0)

    def _drain(self) -> None:
        wanted = self._drainer.drain(self._world.scheduler.now())
        self._world.scheduler.sleep(max(wanted, 1.0))

    def send(self, chat_id: str, text: str, *, silent: bool = False) -> str:
        """As `domain.ports.Sender`: the channel hangs and fails, and nobody else waits for it."""
        world = self._world
        world.cross(self.process, "send")
        if world.happens("telegram fails"):
            world.scheduler.sleep(self._random.choice((0.0, 2.0, 10.0)))
            raise SendFailed("not reachable", retry_after=self._random.choice((None, 3.0)))
        world.cross(self.process, "sent")
        return "1"
