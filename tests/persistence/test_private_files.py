"""No other user of the machine reads what was traded."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.paper import store
from persistence.sqlite import migrations

Migrate = Callable[[Path], None]


@pytest.mark.parametrize("migrate", [migrations.migrate, store.migrate])
@pytest.mark.parametrize("before", [False, True], ids=["new", "there already, and readable by all"])
def test_a_database_and_its_lock_are_their_owners_alone(
    tmp_path: Path, migrate: Migrate, before: bool
) -> None:
    path = tmp_path / "some.db"
    mask = os.umask(0o022)
    try:
        if before:
            migrate(path)
            for file in tmp_path.iterdir():
                file.chmod(0o644)
        migrate(path)
    finally:
        os.umask(mask)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir() if file.is_file()}
    assert modes and set(modes.values()) == {0o600}, modes
