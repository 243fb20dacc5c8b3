"""Running worlds: one, many on all cores, and ever smaller ones that still fail."""

import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

from tests.migrated import migrated
from tests.simulation.plan import ALERTS, Plan, make_plan
from tests.simulation.world import Figures, World

IN_MEMORY = Path("/dev/shm")
"""Where there is one, databases live in it: power is not lost here, so nothing has to reach a disk."""


@contextmanager
def database() -> Iterator[Path]:
    """A migrated, empty orders.db, gone afterwards."""
    home = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="orderwatch-", dir=home) as folder:
        path = Path(folder, "orders.db")
        migrated(path)
        yield path


def run_plan(plan: Plan, *, unchecked: Collection[str] = ()) -> Figures:
    """One world, quietly."""
    logging.disable(logging.CRITICAL)  # thousands of worlds would tell of every fault they were given
    try:
        with database() as path:
            return World(plan, path, unchecked=unchecked).run()
    finally:
        logging.disable(logging.NOTSET)


def run_world(
    seed: str, alerts: int = ALERTS, without: Collection[str] = (), unchecked: Collection[str] = ()
) -> Figures:
    """The world of that seed, in which so many alerts are sent."""
    return run_plan(make_plan(seed, alerts=alerts, without=without), unchecked=unchecked)


def run_many(
    seed: str,
    lifecycles: int,
    *,
    jobs: int,
    tell: Callable[[Figures], None],
    alerts: int = ALERTS,
    without: Collection[str] = (),
    unchecked: Collection[str] = (),
) -> Figures:
    """Worlds `seed/0`, `seed/1`, … until that many lifecycles have ended; the same worlds whatever `jobs` is."""
    total = Figures()
    numbers = count()
    with ProcessPoolExecutor(jobs) as pool:
        waiting: deque[Future[Figures]] = deque()
        while total.lifecycles < lifecycles:
            while len(waiting) < 3 * jobs:
                waiting.append(pool.submit(run_world, f"{seed}/{next(numbers)}", alerts, without, unchecked))
            total.add(waiting.popleft().result())
            tell(total)
        for future in waiting:
            future.cancel()
    return total


def first_breach(
    promise: str, *, most: int = 25, change: Callable[[Plan], Plan] = lambda plan: plan
) -> str | None:
    """The first world of a planted defect in which that promise is the first to be broken."""
    for number in range(most):
        broken = run_plan(change(make_plan(f"defects/{number}", alerts=150))).broken
        if broken and broken[0][1].promise.startswith(promise):
            return broken[0][0]
    return None


# making a failure small -----------------------------------------------------------------------------------------


def shrink(plan: Plan, *, most_runs: int = 300, unchecked: Collection[str] = ()) -> Plan:
    """The smallest plan found on which the same promise breaks: fewer faults, processes and alerts."""
    promise = _first_breach(plan, unchecked)
    assert promise is not None, "nothing is broken"
    runs = 0

    def still(candidate: Plan) -> bool:
        nonlocal runs
        runs += 1
        return runs <= most_runs and _first_breach(candidate, unchecked) == promise

    plan = _fewer_alerts(plan, still)
    for name, rate in plan.rates.items():
        if rate and still(candidate := replace(plan, rates={**plan.rates, name: 0.0})):
            plan = candidate
    for change in ({"watchers": 1}, {"webs": 1}, {"executors": 1}):
        if still(candidate := replace(plan, **change)):  # type: ignore[arg-type]
            plan = candidate
    return _fewer_alerts(plan, still)


def _fewer_alerts(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    """Leave out halves, quarters, … single alerts, as long as it still fails."""
    size = len(plan.alerts) // 2
    while size:
        start = 0
        while start < len(plan.alerts):
            candidate = replace(plan, alerts=plan.alerts[:start] + plan.alerts[start + size :])
            if candidate.alerts and still(candidate):
                plan = candidate
            else:
                start += size
        size //= 2
    return plan


def _first_breach(plan: Plan, unchecked: Collection[str]) -> str | None:
    broken = run_plan(plan, unchecked=unchecked).broken
    return broken[0][1].promise if broken else None
