"""One simulated world: the real engine on a real database, with everything around it made of a plan."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random

from greenlet import getcurrent, greenlet

from app.clock_steps import ClockSteps
from command_service import CommandService, ResolvedFill
from domain.broker_capabilities import IdClass
from domain.enums import Side
from domain.errors import OrderwatchError, StoreUnavailable
from domain.exit_chase import is_successor
from domain.limits import ClientPolicy, GroupPolicy, LimitBook, Limits
from domain.order import Order
from domain.states import Phase, Status
from engine.loss_latch import lift
from persistence.sqlite import database
from tests.simulation.exchange import Account
from tests.simulation.plan import Plan, PlannedAlert
from tests.simulation.processes import Watcher, Web
from tests.simulation.promises import Broken, Promises
from tests.simulation.scheduler import Killed, Process, Scheduler

PATIENCE = 400.0
"""Seconds of calm within which every order must have ended or be listed."""


@dataclass
class Figures:
    """What happened, to be added up over worlds."""

    worlds: int = 0
    lifecycles: int = 0
    steps: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[str, Broken]] = field(default_factory=list)
    digest: str = ""

    def add(self, other: "Figures") -> None:
        """Add another world's figures."""
        self.worlds += other.worlds
        self.lifecycles += other.lifecycles
        self.steps += other.steps
        self.counts += other.counts
        self.broken += other.broken
        self.digest = hashlib.sha256((self.digest + other.digest).encode()).hexdigest()


