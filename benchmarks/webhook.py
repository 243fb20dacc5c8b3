"""How many alerts a second the webhook makes durable, beside a Flask view that does nothing."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.load import Result, Spec
from benchmarks.measures import Measure, absolute, compared, durable_commits, quantile
from benchmarks.service import (
    SECRET,
    environment,
    looking,
    one,
    read_positions,
    services_for,
    start_watcher,
    start_web,
)
from benchmarks.workspace import Failed, Started, Workspace, answers, free_port, wait_until
from persistence.sqlite import checkpoint_wal

_ROUND_SECONDS = 5.0
_HOUSEKEEPING_SECONDS = 2.0  # as the watcher does it


@dataclass(frozen=True, slots=True)
class Rate:
    """What one server did in several rounds: the median of their rates and of their percentiles."""

    per_second: float
    p50: float  # milliseconds
    p99: float


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Rounds of both servers in turn; then the same webhook with a watcher that executes what it takes."""
    rounds, seconds = (2, 2.0) if quick else (4, _ROUND_SECONDS)
    folder = workspace.new_folder("webhook")
    port = free_port()
    env = environment(folder, PORT=port)
    read_positions(env)
    ours, empty = start_web(workspace, env), _start_empty(workspace, env)
    ports = {"ours": port, "empty": empty[1]}
    with _checkpoints(folder / "orders.db"):
        full = _rounds(workspace, ports, rounds, seconds)
        rate = 0.5 * full["ours"].per_second
        equal = _rounds(workspace, ports, max(rounds // 2, 1), seconds, rate=rate)
    ours.stop()
    empty[0].stop()
    yield from _beside(full)
    yield compared(
        "webhook p99, equal load", equal["ours"].p99, equal["empty"].p99, "ms",
        note=f"both at {rate:.0f} alerts/s, half of what ours can take",
    )  # fmt: skip
    yield _with_watcher(workspace, seconds, full["empty"])
    yield absolute(
        "bare durable commits", durable_commits(folder), "/s",
        note="one SQLite connection, one insert and one fsync each",
    )  # fmt: skip
    workspace.drop(folder)


def _beside(full: Mapping[str, Rate]) -> Iterator[Measure]:
    ours, empty = full["ours"], full["empty"]
    yield compared("webhook throughput", ours.per_second, empty.per_second, "/s", at_least=0.60)
    yield compared(
        "webhook p99", ours.p99, empty.p99, "ms", at_most=2.0,
        note=f"16 connections that never pause; p50 {ours.p50:.1f} ms beside {empty.p50:.1f} ms",
    )  # fmt: skip


def _start_empty(workspace: Workspace, env: Mapping[str, str]) -> tuple[Started, int]:
    settings = services_for(env).settings
    port = free_port()
    started = workspace.start(
        "empty",
        ["-m", "benchmarks.empty_view", str(port), str(settings.web_workers), str(settings.web_threads)],
        {},
    )
    wait_until(lambda: answers(port), 30, started)
    return started, port


def _rounds(
    workspace: Workspace, ports: Mapping[str, int], rounds: int, seconds: float, rate: float | None = None
) -> dict[str, Rate]:
    numbers = iter(range(0 if rate is None else 50_000_000, 100_000_000, 1_000_000))
    results: dict[str, list[Result]] = {name: [] for name in ports}
    for port in ports.values():
        load(workspace, Spec(port, 1.0, next(numbers), SECRET, rate=rate))  # caches, connections, statements
    for index in range(rounds):
        for name in sorted(ports, reverse=bool(index % 2)):
            spec = Spec(ports[name], seconds, next(numbers), SECRET, rate=rate)
            results[name].append(load(workspace, spec, all_accepted=name == "ours"))
    return {name: _rate(each) for name, each in results.items()}


def _rate(results: list[Result]) -> Rate:
    return Rate(
        median(len(r.latencies) / r.seconds for r in results),
        median(quantile(r.latencies, 0.50) for r in results),
        median(quantile(r.latencies, 0.99) for r in results),
    )


def load(workspace: Workspace, spec: Spec, *, all_accepted: bool = False) -> Result:
    """Let a load run to its end.

    Raises:
        Failed: something was not answered with 200, or an alert was not accepted that should have been.
    """
    command = ["-m", "benchmarks.load", json.dumps(asdict(spec))]
    result = Result(**json.loads(workspace.start("load", command, {}).wait(spec.seconds + 30)))
    total = len(result.latencies)
    if set(result.statuses) != {"200"} or (all_accepted and result.accepted != total):
        raise Failed(f"{result.accepted} of {total} alerts were accepted, answers: {result.statuses}")
    return result


@contextmanager
def _checkpoints(path: Path) -> Iterator[None]:
    """Without a watcher nobody moves the log into the database: do it as often as a watcher would."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(_HOUSEKEEPING_SECONDS):
            checkpoint_wal(path)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _with_watcher(workspace: Workspace, seconds: float, empty: Rate) -> Measure:
    """The same with a watcher beside it, which needs the same two cores and the same database."""
    folder = workspace.new_folder("webhook-watched")
    env = environment(folder, PORT=free_port())
    read_positions(env)
    web, watcher = start_web(workspace, env), start_watcher(workspace, env)
    port = int(env["PORT"])
    load(workspace, Spec(port, 1.0, 0, SECRET))
    result = load(workspace, Spec(port, seconds, 1_000_000, SECRET), all_accepted=True)
    with looking(folder / "orders.db") as connection:
        executed = one(connection, "SELECT count(*) FROM orders WHERE status <> 'CREATED'")
    watcher.stop()
    web.stop()
    workspace.drop(folder)
    rate = _rate([result])
    note = (
        f"a watcher executes on paper meanwhile ({executed} of {result.accepted} sent when the load ended) "
        f"and takes its share of the cores; p99 {rate.p99:.1f} ms"
    )
    return compared("webhook throughput, watched", rate.per_second, empty.per_second, "/s", note=note)
