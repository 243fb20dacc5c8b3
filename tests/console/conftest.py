from pathlib import Path

import pytest

from tests.console.seeding import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty database with a console over it."""
    return House(tmp_path)
