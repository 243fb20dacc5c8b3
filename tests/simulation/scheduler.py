"""Tasks and processes on a clock of their own: one thread, one order of steps for each seed.

A task runs until it sleeps; whoever is due next runs then. A process is what tasks are inside of when they run the
engine's code: when it is killed, every task inside it is torn out where it stands, and none of them crosses another
boundary. Nothing here looks at the machine's clock.
"""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from random import Random
from types import TracebackType

from greenlet import getcurrent, greenlet

START = datetime.fromisoformat("2026-11-20T04:00:00+00:00")
SECOND = 1_000_000  # the clock counts microseconds


class Killed(BaseException):
    """The process is gone. No `except Exception` of the engine may survive it."""


class Process:
    """One operating system process, as far as the engine can tell: its memory ends with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.inside: dict[greenlet, None] = {}  # in the order in which they came: a set would not repeat


class Scheduler:
    """Runs what is due next.

    Args:
        random: decides who goes first where nothing else does.
    """

    def __init__(self, random: Random) -> None:
        self.micros = 0
        self._steps = [(0, 0)]  # since when (true microseconds) the machine's clock is ahead by how many
        self._random = random
        self._hub = getcurrent()
        self._due: list[tuple[int, int, Callable[[], object] | None, greenlet | None, int]] = []
        self._count = 0
        self._turn: dict[greenlet, int] = {}
        self._doomed: set[greenlet] = set()
        self.stopped = False

    def now(self) -> datetime:
        """What the machine's clock shows; each look is a microsecond later than the last: no two instants are one."""
        self.micros += 1
        return START + timedelta(microseconds=self.micros + self._steps[-1][1])

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the machine's clock forward by so many seconds, or back."""
        self._steps.append((self.micros, self._steps[-1][1] + round(seconds * SECOND)))

    @property
    def was_set(self) -> bool:
        """Whether anybody has set the machine's clock."""
        return len(self._steps) > 1

    def true_micros(self, shown: datetime) -> int:
        """When the clock last showed that time: true microseconds since the beginning.

        A time that it has never shown, because it was set forward over it, is that of the step.
        """
        micros = round((shown - START).total_seconds() * SECOND)
        for since, ahead in reversed(self._steps):
            if micros - ahead >= since:
                return min(micros - ahead, max(self.micros, since))
        return 0

    def since(self, shown: datetime) -> float:
        """How many seconds ago the clock showed that time."""
        return (self.micros - self.true_micros(shown)) / SECOND

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self.micros / SECOND

    # tasks --------------------------------------------------------------------------------------------------

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Call it then; it must not sleep."""
        self._push(seconds, call, None, 0)

    def spawn(self, run: Callable[[], object], *, after: float = 0.0) -> None:
        """Begin a task; it may be torn out of the world at any sleep."""

        def task() -> None:
            with suppress(Killed):
                run()

        self._resume(greenlet(task, self._hub), after)

    def sleep(self, seconds: float) -> None:
        """Let the others run, and go on then."""
        self._resume(getcurrent(), seconds)
        self._hub.switch()

    def wake(self, task: greenlet) -> None:
        """Let a sleeping task go on at once."""
        if not task.dead and task not in self._doomed:
            self._resume(task, self._random.random() * 0.002)

    def run(self, until: float) -> None:
        """Run whatever is due before `until` (seconds), or until somebody calls a stop."""
        end = round(until * SECOND)
        while self._due and not self.stopped and self._due[0][0] <= end:
            at, _, call, task, turn = heapq.heappop(self._due)
            self.micros = max(self.micros, at)
            if task is None:
                assert call is not None
                call()
            elif not task.dead and self._turn.get(task) == turn:
                if task in self._doomed:
                    self._doomed.discard(task)
                    task.throw(Killed)
                else:
                    task.switch()
                self._forget_dead(task)
        self.micros = max(self.micros, end)

    def _forget_dead(self, task: greenlet) -> None:
        if task.dead:
            self._turn.pop(task, None)

    def end(self) -> None:
        """Tear down what still sleeps."""
        for task in list(self._turn):
            while not task.dead:  # it may take its death for a lost connection once, and sleep again
                with suppress(Killed):
                    task.throw(Killed)

    def _resume(self, task: greenlet, seconds: float) -> None:
        """Only the last time that was set for a task counts."""
        turn = self._turn[task] = self._turn.get(task, 0) + 1
        self._push(seconds, None, task, turn)

    def _push(
        self, seconds: float, call: Callable[[], object] | None, task: greenlet | None, turn: int
    ) -> None:
        self._count += 1
        heapq.heappush(self._due, (self.micros + round(seconds * SECOND), self._count, call, task, turn))

    # processes ----------------------------------------------------------------------------------------------

    @contextmanager
    def inside(self, process: Process) -> Iterator[None]:
        """Run code of a process.

        Raises:
            Killed: it is dead, or it dies meanwhile.
        """
        if not process.alive:
            raise Killed(process.name)
        task = getcurrent()
        process.inside[task] = None
        try:
            yield
        finally:
            process.inside.pop(task, None)

    def kill(self, process: Process) -> None:
        """End a process: what runs inside it goes no further. Whoever calls from inside must go on to raise Killed."""
        process.alive = False
        for task in process.inside:
            if task is not getcurrent():
                self._doomed.add(task)
                self._resume(task, 0.0)


class CooperativeLock:
    """A lock for tasks: whoever waits for it lets the others run, so that its holder can go on."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._held = False

    def __enter__(self) -> None:
        while self._held:
            self._scheduler.sleep(0.001)
        self._held = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = False
