"""Fixtures that many tests share."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.order import Order
from tests.support import Desk

IN_MEMORY = Path("/dev/shm")
_ENOUGH = 3 * 1024**3
"""Bytes: what all databases of a run together may take, several times over."""


def pytest_configure() -> None:
    """Put temporary files into memory where there is room: what is waited for is otherwise the disk, most of the time.

    The tests kill processes and never the machine, so they see the same there. `TMPDIR` says where else, if set.
    """
    if "TMPDIR" in os.environ or not os.access(IN_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(IN_MEMORY).free > _ENOUGH:
        os.environ["TMPDIR"] = str(IN_MEMORY)  # for the processes that tests start, too
        tempfile.tempdir = None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-boundary",
        action="store_true",
        help="the crash sweep's second deaths at every boundary, not only where something has changed",
    )


@pytest.fixture
def make_desk(tmp_path: Path) -> Callable[..., Desk]:
    """A whole engine on a database of its own."""
    made = 0

    def make(**options: Any) -> Desk:
        nonlocal made
        made += 1
        folder = tmp_path / f"desk{made}"
        folder.mkdir()
        return Desk(folder, **options)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def live(desk: Desk) -> Order:
    """An order that rests at the broker."""
    desk.broker.fill_at_once = False
    (order,) = desk.post()
    desk.settle()
    return desk.order(order.command_id)
