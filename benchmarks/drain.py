"""Measure how fast a watcher executes the orders that wait.

In one case the paper broker answers at once, in the other it takes 50 ms for each call.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.making import leg, register, register_many
from benchmarks.measures import Measure, absolute, compared
from benchmarks.service import CLIENT, environment, looking, one, one_in, services_for, start_watcher
from benchmarks.usage import cpu_seconds
from benchmarks.workspace import Workspace, wait_until
from domain.enums import ExecutionType

_LATENCY_MS = 50
_THREADS = 10
_EXITS = 30
_FIRST_AND_LAST = (
    "SELECT (julianday(max(at)) - julianday(min(at))) * 86400000 FROM order_events "
    "WHERE event_id > ? AND to_phase IN ('SUBMITTING', 'FILLED')"
)


@dataclass(frozen=True, slots=True)
class Drained:
    """How long a watcher took, in seconds, and the processor time of its process.

    `seconds` runs from its first claim to the last fill, `since_start` from the start of its process.
    """

    seconds: float
    since_start: float
    cpu: float


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Prepare orders, start a watcher, wait until none is open."""
    yield _paper(workspace, 1000 if quick else 5000)
    yield from _slow(workspace, 200 if quick else 600)


def _paper(workspace: Workspace, count: int) -> Measure:
    folder = workspace.new_folder("drain")
    env = environment(folder)
    services = services_for(env)
    services.engine("benchmark").refresh(CLIENT, force=True)
    register_many(services, count, symbols=100)
    services.store.close()
    drained = _drain(workspace, env, folder / "orders.db")
    workspace.drop(folder)
    note = (
        f"{count} orders, {1000 * drained.cpu / count:.2f} ms of CPU each with the start of the process; "
        f"{count / drained.since_start:,.0f}/s if the time of the start counts"
    )
    return absolute("drain on paper", count / drained.seconds, "/s", at_least=1000, note=note)


def _drain(
    workspace: Workspace, env: Mapping[str, str], path: Path, *, picked: Path | None = None
) -> Drained:
    """Start a watcher and wait until no order is open. `picked`: where it notes the orders as its threads pick them."""
    with looking(path) as connection:
        last = one(connection, "SELECT max(event_id) FROM order_events")
        if picked is None:
            watcher = start_watcher(workspace, env)
        else:
            watcher = workspace.start("watcher", ["-m", "benchmarks.picked_watcher", str(picked)], env)
        waited = wait_until(lambda: not _open(path), 120, watcher, every=0.1)
        cpu = cpu_seconds(watcher.pid)
        milliseconds = connection.execute(_FIRST_AND_LAST, (last,)).fetchone()[0]
    watcher.stop()
    return Drained(milliseconds / 1000, waited, cpu)


def _open(path: Path) -> int:
    return one_in(path, "SELECT count(*) FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER')")


def _slow(workspace: Workspace, count: int) -> Iterator[Measure]:
    """Create positions, then entries, then the exits that must overtake the entries."""
    folder = workspace.new_folder("drain-slow")
    fast = services_for(environment(folder))
    engine = fast.engine("benchmark")
    engine.refresh(CLIENT, force=True)
    held = [f"HELD{index:02d}" for index in range(_EXITS)]
    register(fast, [leg(name) for name in held], strategy="HOLDER", signal="holder")
    engine.tick()
    engine.refresh(CLIENT, force=True)
    register_many(fast, count, symbols=100)
    register(
        fast, [leg(name, side=None) for name in held], strategy="HOLDER", signal="leave",
        execution=ExecutionType.EXIT,
    )  # fmt: skip
    fast.store.close()
    env = environment(folder, PAPER_LATENCY_MS=_LATENCY_MS, WATCHER_CONCURRENCY=_THREADS)
    picked = folder / "picked"
    drained = _drain(workspace, env, folder / "orders.db", picked=picked)
    calls = count + 2 * _EXITS  # an exit reads the positions first
    yield compared(
        f"drain at {_LATENCY_MS} ms a call", calls / drained.seconds, _THREADS * 1000 / _LATENCY_MS, "/s",
        at_least=0.9,
        note=f"broker calls of {count} entries and {_EXITS} exits; baseline: {_THREADS} threads / {_LATENCY_MS} ms",
    )  # fmt: skip
    yield _exits_first(folder / "orders.db", picked)
    workspace.drop(folder)


def _exits_first(path: Path, picked: Path) -> Measure:
    """Count the entries that a thread began with while an exit waited for one.

    Exits were registered last, so each waits from the start. Which claim precedes which is no measure: an
    exit reads the positions before its claim, and a thread that finds no exit left begins with an entry meanwhile.
    """
    query = "SELECT command_id FROM orders WHERE {}"
    with looking(path) as connection:
        exits, entries = (
            {row[0] for row in connection.execute(query.format(f"execution_type = '{kind}'"))}
            for kind in ("EXIT", "ENTRY")
        )
    order = list(dict.fromkeys(picked.read_text(encoding="utf-8").split()))  # when each was begun first
    last = max(index for index, id_ in enumerate(order) if id_ in exits)
    before = sum(id_ in entries for id_ in order[:last])
    return absolute(
        "entries before a waiting exit", before, "", at_most=0,
        note=f"of {len(entries & set(order))} entries that were registered before {_EXITS} exits: those that any of "
        f"{_THREADS + 1} threads began with before the last exit was begun with",
    )  # fmt: skip
