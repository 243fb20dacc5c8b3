"""Measure stops on paper: from a mark's commit to the exit at the broker, a round of looking, an order that brings one.

The paper broker stamps each order as it comes in. An alert's way to it, in the same run, is the baseline.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from app.container import Services
from benchmarks.latency import milliseconds
from benchmarks.making import leg
from benchmarks.measures import Measure, absolute, compared, quantile
from benchmarks.service import (
    CLIENT,
    SECRET,
    environment,
    has_beaten,
    looking,
    one_in,
    services_for,
    start_all,
)
from benchmarks.workspace import Failed, Workspace, free_port, wait_until
from domain.alert import Delivery, ParsedAlert
from domain.enums import ExecutionType
from domain.protection_terms import Terms
from engine.order_watcher import OrderWatcherEngine

_POSITIONS, _PROTECTIONS = 200, 100
_STOP = Terms("5pt")
_PLACED = "SELECT symbol, side, placed_at FROM orders"
_NUMBERS = count()


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Let stops of single positions be met one after the other, then measure the engine in this process."""
    yield from _latency(workspace, 12 if quick else 100)
    yield from _costs(workspace, rounds=20 if quick else 200, orders=40 if quick else 400)


# from a mark to the broker ------------------------------------------------------------------------------------


def _latency(workspace: Workspace, stops: int) -> Iterator[Measure]:
    folder = workspace.new_folder("stops")
    env = environment(folder, PORT=free_port())
    service = start_all(workspace, env)
    wait_until(lambda: has_beaten(folder / "orders.db"), 20, service)
    answered, marked = list[str](), dict[str, float]()
    for number in range(stops):
        symbol = f"STOP{number:04d}"
        _post(env, "/api/marks", {"exchange": "NFO", "symbol": symbol, "price": "100"})
        _post(env, "/webhook", _entry(symbol))
        answered.append(symbol)
        wait_until(lambda symbol=symbol: _is_protected(folder, symbol), 30, service)  # type: ignore[misc]
        _post(env, "/api/marks", {"exchange": "NFO", "symbol": symbol, "price": "90"})
        marked[symbol] = _now()
    wait_until(lambda: _placed(folder).keys() >= {(s, "SELL") for s in marked}, 30, service)
    arrived, committed = _placed(folder), _committed(folder)
    service.stop()
    workspace.drop(folder)
    of_stops = [arrived[symbol, "SELL"] - committed[symbol, "SELL"] for symbol in marked]
    of_alerts = [arrived[symbol, "BUY"] - committed[symbol, "BUY"] for symbol in answered]
    from_market = [arrived[symbol, "SELL"] - at for symbol, at in marked.items()]
    if len(of_stops) < stops:
        raise Failed(f"{len(of_stops)} of {stops} stops reached the broker")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours, alerts = quantile(of_stops, share), quantile(of_alerts, share)
        yield compared(
            f"mark committed to the exit at the broker, {name}", ours, alerts, "ms", at_most=1.5,
            note=f"{stops} stops on paper, one after the other; the mark and the exit that it asks for are one commit. "
            "Baseline: an alert's order, from its commit too",
        )  # fmt: skip
        yield absolute(
            f"price set to the exit at the broker, {name}", quantile(from_market, share), "ms",
            note="from the answer to POST /api/marks: with the wait for the next look at prices",
        )  # fmt: skip


def _entry(symbol: str) -> dict[str, object]:
    entry = {
        "tradingsymbol": symbol,
        "direction": "BUY",
        "qty": 50,
        "product_type": "MIS",
        "order_type": "LIMIT",
        "price": 100,
        "stop_loss": "5pt",
    }
    return {
        "secret_key": SECRET,
        "execution_type": "ENTRY",
        "strategy_name": "STOPS",
        "exchange": "NFO",
        "legs": [entry],
    }


