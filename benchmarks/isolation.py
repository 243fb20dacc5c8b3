"""Measure how a hanging broker of one client slows another client, whose own broker answers all the time."""

import json
import sqlite3
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.latency import milliseconds
from benchmarks.load import Spec
from benchmarks.measures import Measure, compared, quantile
from benchmarks.service import environment, has_beaten, looking, one_in, services_for, start_web
from benchmarks.usage import cpu_seconds
from benchmarks.webhook import result_of, start_load
from benchmarks.workspace import Failed, Started, Workspace, answers, free_port, wait_until

_MEASURED, _OTHER = "measured", "other"
# Alerts a second. More would queue, and the queue would multiply the noise of the machine.
_RATE, _OTHERS_RATE = 36.0, 4.0
_BOOK = "150"  # orders; a growing book would make the later rounds slower
_SECONDS, _WARM_UP = 4.8, 1.2  # of a round; after the warm-up all threads of the other client hang
_STATES = 5 * ("answers", "hangs", "hangs", "answers")
_TIMES = (
    "SELECT o.client_order_id, o.created_at, e.at FROM orders o JOIN alerts a USING (alert_id) JOIN order_events e "
    "ON e.command_id = o.command_id AND e.to_phase = 'FILLED' "
    "WHERE o.client_id = ? AND a.signal_id >= ? AND a.signal_id < ?"
)


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds of each order from its receipt."""

    at_broker: Sequence[float]
    executed: Sequence[float]
    cpu: float  # processor ms of the watcher for each order of the measured client


@dataclass(slots=True)
class House:
    """The service, its two clients and their brokers."""

    workspace: Workspace
    path: Path
    web_port: int
    urls: Mapping[str, str]
    watcher: Started
    alerts: Iterator[int] = field(default_factory=lambda: iter(range(0, 90_000_000, 100_000)))

    def open_orders(self, client: str) -> int:
        query = "SELECT count(*) FROM orders WHERE client_id = ? AND status IN ('CREATED', 'SENT_TO_BROKER')"
        return one_in(self.path, query, client)


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Run rounds in which the other client's broker hangs, between rounds in which it answers."""
    folder = workspace.new_folder("isolation")
    house = _build(workspace, folder)
    rounds: dict[str, list[Round]] = {"answers": [], "hangs": []}
    _round(house, "answers", 2.0)  # fills caches, opens connections, prepares statements
    for state in _STATES[:2] if quick else _STATES:
        rounds[state].append(_round(house, state, _SECONDS))
    workspace.stop_all()
    workspace.drop(folder)
    yield from _measures(rounds)


def _build(workspace: Workspace, folder: Path) -> House:
    clients = folder / "clients.toml"
    clients.write_text(
        "".join(f'[clients.{name}]\nwebhook_secret = "{name}"\n' for name in (_MEASURED, _OTHER))
    )
    port = free_port()
    env = environment(folder, PORT=port, CLIENTS_FILE=clients, CLIENT_ID=_MEASURED)
    del env["WEBHOOK_SECRET"]
    services_for(env).store.close()
    urls = {name: _start_broker(workspace) for name in (_MEASURED, _OTHER)}
    brokers = [f"{name}={url}" for name, url in urls.items()]
    watcher = workspace.start(
        "watcher", ["-m", "benchmarks.stub_watcher", "--book-interval", "0", *brokers], env
    )
    house = House(workspace, folder / "orders.db", port, urls, watcher)
    wait_until(lambda: has_beaten(house.path), 20, watcher)
    start_web(workspace, env)
    return house


def _start_broker(workspace: Workspace) -> str:
    port = free_port()
    started = workspace.start("broker", ["-m", "benchmarks.http_broker", str(port), _BOOK], {})
    wait_until(lambda: answers(port, "/orders"), 20, started)
    return f"http://127.0.0.1:{port}"


