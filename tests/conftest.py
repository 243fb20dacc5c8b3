"""Fixtures that many tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import Desk


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