def _post(env: Mapping[str, str], path: str, body: Mapping[str, object]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{env['PORT']}{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        if answer.status != 200:
            raise Failed(f"{path} answered {answer.status}")


def _now() -> float:
    return datetime.now(UTC).timestamp() * 1000


def _is_protected(folder: Path, symbol: str) -> bool:
    query = "SELECT count(*) FROM protections WHERE symbol = ? AND status = 'ACTIVE' AND quantity <> '0'"
    return one_in(folder / "orders.db", query, symbol) > 0


def _placed(folder: Path) -> dict[tuple[str, str], float]:
    with looking(folder / "paper.db") as connection:
        return {(symbol, side): milliseconds(at) for symbol, side, at in connection.execute(_PLACED)}


def _committed(folder: Path) -> dict[tuple[str, str], float]:
    with looking(folder / "orders.db") as connection:
        rows = connection.execute("SELECT symbol, side, created_at FROM orders")
        return {(symbol, side): milliseconds(at) for symbol, side, at in rows}


# what it costs ------------------------------------------------------------------------------------------------


def _costs(workspace: Workspace, *, rounds: int, orders: int) -> Iterator[Measure]:
    folder = workspace.new_folder("costs")
    # A limit that is far away, so that profit and loss is counted and looked at.
    env = environment(folder, RISK_MAX_DAILY_LOSS=10_000_000)
    services = services_for(env)
    engine = services.engine("benchmark")
    engine.refresh(CLIENT, force=True)
    engine.tick()
    plain, stopped = list[float](), list[float]()
    for _ in range(4):  # in turn, so that both meet the same machine
        plain.append(_cpu(lambda: _trade(services, engine, orders // 4, None)) / (orders // 4))
        stopped.append(_cpu(lambda: _trade(services, engine, orders // 4, _STOP)) / (orders // 4))
    alert = min(plain)
    yield compared(
        "an order with a stop", min(stopped), alert, "ms", at_most=1.3,
        note=f"processor time of registering, sending and following an entry, the best of 4 rounds of {orders // 4}; "
        "baseline: without a stop",
    )  # fmt: skip
    held = one_in(folder / "orders.db", "SELECT count(*) FROM holdings")
    guarded = one_in(folder / "orders.db", "SELECT count(*) FROM protections WHERE status = 'ACTIVE'")
    _trade(services, engine, max(_PROTECTIONS - guarded, 0), _STOP)
    _trade(services, engine, max(_POSITIONS - max(held, 0) - max(_PROTECTIONS - guarded, 0), 0), None)
    engine.refresh(CLIENT, force=True)
    engine.watch_risk(CLIENT)
    engine.protect(CLIENT)
    beats = [_cpu(lambda: _beat(engine)) for _ in range(rounds)]
    held = one_in(folder / "orders.db", "SELECT count(*) FROM holdings")
    guarded = one_in(folder / "orders.db", "SELECT count(*) FROM protections WHERE status = 'ACTIVE'")
    note = f"processor time of a look at limits and at stops: {held} positions, {guarded} protections"
    yield absolute("heartbeat", quantile(beats, 0.5), "ms", at_most=5, note=note)
    yield compared(
        "heartbeat beside one alert", quantile(beats, 0.5), alert, "ms", note=f"{note}; baseline: one alert"
    )
    services.store.close()
    workspace.drop(folder)


def _beat(engine: OrderWatcherEngine) -> None:
    engine.watch_risk(CLIENT)
    engine.protect(CLIENT)


def _trade(services: Services, engine: OrderWatcherEngine, orders: int, terms: Terms | None) -> None:
    """Enter so many symbols that nobody holds, one alert each, and follow the orders until they are filled."""
    for _ in range(orders):
        asked = replace(leg(f"COST{next(_NUMBERS):06d}"), protection=terms)
        alert = ParsedAlert("native", CLIENT, "COSTS", ExecutionType.ENTRY, (asked,), None)
        services.commands.register(alert, Delivery(datetime.now(UTC), "127.0.0.1", "{}", "native"))
        while engine.execute_next(CLIENT):
            pass
    engine.tick()


def _cpu(work: Callable[[], None]) -> float:
    """Milliseconds of processor time of this process."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000
