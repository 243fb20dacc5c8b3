"""Measure how long a starting watcher needs until it knows all that happened while none ran."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from app.container import Services
from benchmarks.making import EXCHANGE, leg, register
from benchmarks.measures import Measure, absolute
from benchmarks.multiply import multiply
from benchmarks.service import CLIENT, environment, has_beaten, one_in, services_for, start_watcher
from benchmarks.workspace import Failed, Workspace, wait_until

_BASE = 100
_SYMBOLS = [f"OPEN{index}" for index in range(10)]
_LIMIT = 90


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Measure from the start of the watcher's process, in two cases.

    - The open orders are still open.
    - The same orders were all filled meanwhile.
    """
    count = 1000 if quick else 10_000
    base, folder = workspace.new_folder("restart-base"), workspace.new_folder("restart")
    _open_orders(services_for(environment(base)))
    multiply(base, folder, count // _BASE, earlier_days=False)
    env, path = environment(folder), folder / "orders.db"
    if (there := _open_count(path)) != count:
        raise Failed(f"{there} orders are open, not {count}")
    yield absolute(
        "restart, nothing happened", _until_first_beat(workspace, env, path), "s", at_most=5,
        note=f"{count:,} orders open at the broker; from the start of the process to its first heartbeat",
    )  # fmt: skip
    _set_marks(services_for(env), _LIMIT)
    watcher = start_watcher(workspace, env)
    seconds = wait_until(lambda: not _open_count(path), 120, watcher)
    watcher.stop()
    yield absolute(
        "restart, all were filled", seconds, "s", at_most=5,
        note=f"{count:,} orders filled while no watcher ran; from the start of the process to all EXECUTED",
    )  # fmt: skip
    workspace.drop(folder)


def _open_orders(services: Services) -> None:
    """Place limit orders below the market, so that they rest at the broker."""
    engine = services.engine("benchmark")
    engine.refresh(CLIENT, force=True)
    _set_marks(services, 100)
    for index in range(_BASE // len(_SYMBOLS)):
        legs = [leg(symbol, price=_LIMIT) for symbol in _SYMBOLS]
        register(services, legs, strategy=f"WAITING{index}", signal=f"waiting{index}")
    engine.tick()


def _set_marks(services: Services, price: int) -> None:
    marks = services.brokers[CLIENT].set_mark
    assert marks is not None
    for symbol in _SYMBOLS:
        marks.set_mark(EXCHANGE, symbol, Decimal(price))


def _until_first_beat(workspace: Workspace, env: Mapping[str, str], path: Path) -> float:
    watcher = start_watcher(workspace, env)
    seconds = wait_until(lambda: has_beaten(path), 120, watcher)
    watcher.stop()
    return seconds


def _open_count(path: Path) -> int:
    return one_in(path, "SELECT count(*) FROM orders WHERE status = 'SENT_TO_BROKER'")
