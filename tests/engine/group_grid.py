"""Every failure of every leg, and a death at every boundary: groups of two to four legs, on the store in memory.

`python -m tests.engine.group_grid` runs all of them and prints how many there were and how long anything was exposed.
"""

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from command_service import CommandService
from domain.alert import Delivery
from domain.broker_reports import BrokerStatus, OrderRef
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import ExecutionType, Side
from domain.errors import BrokerError, NotSent, OutcomeUnknown, Refused
from domain.leg_groups import GroupState
from domain.limits import ClientPolicy, GroupPolicy, LimitBook, StrategyBook, StrategyPolicy
from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine
from persistence.memory.store import MemoryStore
from tests.support import FakeBroker, ManualClock, SeededIds, entry, leg

POLICY = StrategyPolicy(group=GroupPolicy.ALL_OR_NONE, group_timeout=timedelta(seconds=10))
BOUND = 40.0
"""Seconds from the first fill until a group is whole or nothing of it is held: its time, and what unwinding takes."""
SHAPES = ("BS", "SB", "BB", "SS", "BSS", "SBB", "BSB", "SSS", "BBSS", "SBSB", "SSSS")
FAILURES = (
    "refused", "rejected later", "partly, then cancelled", "rests", "rests, partly filled", "lost", "not answered",
    "turned away",
)  # fmt: skip
_STEP = 0.5
_LIVE = (BrokerStatus.OPEN, BrokerStatus.PENDING)


class Killed(BaseException):
    """The process is gone."""


@dataclass(frozen=True)
class Case:
    """The sides of a group's legs, which of them fails and how, and at which boundary the watcher dies."""

    shape: str
    fails: int
    how: str
    fatal: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a case: the group's state, seconds exposed and naked, boundaries crossed, and what was wrong."""

    state: str
    exposed: float
    naked: float
    crossed: int
    wrong: str = ""


class GridBroker(FakeBroker):
    """Does with one leg what the case says. Exits are filled."""

    def __init__(self, clock: ManualClock, case: Case) -> None:
        super().__init__(clock)
        self._case = case
        self._failing = f"LEG{case.fails}"
        self._tried = False

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        is_it = command.symbol == self._failing and command.execution_type is ExecutionType.ENTRY
        self.fill_at_once = not is_it or self._case.how in ("not answered", "turned away")
        step = self._way() if is_it else None
        self.script = [step]
        return super().place(command)

    def _way(self) -> BrokerError | tuple[str, BrokerError] | None:
        first, self._tried = not self._tried, True
        if self._case.how == "refused":
            return Refused("RMS", "no margin")
        if self._case.how == "lost":
            return OutcomeUnknown("timed out")
        if self._case.how == "not answered":
            return ("after", OutcomeUnknown("timed out"))
        return NotSent("busy", look_first=True) if self._case.how == "turned away" and first else None

    def goes_on(self) -> None:
        """What happens to the order that is there, at the next step."""
        for id_, report in list(self.orders.items()):
            if report.symbol != self._failing or report.status not in _LIVE:
                continue
            if self._case.how == "rejected later":
                self.report(id_, BrokerStatus.REJECTED)
            elif self._case.how == "partly, then cancelled":
                self.report(id_, BrokerStatus.CANCELLED, 20)
            elif self._case.how == "rests, partly filled":
                self.report(id_, BrokerStatus.OPEN, 20)

    def cancel(self, ref: OrderRef) -> None:
        assert ref.broker_order_id is not None
        if self.orders[ref.broker_order_id].status in _LIVE:
            super().cancel(ref)


