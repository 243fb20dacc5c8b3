"""A lock of ours on a file is waited for, and not for ever."""

import fcntl
import time

import pytest

from persistence.errors import FileLocked
from persistence.sqlite.file_lock import lock_within
from persistence.sqlite.migrations import migrate


def test_a_lock_that_is_not_let_go_is_told_with_the_file(tmp_path):
    with open(tmp_path / "x.lock", "w") as one, open(tmp_path / "x.lock", "w") as other:
        lock_within(one, 0)
        began = time.monotonic()
        with pytest.raises(FileLocked, match=r"x\.lock is locked by another process"):
            lock_within(other, 0.1)
        assert time.monotonic() - began < 5
        fcntl.flock(one, fcntl.LOCK_UN)
        lock_within(other, 0)


def test_a_start_does_not_wait_for_ever_for_one_that_was_stopped_in_its_migration(tmp_path, monkeypatch):
    monkeypatch.setattr("persistence.sqlite.migrations._LONGEST_MIGRATION", 0.1)
    with open(tmp_path / "orders.db.migrate.lock", "w") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        with pytest.raises(FileLocked):
            migrate(tmp_path / "orders.db")
    migrate(tmp_path / "orders.db")