def _round(house: House, state: str, seconds: float) -> Round:
    """Send alerts to both clients. Measure one of them, once the other client hangs in all its threads."""
    if state == "hangs":
        _tell(house, "hang")
    first = next(house.alerts)
    whole = _WARM_UP + seconds
    warm = Spec(house.web_port, _WARM_UP, first, _MEASURED, rate=_RATE, symbols=100)
    spec = Spec(house.web_port, seconds, first + 10_000, _MEASURED, rate=_RATE, symbols=100, stamps=True)
    other = Spec(house.web_port, whole, first + 50_000, _OTHER, rate=_OTHERS_RATE, connections=4)
    others = start_load(house.workspace, other)
    result_of(start_load(house.workspace, warm), warm, all_accepted=True)
    before = cpu_seconds(house.watcher.pid)
    result = result_of(start_load(house.workspace, spec), spec, all_accepted=True)
    cpu = 1000 * (cpu_seconds(house.watcher.pid) - before) / len(result.stamps)
    result_of(others, other)
    hung = house.open_orders(_OTHER)
    wait_until(lambda: not house.open_orders(_MEASURED), 20, house.watcher)
    if state == "hangs":
        if not hung:
            raise Failed("the other client's broker did not hang")
        _tell(house, "answer")
    measured = _measured(house, spec.first, cpu)
    if len(measured.at_broker) != len(result.stamps):
        raise Failed(f"{len(measured.at_broker)} of {len(result.stamps)} alerts reached the broker")
    wait_until(lambda: not house.open_orders(_OTHER), 60, house.watcher, every=0.1)
    return measured


def _tell(house: House, mode: str) -> None:
    request = urllib.request.Request(f"{house.urls[_OTHER]}/mode/{mode}", data=b"", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def _measured(house: House, first: int, cpu: float) -> Round:
    with urllib.request.urlopen(f"{house.urls[_MEASURED]}/stamps", timeout=10) as answer:
        arrivals = json.load(answer)
    with looking(house.path) as connection:
        rows = _rows(connection, first)
    return Round(
        [arrivals[tag] / 1e6 - milliseconds(created) for tag, created, _ in rows],
        [milliseconds(filled) - milliseconds(created) for _, created, filled in rows],
        cpu,
    )


def _rows(connection: sqlite3.Connection, first: int) -> list[tuple[str, str, str]]:
    last = first + 40_000
    return connection.execute(_TIMES, (_MEASURED, f"signal-{first:08d}", f"signal-{last:08d}")).fetchall()


def _measures(rounds: Mapping[str, Sequence[Round]]) -> Iterator[Measure]:
    """Compare the rounds with a hanging broker with those in between.

    - p50: the median of all orders of all rounds. A noisy moment hardly moves it.
    - p99: the median of the rounds' p99. A moment in which the machine had other work falls into one round. It slows
      the slowest orders of that round, not those of the others.
    """
    hangs, calm = rounds["hangs"], rounds["answers"]
    for name, of in (("broker", _at_broker), ("executed", _executed)):
        middles, slowest = (
            [[quantile(of(each), share) for each in some] for some in (hangs, calm)] for share in (0.50, 0.99)
        )
        ours, others = (quantile([v for each in some for v in of(each)], 0.50) for some in (hangs, calm))
        yield compared(
            f"beside a hanging broker, to {name}, p50", ours, others, "ms", at_most=1.05,
            note=f"all {sum(len(of(each)) for each in hangs)} orders of {len(hangs)} rounds beside as many in between; "
            f"the rounds' own: {_range(middles[0])} beside {_range(middles[1])} ms, "
            f"medians {median(middles[0]):.1f} beside {median(middles[1]):.1f}",
        )  # fmt: skip
        yield compared(
            f"beside a hanging broker, to {name}, p99", median(slowest[0]), median(slowest[1]), "ms", at_most=1.05,
            note=f"median of {len(hangs)} rounds ({_range(slowest[0])} ms) beside as many in between "
            f"({_range(slowest[1])} ms)",
        )  # fmt: skip
    yield compared(
        "beside a hanging broker, CPU", median(r.cpu for r in hangs), median(r.cpu for r in calm), "ms",
        note="of the watcher for each order of the client whose broker answers",
    )  # fmt: skip


def _at_broker(each: Round) -> Sequence[float]:
    return each.at_broker


def _executed(each: Round) -> Sequence[float]:
    return each.executed


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"
