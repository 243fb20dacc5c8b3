"""Measure alerts beside 500 senders that begin a request and do not end it.

Also measure what the largest body costs before its sender is authenticated.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from statistics import quantiles

from alerts.auth import Secrets
from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from benchmarks.load import Spec
from benchmarks.measures import Measure, absolute, quantile
from benchmarks.service import SECRET, environment, read_positions, start_web
from benchmarks.webhook import load
from benchmarks.workspace import Workspace, free_port
from tests.alerts.hostile_bodies import SHAPES
from tests.app.slow_senders import slow_senders

_SENDERS = 500
_RATE = 50.0
_LARGEST = 262_144
_SHAPE_TIMES = 5


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Run pairs of loads, one load of each pair beside the slow senders. Then try a body of each shape."""
    pairs, seconds = (3, 2.0) if quick else (11, 6.0)
    yield _delay(workspace, pairs, seconds)
    yield from _shapes()


def _delay(workspace: Workspace, pairs: int, seconds: float) -> Measure:
    folder, port = workspace.new_folder("slow"), free_port()
    env = environment(folder, PORT=port, MAX_ALERT_AGE_SECONDS=36_000)
    read_positions(env)
    start_web(workspace, env)
    numbers = iter(range(0, 100_000_000, 10_000))

    def p99(*, beside: bool) -> float:
        with slow_senders(port, _SENDERS) if beside else nullcontext():
            time.sleep(0.2)  # so that the cost of opening the connections is not measured
            spec = Spec(port, seconds, next(numbers), SECRET, rate=_RATE)
            return quantile(load(workspace, spec, all_accepted=True).latencies, 0.99)

    p99(beside=False)  # fills caches, opens connections, prepares statements
    measured = []
    for number in range(pairs):
        first = number % 2 == 1
        one, other = p99(beside=first), p99(beside=not first)
        measured.append((one, other) if first else (other, one))
    workspace.stop_all()
    workspace.drop(folder)
    low, middle, high = quantiles([beside / alone for beside, alone in measured], n=4)
    with_senders, without = (sorted(each)[pairs // 2] for each in zip(*measured, strict=True))
    note = (
        f"p99 of the answer at {_RATE:.0f} alerts/s: {with_senders:.1f} ms beside {without:.1f} ms; "
        f"median of {pairs} alternating pairs, quartiles {low:.2f} and {high:.2f}"
    )
    return absolute(f"ack p99 beside {_SENDERS} slow senders", middle, "x", at_most=1.2, note=note)


def _shapes() -> Iterator[Measure]:
    secrets = Secrets({"default": SECRET}, "default")
    costs = {name: 1000 * _cost(make(_LARGEST), secrets) for name, make in SHAPES.items()}
    worst = max(costs, key=lambda name: costs[name])
    listed = ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
    yield absolute(
        "largest body before authentication", costs[worst], "ms", at_most=5.0,
        note=f"{_LARGEST} bytes, the worst is {worst!r}; in ms: {listed}",
    )  # fmt: skip


def _cost(raw: bytes, secrets: Secrets) -> float:
    """Seconds of processor time, the least of several runs: other work on the machine only adds to it."""
    return min(_once(lambda: _before_authentication(raw, secrets)) for _ in range(_SHAPE_TIMES))


def _once(work: Callable[[], None]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _before_authentication(raw: bytes, secrets: Secrets) -> None:
    body = decode(raw)
    dialect = DIALECTS.dialect_of(body)
    secret = dialect.secret.find(body)
    dialect.client_of(body)
    secrets.authenticate(raw, body_secret=secret, path_token=None, signature="sha256=" + "0" * 64)
