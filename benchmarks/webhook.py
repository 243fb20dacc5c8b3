"""Measure how many alerts a second the webhook makes durable, beside a Flask view that does nothing."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
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
from benchmarks.usage import cpu_seconds
from benchmarks.workspace import Failed, Started, Workspace, answers, free_port, wait_until
from persistence.database import open_database

_ROUND_SECONDS = 5.0
_HOUSEKEEPING_SECONDS = 2.0  # the watcher's interval
_SENT = "WHERE status <> 'CREATED'"


@dataclass(frozen=True, slots=True)
class Rate:
    """What one server did: in one round, or the medians of several rounds' figures."""

    per_second: float
    p50: float  # milliseconds
    p99: float
    cpu: float  # milliseconds of processor time that the server used for each alert


@dataclass(frozen=True, slots=True)
class Server:
    """A web server and where it listens."""

    started: Started
    port: int


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Run rounds of both servers in turn. Then run the same webhook with a watcher that executes its orders."""
    rounds, seconds = (2, 2.0) if quick else (4, _ROUND_SECONDS)
    folder = workspace.new_folder("webhook")
    yield absolute(
        "bare durable commits", durable_commits(folder), "/s",
        note="one SQLite connection, one insert and one fsync each",
    )  # fmt: skip
    port = free_port()
    env = environment(folder, PORT=port)
    read_positions(env)
    servers = {"ours": Server(start_web(workspace, env), port), "empty": _start_empty(workspace, env)}
    with _checkpoints(folder / "orders.db"):
        full = _rounds(workspace, servers, rounds, seconds)
        rate = 0.5 * full["ours"].per_second
        equal = _rounds(workspace, servers, max(rounds // 2, 1), seconds, rate=rate)
    workspace.stop_all()
    yield from _beside(full)
    yield compared(
        "webhook p99, equal load", equal["ours"].p99, equal["empty"].p99, "ms",
        note=f"both at {rate:.0f} alerts/s, half of what ours can take",
    )  # fmt: skip
    yield _with_watcher(workspace, seconds, full["empty"])
    workspace.drop(folder)


def _beside(full: Mapping[str, Rate]) -> Iterator[Measure]:
    ours, empty = full["ours"], full["empty"]
    yield compared("webhook throughput", ours.per_second, empty.per_second, "/s", at_least=0.60)
    yield compared(
        "webhook CPU an alert", ours.cpu, empty.cpu, "ms",
        note="of the server's processes alone: the figure that other work on the machine disturbs least",
    )  # fmt: skip
    yield compared(
        "webhook p99", ours.p99, empty.p99, "ms", at_most=2.0,
        note=f"16 connections that never pause; p50 {ours.p50:.1f} ms beside {empty.p50:.1f} ms",
    )  # fmt: skip


def _start_empty(workspace: Workspace, env: Mapping[str, str]) -> Server:
    settings = services_for(env).settings
    port = free_port()
    started = workspace.start(
        "empty",
        ["-m", "benchmarks.empty_view", str(port), str(settings.web_workers), str(settings.web_threads)],
        {},
    )
    wait_until(lambda: answers(port), 30, started)
    return Server(started, port)


def _rounds(
    workspace: Workspace,
    servers: Mapping[str, Server],
    rounds: int,
    seconds: float,
    rate: float | None = None,
) -> dict[str, Rate]:
    """Run rounds in which the servers take turns, and return each server's medians."""
    numbers = iter(range(0 if rate is None else 50_000_000, 100_000_000, 1_000_000))
    rates: dict[str, list[Rate]] = {name: [] for name in servers}
    for server in servers.values():  # fills caches, opens connections, prepares statements
        load(workspace, Spec(server.port, 1.0, next(numbers), SECRET, rate=rate))
    for index in range(rounds):
        for name in sorted(servers, reverse=bool(index % 2)):
            spec = Spec(servers[name].port, seconds, next(numbers), SECRET, rate=rate)
            rates[name].append(_round(workspace, servers[name], spec, all_accepted=name == "ours"))
    return {
        name: Rate(*(median(each) for each in zip(*map(astuple, of), strict=True)))
        for name, of in rates.items()
    }


def _round(workspace: Workspace, server: Server, spec: Spec, *, all_accepted: bool) -> Rate:
    before = cpu_seconds(server.started.pid)
    result = load(workspace, spec, all_accepted=all_accepted)
    cpu, count = cpu_seconds(server.started.pid) - before, len(result.latencies)
    p50, p99 = (quantile(result.latencies, share) for share in (0.50, 0.99))
    return Rate(count / result.seconds, p50, p99, 1000 * cpu / count)


def load(workspace: Workspace, spec: Spec, *, all_accepted: bool = False) -> Result:
    """Run a load to its end and return its result.

    Raises:
        Failed: a request was not answered with 200, or an alert was not accepted although it should have been.
    """
    return result_of(start_load(workspace, spec), spec, all_accepted=all_accepted)


def start_load(workspace: Workspace, spec: Spec) -> Started:
    """Start a load, and return while it runs."""
    return workspace.start("load", ["-m", "benchmarks.load", json.dumps(asdict(spec))], {})


def result_of(started: Started, spec: Spec, *, all_accepted: bool = False) -> Result:
    """Wait until a load has ended, and return its result. Raises the same errors as `load`."""
    result = Result(**json.loads(started.wait(spec.seconds + 30)))
    total = len(result.latencies)
    if set(result.statuses) != {"200"} or (all_accepted and result.accepted != total):
        raise Failed(f"{result.accepted} of {total} alerts were accepted, answers: {result.statuses}")
    return result


@contextmanager
def _checkpoints(path: Path) -> Iterator[None]:
    """Checkpoint the WAL as often as a watcher would.

    Without a watcher nobody else moves it into the database.
    """
    over = threading.Event()

    def keep() -> None:
        while not over.wait(_HOUSEKEEPING_SECONDS):
            open_database(path).move_log()

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _with_watcher(workspace: Workspace, seconds: float, empty: Rate) -> Measure:
    """Measure the webhook with a watcher beside it, which needs the same cores and the same database."""
    folder = workspace.new_folder("webhook-watched")
    env = environment(folder, PORT=free_port())
    read_positions(env)
    web = Server(start_web(workspace, env), int(env["PORT"]))
    start_watcher(workspace, env)
    load(workspace, Spec(web.port, 1.0, 0, SECRET))
    rate = _round(workspace, web, Spec(web.port, seconds, 1_000_000, SECRET), all_accepted=True)
    with looking(folder / "orders.db") as connection:
        sent, total = (one(connection, f"SELECT count(*) FROM orders {which}") for which in (_SENT, ""))
    workspace.stop_all()
    workspace.drop(folder)
    note = (
        f"a watcher executes on paper meanwhile ({sent} of {total} sent when the load ended) "
        f"and takes its share of the cores; p99 {rate.p99:.1f} ms"
    )
    return compared("webhook throughput, watched", rate.per_second, empty.per_second, "/s", note=note)
