"""Measure the console over a million orders: the first page of the order book, and its searches."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from flask.testing import FlaskClient

from benchmarks.measures import Measure, absolute
from benchmarks.service import CLIENT, SECRET, environment, read_positions, services_for
from benchmarks.workspace import Failed, Workspace
from domain.ids import command_id, ulid
from trading_bot import make_app

_MANY = 1_000_000
_SYMBOLS = 200
_RARE = "RARE26NOV"
_TARGET_MS = 50.0
_ORDERS = """
INSERT INTO orders (command_id, alert_id, leg_index, client_id, strategy_name, execution_type, exchange, symbol, side,
    quantity, product, order_type, client_order_id, created_at, expires_at, status, phase, tag, broker_order_id,
    filled_quantity, attempts, escalation, updated_at, event_hash)
VALUES (?, ?, 0, ?, ?, 'ENTRY', 'NFO', ?, 'BUY', '50', 'MIS', 'MARKET', ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, ?, 'h')
"""


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Ask each page several times of a database that nothing else uses; the median is the server's processor time."""
    count, rounds = (_MANY // 10, 5) if quick else (_MANY, 15)
    env = environment(workspace.new_folder("book"))
    path, began = Path(env["ORDERS_DB"]), time.monotonic()
    services_for(env).store.close()
    short_id = _make_orders(path, count)
    read_positions(env)
    yield absolute(
        "making the book", time.monotonic() - began, "s", note=f"{count:,} orders, {_size(path):.2f} GB"
    )
    pages = {
        "first page of the order book": "/",
        "search by the end of an id": f"/find?q={short_id}",
        "search by a symbol": "/?symbol=SYM7*",
        "search by a symbol of one order": f"/?symbol={_RARE}",
        "first page of the API": "/api/orders",
        "an order's page": f"/orders/{_whole(path, short_id)}",
    }
    client = make_app(services_for(env)).test_client()
    for name, page in pages.items():
        times = [_timed(client, page) for _ in range(rounds + 1)][1:]  # the first one fills caches
        yield absolute(
            f"{name}, p50", median(times), "ms", at_most=_TARGET_MS, note=f"{rounds} requests in turn"
        )


def _make_orders(path: Path, count: int) -> str:
    """Write closed orders past the triggers, one of them of the rare symbol; return that one's short id."""
    chance, began = random.Random(1), datetime.now(UTC) - timedelta(seconds=count)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        names = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in names:
            connection.execute(f"DROP TRIGGER {name}")
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.executemany(_ORDERS, (_row(index, count, began, chance) for index in range(count)))
        connection.execute("COMMIT")
        for _, sql in names:
            connection.execute(sql)
        [[found]] = connection.execute("SELECT command_id FROM orders WHERE symbol = ?", (_RARE,)).fetchall()
    return str(found)[-10:]


def _row(index: int, count: int, began: datetime, chance: random.Random) -> tuple[object, ...]:
    at = began + timedelta(seconds=index)
    alert_id, time_text = ulid(at, chance.getrandbits(80)), f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
    symbol = _RARE if index == count // 3 else f"SYM{index % _SYMBOLS}"
    filled = index % 3 > 0
    ended = ("EXECUTED", "FILLED", None, f"B{index}", "50") if filled else _BLOCKED
    id_ = command_id(alert_id, 0)
    return (
        id_,
        alert_id,
        CLIENT,
        f"S{index % 7}",
        symbol,
        f"ow{index}",
        time_text,
        time_text,
        *ended,
        time_text,
    )


_BLOCKED = ("FAILED", "BLOCKED", "RISK_BLOCKED:DAILY_LOSS_HIT", None, "0")


def _whole(path: Path, short_id: str) -> str:
    with closing(sqlite3.connect(path)) as connection:
        [[found]] = connection.execute("SELECT command_id FROM orders WHERE symbol = ?", (_RARE,)).fetchall()
    if not str(found).endswith(short_id):
        raise Failed("the order of the rare symbol is another one")
    return str(found)


def _timed(client: FlaskClient, page: str) -> float:
    """Return the milliseconds of the processor that one request took: others on the machine do not count in it."""
    began = time.thread_time()
    answer = client.get(page, headers={"Authorization": f"Bearer {SECRET}"})
    taken = (time.thread_time() - began) * 1000
    if answer.status_code not in (200, 303):
        raise Failed(f"{page} was answered {answer.status_code}")
    return taken


def _size(path: Path) -> float:
    return sum(file.stat().st_size for file in path.parent.iterdir()) / 1e9