class GridDesk:
    """A watcher on a store in memory that may die at any commit and any call to the broker."""

    def __init__(self, case: Case, broker: "type[GridBroker] | None" = None, **alert: object) -> None:
        self.case, self.clock = case, ManualClock()
        self.broker = (broker or GridBroker)(self.clock, case)
        self.store = MemoryStore(clock=self.clock, render=lambda notice: f"{notice.kind} {notice.detail}")
        self.policy = ClientPolicy("default", LimitBook(), True, StrategyBook(POLICY))
        self.crossed, self._dies, self._watchers = 0, False, 0
        for owner, method in ((self.store, "write"), (self.broker, "place"), (self.broker, "cancel")):
            self._around(owner, method)
        self._begin()
        commands = CommandService(
            self.store, {"default": self.policy}, clock=self.clock, ids=SeededIds(),
            dedup_window=timedelta(seconds=60), alert_life=timedelta(seconds=60),
        )  # fmt: skip
        sides = {"B": Side.BUY, "S": Side.SELL}
        legs = [leg(f"LEG{n}", side=sides[each]) for n, each in enumerate(case.shape)]
        delivery = Delivery(self.clock.now(), "127.0.0.1", "{}", "native")
        self.receipt = commands.register(entry(*legs, **alert), delivery)
        self.counts_from_now(dies=True)

    def counts_from_now(self, *, dies: bool) -> None:
        """Count boundaries from here on; it dies at that of the case, or not yet."""
        self.crossed, self._dies = 0, dies

    def _around(self, owner: object, method: str) -> None:
        original = getattr(owner, method)

        def bounded(*args: object, **kwargs: object) -> object:
            self._cross()
            result = original(*args, **kwargs)
            self._cross()
            return result

        setattr(owner, method, bounded)

    def _cross(self) -> None:
        self.crossed += 1
        if self._dies and self.crossed - 1 == self.case.fatal:
            raise Killed

    def _begin(self) -> None:
        self._watchers += 1
        name = f"w{self._watchers}"
        self.store.claimants.enter(name)
        context = ClientContext("default", self.broker, self.policy)
        self.engine = OrderWatcherEngine(
            self.store, {"default": context}, clock=self.clock, claimant=name, rules=EngineTimings()
        )
        self.engine.reconcile("default")
        self.engine.refresh("default", force=True)

    def tick(self) -> None:
        """A round of the watcher; where it dies in it, another one takes its place."""
        try:
            self.engine.tick()
        except Killed:
            self.store.claimants.leave(f"w{self._watchers}")
            self._begin()
        self.broker.goes_on()
        self.clock.advance(_STEP)

    def units(self) -> list[Decimal]:
        """What truly is there of each leg, on its side."""
        nets = {p.symbol: p.net_quantity for p in self.broker.read_positions().positions}
        signs = [1 if each == "B" else -1 for each in self.case.shape]
        return [nets.get(f"LEG{n}", Decimal(0)) * sign for n, sign in enumerate(signs)]


def live(case: Case) -> Outcome:
    """Run one case to its end."""
    desk, exposed, naked = GridDesk(case), 0.0, 0.0
    for _ in range(400):
        desk.tick()
        units = desk.units()
        is_whole = all(each == 50 for each in units)
        exposed += _STEP * (any(units) and not is_whole)
        bought = [u for u, side in zip(units, case.shape, strict=True) if side == "B"]
        is_sold = any(u > 0 for u, side in zip(units, case.shape, strict=True) if side == "S")
        naked += _STEP * (is_sold and any(u < 50 for u in bought))
        [group] = desk.store.groups_of_alert(desk.receipt.alert_id)
        is_over = all(o.status in ("EXECUTED", "FAILED") for o in desk.store.tables.orders.values())
        if not group.state.is_open and is_over:
            break
    return Outcome(group.state, exposed, naked, desk.crossed, _wrong(desk, group.state, exposed, naked))


def _wrong(desk: GridDesk, state: GroupState, exposed: float, naked: float) -> str:
    units = desk.units()
    if state not in (GroupState.COMPLETE, GroupState.UNWOUND):
        return f"left {state}"
    if state is GroupState.UNWOUND and any(units):
        return f"unwound, and {units} are there"
    if state is GroupState.COMPLETE and any(each != 50 for each in units):
        return f"complete, and {units} are there"
    if naked:
        return f"a sold leg was without its hedge for {naked} s"
    tags = [command.client_order_id for command in desk.broker.placed]
    if len(tags) != len(set(tags)):
        return "sent twice"
    return f"exposed for {exposed} s" if exposed > BOUND else ""


def outcomes(every: int, of_cases: int) -> Iterator[tuple[Case, Outcome]]:
    """Run each so many-th failure without a death, and of its deaths each so many-th."""
    failures = [
        Case(shape, fails, how) for shape in SHAPES for fails in range(len(shape)) for how in FAILURES
    ]
    number = 0
    for case in failures[::of_cases]:
        undisturbed = live(case)
        yield case, undisturbed
        for fatal in range(undisturbed.crossed):
            number += 1
            if number % every == 0:
                dying = replace(case, fatal=fatal)
                yield dying, live(dying)


def run(every: int = 1, of_cases: int = 1) -> tuple[str, list[str]]:
    """Run the cases as `outcomes` says; returns what to print, and what was wrong."""
    logging.disable(logging.CRITICAL)
    states, wrong, longest, deaths = Counter[str](), list[str](), 0.0, 0
    try:
        for case, outcome in outcomes(every, of_cases):
            states[outcome.state] += 1
            deaths += case.fatal is not None
            longest = max(longest, outcome.exposed)
            if outcome.wrong:
                wrong.append(f"{case}: {outcome.wrong}")
    finally:
        logging.disable(logging.NOTSET)
    ends = ", ".join(f"{state} {count:,}" for state, count in sorted(states.items()))
    total = sum(states.values())
    text = (
        f"{total:,} combinations of shape, failing leg and failure, {deaths:,} of them with a death: {ends}; "
        f"exposed for {longest:.1f} s at most (bound {BOUND:.0f} s), naked 0 s, {len(wrong)} wrong"
    )
    return text, wrong


if __name__ == "__main__":
    told, faults = run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(told, *faults[:20], sep="\n")
    raise SystemExit(bool(faults))
