"""Limits hold exactly where several processes register at once and two watchers claim: five places, five entries."""

import multiprocessing
from datetime import timedelta
from decimal import Decimal
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from app.system import RandomIds, SystemClock
from command_service import CommandService
from domain.alert import Delivery
from domain.limits import ClientPolicy, LimitBook, Limits, OwnLimits
from persistence.database import open_database
from tests.support import INDEPENDENT, Desk, entry, leg

PROCESSES, EACH = 4, 5
LIMITS = {
    "trades": Limits(max_trades_per_day=5),
    "trades of a strategy": Limits(own=OwnLimits(max_trades_per_day=5)),
    "positions": Limits(max_open_positions=5),
    "positions of a strategy": Limits(own=OwnLimits(max_open_positions=5)),
    "gross exposure": Limits(max_gross_exposure=Decimal(5 * 50 * 100)),
    "net exposure": Limits(max_net_exposure=Decimal(5 * 50 * 100)),
    "orders per minute": Limits(max_orders_per_minute=5),
    "open orders": Limits(max_open_orders=5),
}


def registering(path: Path, number: int, limits: Limits, together: Barrier) -> None:
    """One process: register entries, each in a symbol of its own, as soon as all are ready."""
    clock = SystemClock()
    policies = {
        "default": ClientPolicy("default", LimitBook(limits, {"STRADDLE": limits}), live_allowed=True)
    }
    store = open_database(path).store(clock=clock, render=lambda notice: str(notice.kind))
    commands = CommandService(
        store,
        policies,
        clock=clock,
        ids=RandomIds(),
        dedup_window=timedelta(seconds=60),
        alert_life=timedelta(seconds=300),
    )
    together.wait(30)
    for n in range(EACH):
        alert = entry(leg(f"S{number}_{n}", price=Decimal(100)))
        commands.register(alert, Delivery(clock.now(), "127.0.0.1", "{}", "native"))


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
def test_twenty_entries_at_once_take_five_places(tmp_path: Path, limits: Limits) -> None:
    desk = Desk(tmp_path, strategy=INDEPENDENT)
    clock = SystemClock()
    desk.clock.at = clock.now()
    desk.engine.refresh("default", force=True)
    processes = multiprocessing.get_context("fork")
    together = processes.Barrier(PROCESSES)
    made = [
        processes.Process(target=registering, args=(desk.path, n, limits, together)) for n in range(PROCESSES)
    ]
    for each in made:
        each.start()
    for each in made:
        each.join(60)
    assert [each.exitcode for each in made] == [0] * PROCESSES
    tags = [tag for (tag,) in desk.rows("SELECT tag FROM orders")]
    assert len(tags) == PROCESSES * EACH
    assert tags.count(None) == 5, tags
    blocked = {str(tag) for tag in tags if tag is not None}
    assert len(blocked) == 1 and blocked.pop().startswith("RISK_BLOCKED:MAX_")
    desk.policies["default"] = ClientPolicy(
        "default", LimitBook(limits, {"STRADDLE": limits}), live_allowed=True
    )
    watchers = [desk.new_engine(name) for name in ("one", "two")]
    desk.clock.at = clock.now()
    for watcher in watchers:
        desk.look(watcher)
    for _ in range(8):
        for watcher in watchers:
            watcher.execute_next("default")
    assert len(desk.broker.placed) == 5, "what was let in is sent, and nothing else"