class World:
    """Everything there is, from the first alert to the last message.

    Args:
        plan: what happens.
        path: a migrated database, empty.
        trace: keeps a line for each step, where a list is given.
        keep_dump: and in the end all of the database.
        unchecked: how promises begin that are not looked at.
    """

    def __init__(
        self,
        plan: Plan,
        path: Path,
        *,
        trace: list[str] | None = None,
        keep_dump: bool = False,
        unchecked: Collection[str] = (),
    ) -> None:
        database._PAUSE_SECONDS = 0.0  # it lets other processes in, and there are none
        self.plan = plan
        self.path = path
        self.scheduler = Scheduler(plan.random("scheduler"))
        self.promises = Promises(
            path, self.scheduler, money=plan.money, largest=plan.largest, unchecked=unchecked
        )
        self.accounts = {
            client: Account(client, plan, self.scheduler, self.promises) for client in plan.clients
        }
        self.promises.accounts = self.accounts
        strategies = plan.strategies
        self.promises.best_effort = {
            name for name, each in strategies.by_strategy.items() if each.group is GroupPolicy.BEST_EFFORT
        }
        self.policies = {
            client: ClientPolicy(client, _limits(plan), live_allowed=True, strategies=strategies)
            for client in plan.clients
        }
        self.calm = False
        self.counts: Counter[str] = Counter()
        self._random = plan.random("world")
        self._hash = hashlib.sha256()
        self._trace = trace
        self._keep_dump = keep_dump
        self._watchers_begun = 0
        self.steadiness = ClockSteps(
            self.scheduler,
            path.with_name("clock.json"),
            counted=lambda: self.scheduler.seconds,
            boot="one",
        )
        self._webs: list[Web] = []
        self._watchers: list[Watcher] = []
        self._idle: dict[str, dict[greenlet, None]] = {client: {} for client in plan.clients}
        self.story: list[str] = []  # the events of the orders concerned, when a promise was broken

    # chance -------------------------------------------------------------------------------------------------

    def happens(self, name: str) -> bool:
        """Whether this goes wrong now."""
        if self.calm or self._random.random() >= self.plan.rates[name]:
            return False
        self.counts[name] += 1
        return True

    def uniform(self, low: float, high: float) -> float:
        """A number between two."""
        return self._random.uniform(low, high)

    def cross(self, process: Process, name: str) -> None:
        """A boundary: others may go first here, and the process may die here."""
        if not process.alive:
            raise Killed(process.name)
        self._note(f"{self.scheduler.micros} {process.name} {name}")
        if self.happens("crash"):
            self.kill(process)
            raise Killed(process.name)
        if self.happens("yield"):
            self.scheduler.sleep(self.uniform(0.0, 0.01))

    def kill(self, process: Process) -> None:
        """Kill -9."""
        self._note(f"{self.scheduler.micros} {process.name} dies")
        down = self.uniform(0.01, 4.0)
        self.promises.trouble(down)
        self.scheduler.kill(process)
        self.scheduler.later(down, partial(self._replace, process))

    def _replace(self, dead: Process) -> None:
        """Start another process in the place of one that died."""
        for place, web in enumerate(self._webs):
            if web.process is dead:
                web.store.die()
                self._webs[place] = Web(self, dead.name)
        for place, watcher in enumerate(self._watchers):
            if watcher.process is dead:
                watcher.store.die()
                self._watchers[place] = self._new_watcher()

    def _new_watcher(self) -> Watcher:
        """Under a name that no other ever had."""
        self._watchers_begun += 1
        return Watcher(self, f"watcher{self._watchers_begun}")

    def _note(self, line: str) -> None:
        self._hash.update(line.encode())
        if self._trace is not None:
            self._trace.append(line)

    # waiting for work ---------------------------------------------------------------------------------------

    def wait_for_work(self, client_id: str, seconds: float) -> None:
        """Sleep until an alert comes in, or the poll is due."""
        task = getcurrent()
        self._idle[client_id][task] = None
        try:
            self.scheduler.sleep(seconds)
        finally:
            self._idle[client_id].pop(task, None)

    def there_is_work(self, client_id: str) -> None:
        """Wake whoever waits."""
        for task in list(self._idle[client_id]):
            self.scheduler.wake(task)

    # the run ------------------------------------------------------------------------------------------------

    def run(self, look: Callable[["World"], None] = lambda world: None) -> Figures:
        """Live the plan to its end, and hold the engine to its word all the way; `look` sees what is left."""
        try:
            self._live()
        finally:
            self.scheduler.end()
            for store in [*(web.store for web in self._webs), *(watcher.store for watcher in self._watchers)]:
                store.die()
        figures = self._figures()
        self.story = self.promises.story(" ".join(b.text for b in self.promises.broken))
        if self._trace is not None and self._keep_dump:
            self._trace.append(self.promises.dump())
        look(self)
        self.promises.close()
        return figures

    def _live(self) -> None:
        self._webs = [Web(self, f"web{n}") for n in range(self.plan.webs)]
        self._watchers = [self._new_watcher() for _ in range(self.plan.watchers)]
        for planned in self.plan.alerts:
            self.scheduler.spawn(partial(self._send, planned), after=planned.at)
        self._plan_people()
        for at, by in self.plan.clock:
            self.scheduler.later(at, partial(self._set_clock, by))
        self.scheduler.run(self.plan.ends)
        self._calm_down()
        if not self.promises.broken:
            self._resolve_by_hand()
        if not self.promises.broken:
            self._finish()

    def _set_clock(self, seconds: float) -> None:
        self._note(f"{self.scheduler.micros} the clock is set by {seconds} s")
        self.counts["clock set"] += 1
        self.scheduler.set_clock(seconds)
        if seconds < 0:
            self.promises.trouble(-seconds)  # what was to go at a time goes so much later

    def _calm_down(self) -> None:
        """Nothing new, nothing fails, and the exchange closes."""
        self.calm = True
        for account in self.accounts.values():
            account.calm = True
        self.scheduler.run(self.scheduler.seconds + 20.0)
        for account in self.accounts.values():
            account.settle()
            account.prices.close(self.scheduler.seconds)
        while not self.promises.broken and any(a.expects() for a in self.accounts.values()):
            self.scheduler.run(self.scheduler.seconds + 5.0)
        self._run_until(self.promises.settled, at_least=34.0)  # longer than between two sweeps of the book

    def _run_until(
        self, done: Callable[[], bool], *, at_least: float = 0.0, patience: float = PATIENCE
    ) -> None:
        """Let time pass until it is so; a promise is broken when it does not become so."""
        began = self.scheduler.seconds
        while not self.promises.broken and self.scheduler.seconds - began < patience:
            self.scheduler.run(self.scheduler.seconds + 4.0)
            if self.scheduler.seconds - began >= at_least and done():
                return
        said = ", ".join(
            f"{o.command_id} {o.phase} ({o.reason_message})" for o in self.promises.unfinished()[:5]
        )
        self.promises.breaks("6 every order ends", f"after {patience:.0f} s of calm: {said}")

    def _resolve_by_hand(self) -> None:
        """The operator looks at the broker's own screen and says what became of the orders that are listed."""
        self._end_doubts()
        for order in self.promises.unknown():
            self.counts["resolved by hand"] += 1
            self.accounts[order.client_id].trouble()  # what waited for it begins only now
            truth = self.accounts[order.client_id].by_tag.get(order.client_order_id, [])
            say = partial(self._webs[0].commands.resolve, order.command_id, by="op")
            if not truth:
                say(failed_reason="not in the terminal")
            elif truth[0].filled == order.quantity:
                say(executed=ResolvedFill(truth[0].broker_id, order.quantity, truth[0].price))
            else:
                say(executed=ResolvedFill(truth[0].broker_id, None, None))

    def _end_doubts(self) -> None:
        """The operator takes over where units are in another product."""
        for order in self.promises.in_doubt():
            if self.plan.money is not None:
                self._lift(order.client_id)
            self._webs[0].commands.cancel(
                order.command_id, by="op", reason="its units are in another product"
            )

    def _is_over(self) -> bool:
        """Every order has ended, but for those of which the operator has yet to decide."""
        self._end_doubts()  # a protection and a flatten ask for the same exit again
        return self.promises.settled()

    def _finish(self) -> None:
        self._run_until(
            lambda: (
                self._is_over()
                and not (
                    self.promises.unfinished()
                    or self.promises.undelivered()
                    or self.promises.exits_to_come(self.accounts)
                    or self.promises.groups_to_come()
                )
            ),
            patience=PATIENCE if self.plan.money is None else 3 * PATIENCE,  # a flatten asks for ten minutes
        )
        if self.promises.broken:
            return
        self._nothing_more_moves()
        self._run_until(lambda: not self.promises.undelivered())  # what was told in the last moment
        self.promises.check_end()

    def _nothing_more_moves(self) -> None:
        """Looks at what has settled change nothing: every watcher reads the book now and then, whatever is open."""
        before = self.promises.events()
        self.scheduler.run(self.scheduler.seconds + 35.0)
        if self.promises.events() != before:
            said = self.promises.events_since(before)
            self.promises.breaks("7 reconcile converges", f"more events: {said}")

    def _figures(self) -> Figures:
        rows = self.promises.rows.values()
        counts = self.counts.copy()
        for account in self.accounts.values():
            counts += account.faults
        ends = Counter("duplicate" if _is_duplicate(o) else _end(o) for o in rows)
        counts += ends
        counts["priced anew"] = sum(is_successor(o) for o in rows)
        counts["limits reached"] = self.promises.told["limits that were reached"]
        counts["position differed, told"] = self.promises.told["a position that differs"]
        self._hash.update(repr(sorted(counts.items())).encode())
        return Figures(
            worlds=1,
            lifecycles=len(rows) - ends["duplicate"],
            steps=self.promises.steps,
            counts=counts,
            broken=[(self.plan.seed, b) for b in self.promises.broken],
            digest=self._hash.hexdigest(),
        )

    # people -------------------------------------------------------------------------------------------------

    def _send(self, planned: PlannedAlert) -> None:
        """A sender: it repeats what was not acknowledged, and sometimes what was."""
        for _ in range(40):
            if self._deliver(planned):
                if not self.happens("redelivered"):
                    return
                self.scheduler.sleep(self.uniform(0.0, 30.0))
                if self.calm:
                    return
            else:
                self.scheduler.sleep(self.uniform(0.1, 3.0))
        self.promises.breaks("1 acknowledged", f"{planned.alert.signal_id} was never taken")

    def _deliver(self, planned: PlannedAlert) -> bool:
        alert = planned.alert
        web = self._webs[self._random.randrange(len(self._webs))]
        try:
            with self.scheduler.inside(web.process):
                receipt = web.register(planned)
        except (Killed, StoreUnavailable):
            self.counts["not acknowledged"] += 1
            return False
        self.promises.acknowledged(receipt)
        self.there_is_work(alert.client_id)
        return True

    def _plan_people(self) -> None:
        """Operators cancel and halt; somebody trades by hand."""
        for number, planned in enumerate(self.plan.alerts):
            client = planned.alert.client_id
            account = self.accounts[client]
            if self.happens("traded by hand"):
                trade = partial(account.trade_by_hand, f"HAND{number}", Side.BUY, Decimal(25))
                self.scheduler.later(planned.at, trade)
            if self.happens("traded by hand beside us"):
                self.scheduler.later(self._near(planned), partial(self._trade_beside_us, planned))
            if self.happens("converted by hand"):
                symbol = planned.alert.legs[0].symbol
                self.scheduler.later(self._near(planned), partial(account.convert_by_hand, symbol))
            if self.happens("cancelled by hand"):
                self.scheduler.spawn(self._cancel_one, after=planned.at + self.uniform(0.0, 5.0))
            if self.happens("halted"):
                self.scheduler.spawn(partial(self._halt, client), after=planned.at)
        self._plan_hands()
        money = self.plan.money
        if money is not None and money.lifted_after is not None:
            for client in self.accounts:
                self.scheduler.spawn(partial(self._lift, client), after=money.lifted_after)

    def _plan_hands(self) -> None:
        """What people and their broker do beside all that, from streams of their own."""
        rows = self.plan.random("rows")
        for planned in self.plan.alerts:
            if rows.random() < self.plan.rates["made smaller by hand"]:
                smaller = self.accounts[planned.alert.client_id].make_smaller_by_hand
                self.scheduler.later(planned.at + rows.uniform(0.0, 8.0), smaller)
        aside = self.plan.random("hands")
        for planned in self.plan.alerts:
            if aside.random() < self.plan.rates["round trip by hand"]:
                at = max(planned.at + aside.uniform(-3.0, 8.0), 0.0)
                self._plan_round_trip(planned, at, at + aside.uniform(0.2, 40.0), aside)
        if self.plan.pause is None:
            return
        begins, ends = self.plan.pause
        for planned in self.plan.alerts:
            if planned.at <= begins and aside.random() < self.plan.rates["traded by hand in a pause"]:
                self.scheduler.later(aside.uniform(begins, ends), partial(self._trade_beside_us, planned))
        for account in self.accounts.values():
            if aside.random() < self.plan.rates["outage"]:
                down = begins + aside.uniform(5.0, 60.0)
                until = ends + aside.uniform(-20.0, 3.0)
                self.scheduler.later(down, partial(account.go_down, until - down))

    def _plan_round_trip(self, planned: PlannedAlert, at: float, back: float, aside: Random) -> None:
        account, symbol = self.accounts[planned.alert.client_id], planned.alert.legs[0].symbol
        quantity = Decimal(aside.choice(self._shapes))
        side = aside.choice((Side.BUY, Side.SELL))
        self.counts["round trip by hand"] += 1
        for when, way in ((at, side), (back, side.opposite)):
            self.scheduler.later(when, partial(account.trade_by_hand, symbol, way, quantity))

    def _near(self, planned: PlannedAlert) -> float:
        """Before the alert or after it."""
        return max(planned.at + self.uniform(-3.0, 8.0), 0.0)

    @property
    def _shapes(self) -> tuple[int, ...]:
        """What quantities a hand trades."""
        return (7, 13) if self.plan.id_class is IdClass.C0 else (10, 25, 50, 75)

    def _trade_beside_us(self, planned: PlannedAlert) -> None:
        """By hand, in the symbol of a strategy; where nothing tells orders apart but their shape, in one of its own."""
        quantity = Decimal(self._random.choice(self._shapes))
        side = self._random.choice((Side.BUY, Side.SELL))
        account = self.accounts[planned.alert.client_id]
        account.trade_by_hand(planned.alert.legs[0].symbol, side, quantity)

    def _cancel_one(self) -> None:
        open_ = [o for o in self.promises.rows.values() if o.phase in (Phase.REGISTERED, Phase.WORKING)]
        if open_:
            order = self._random.choice(open_)
            self._ask(lambda commands: commands.cancel(order.command_id, by="op"))

    def _halt(self, client_id: str) -> None:
        self._ask(lambda commands: commands.halt(client_id, by="op", reason="news"))
        self.scheduler.sleep(self.uniform(0.1, 1.0))
        while not self._ask(lambda commands: commands.resume(client_id, by="op")):
            self.scheduler.sleep(0.2)

    def _lift(self, client_id: str) -> None:
        """The operator lets entries go on, where a limit was reached."""
        store, now = self._webs[0].store, self.scheduler.now()
        self.counts["lifted by hand"] += self._ask(
            lambda _: lift(store, self.policies, client_id, at=now, by="op", reason="seen")
        )

    def _ask(self, wish: Callable[[CommandService], object]) -> bool:
        """False when the process died of it, or could not."""
        web = self._webs[0]
        try:
            with self.scheduler.inside(web.process):
                wish(web.commands)
        except (Killed, OrderwatchError):
            return False
        return True


def _limits(plan: Plan) -> LimitBook:
    if plan.money is not None:
        return plan.money.book(plan.max_open_orders)
    return LimitBook(Limits(max_open_orders=plan.max_open_orders))


def _is_duplicate(order: Order) -> bool:
    return order.reason_code == "IDEMPOTENCY_BLOCKED"


def _end(order: Order) -> str:
    if order.phase is Phase.BLOCKED:
        return "blocked"
    return "executed" if order.status is Status.EXECUTED else "failed"
