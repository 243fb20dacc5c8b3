"""Measure how long an alert takes from its receipt to the broker, at the alert rate of a user's worst day."""

import json
import sqlite3
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.load import Spec
from benchmarks.measures import Measure, absolute, quantile
from benchmarks.service import SECRET, environment, has_beaten, looking, one_in, services_for, start_web
from benchmarks.webhook import load
from benchmarks.workspace import Failed, Workspace, answers, free_port, wait_until

_RATE = 50.0
_TIMES = (
    "SELECT a.signal_id, o.client_order_id, o.created_at, e.at FROM orders o JOIN alerts a USING (alert_id) "
    "JOIN order_events e ON e.command_id = o.command_id AND e.to_phase = 'SUBMITTING'"
)


@dataclass(frozen=True, slots=True)
class Way:
    """One alert's times, in milliseconds since its order was created (`created_at`, before the commit)."""

    claimed: float
    answered: float
    at_broker: float


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Run the whole service with a broker over HTTP, and send alerts at random times."""
    seconds = 5.0 if quick else 20.0
    folder = workspace.new_folder("latency")
    port, broker_port = free_port(), free_port()
    env, url = environment(folder, PORT=port), f"http://127.0.0.1:{broker_port}"
    stub = workspace.start("broker", ["-m", "benchmarks.http_broker", str(broker_port)], {})
    wait_until(lambda: answers(broker_port, "/orders"), 20, stub)
    services_for(env).store.close()
    watcher = workspace.start("watcher", ["-m", "benchmarks.stub_watcher", url], env)
    wait_until(lambda: has_beaten(folder / "orders.db"), 20, watcher)
    web = start_web(workspace, env)
    load(workspace, Spec(port, 2.0, 0, SECRET, rate=_RATE, symbols=100))
    spec = Spec(port, seconds, 10_000_000, SECRET, rate=_RATE, symbols=100, stamps=True)
    result = load(workspace, spec, all_accepted=True)
    wait_until(lambda: not _unsent(folder / "orders.db"), 20, watcher)
    arrivals = json.load(urllib.request.urlopen(f"{url}/stamps", timeout=10))
    with looking(folder / "orders.db") as connection:
        ways = _ways(connection, arrivals, {number: at for number, _, at in result.stamps})
    for process in (web, watcher, stub):
        process.stop()
    workspace.drop(folder)
    if len(ways) != len(result.stamps):
        raise Failed(f"{len(ways)} of {len(result.stamps)} alerts reached the broker")
    yield from _measures(ways)


def _measures(ways: list[Way]) -> Iterator[Measure]:
    arrived = [w.at_broker for w in ways]
    claimed = [w.claimed for w in ways]
    after_answer = [w.at_broker - w.answered for w in ways]
    note = f"{len(ways)} alerts; from created_at, which is before the commit, to the first byte at the broker"
    yield absolute("receipt to broker, p50", quantile(arrived, 0.5), "ms", at_most=5, note=note)
    yield absolute(
        "receipt to broker, p99", quantile(arrived, 0.99), "ms", at_most=25,
        note=f"worst {max(arrived):.1f} ms; to the claim alone p50 {quantile(claimed, 0.5):.1f} ms, "
        f"p99 {quantile(claimed, 0.99):.1f} ms",
    )  # fmt: skip
    yield absolute(
        "answer to broker, p50", quantile(after_answer, 0.5), "ms",
        note=f"from the sender's receipt of the answer; below 0: the broker had it first; "
        f"p99 {quantile(after_answer, 0.99):.1f} ms",
    )  # fmt: skip


def _ways(
    connection: sqlite3.Connection, arrivals: Mapping[str, int], answered: Mapping[int, int]
) -> list[Way]:
    ways = []
    for signal, tag, created_at, claimed_at in connection.execute(_TIMES):
        number = int(signal.rpartition("-")[2])
        if number in answered and tag in arrivals:
            began = milliseconds(created_at)
            ways.append(
                Way(
                    milliseconds(claimed_at) - began,
                    answered[number] / 1e6 - began,
                    arrivals[tag] / 1e6 - began,
                )
            )
    return ways


def milliseconds(text: str) -> float:
    """Convert a time of the database to milliseconds since 1970."""
    return datetime.fromisoformat(text).timestamp() * 1000


def _unsent(path: Path) -> int:
    return one_in(path, "SELECT count(*) FROM orders WHERE status = 'CREATED' OR phase = 'SUBMITTING'")
