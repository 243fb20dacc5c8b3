"""A process that was stopped inside the rate budget's lock: exits go on, few of them; nothing else does."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.rate_limit.exit_reserve import ExitReserve
from broker.rate_limit.limiter import Rate, RateBudget
from broker.rate_limit.minute_quota import MINUTE, PeriodicRead
from domain.errors import NotSent
from tests.contract.broker_contract import ContractClock


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """As by a process that was stopped: another open file holds the lock."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


@pytest.fixture
def budget(tmp_path: Path) -> RateBudget:
    made = RateBudget(
        tmp_path / "b.budget", ContractClock(), Rate(per_minute=100, kept=20), sleep=lambda _: None
    )
    made.take(urgent=True)
    return made


def test_an_exit_and_the_read_that_it_needs_go_soon(budget: RateBudget, tmp_path: Path) -> None:
    with locked(tmp_path / "b.budget"):
        began = time.monotonic()
        budget.take(urgent=True)
        budget.take(urgent=True)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("reads", [None, PeriodicRead.BOOK, PeriodicRead.POSITIONS])
def test_nothing_else_goes(budget: RateBudget, tmp_path: Path, reads: PeriodicRead | None) -> None:
    with locked(tmp_path / "b.budget"), pytest.raises(NotSent, match="does not go on"):
        budget.take(urgent=False, reads=reads)


def test_no_more_than_two_calls_in_a_window(budget: RateBudget, tmp_path: Path) -> None:
    with locked(tmp_path / "b.budget"):
        budget.take(urgent=True)
        budget.take(urgent=True)
        with pytest.raises(NotSent):
            budget.take(urgent=True)


def test_no_more_than_twenty_calls_in_a_minute() -> None:
    reserve, second = ExitReserve(1_100_000), 1_000_000
    assert sum(reserve.take(now * second) for now in range(60)) == 20
    assert reserve.take(0 + MINUTE + 60 * second)


def test_what_went_without_the_file_counts_in_it_afterwards(budget: RateBudget, tmp_path: Path) -> None:
    path = tmp_path / "b.budget"
    with locked(path):
        budget.take(urgent=True)
        budget.take(urgent=True)
    budget.take(urgent=True)
    assert len(json.loads(path.read_bytes().partition(b"\n")[0])[0]) == 4
    budget.take(urgent=True)
    assert len(json.loads(path.read_bytes().partition(b"\n")[0])[0]) == 5
