"""The signal that something was committed: at once for our own processes, soon for every other program."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from persistence.sqlite.database import ChangeSignal, GroupCommit
from persistence.sqlite.identity import witness_path
from persistence.sqlite.migrations import migrate
from tests.e2e.service import ROOT

_COMMITS = """
import sys, pathlib
from persistence.sqlite.database import GroupCommit
GroupCommit(pathlib.Path(sys.argv[1])).run(lambda c: c.execute("CREATE TABLE ours (n)"))
"""


@pytest.fixture
def path(tmp_path):
    migrate(tmp_path / "orders.db")
    return tmp_path / "orders.db"


def _commit_elsewhere(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS theirs (n)")
        connection.execute("INSERT INTO theirs VALUES (1)")


def test_a_commit_of_this_program_is_seen_at_once_and_once(path):
    signal = ChangeSignal(path, monotonic=lambda: 0.0)
    assert not signal.changed()
    commits = GroupCommit(path)
    for _ in range(3):
        commits.run(lambda connection: connection.execute("CREATE TABLE IF NOT EXISTS ours (n)"))
        assert signal.changed()
        assert not signal.changed()


def test_a_commit_of_another_of_our_processes_is_seen_at_once(path):
    signal = ChangeSignal(path, monotonic=lambda: 0.0)
    subprocess.run([sys.executable, "-c", _COMMITS, path], cwd=ROOT, check=True, timeout=60)
    assert signal.changed()


def test_a_commit_of_another_program_is_seen_within_a_tenth_of_a_second(path):
    now = 0.0
    signal = ChangeSignal(path, monotonic=lambda: now)
    _commit_elsewhere(path)
    now = 0.101
    assert signal.changed()
    assert not signal.changed()


def test_without_the_file_that_counts_every_commit_is_asked_for(path):
    witness_path(path).unlink()
    signal = ChangeSignal(path, monotonic=lambda: 0.0)
    _commit_elsewhere(path)
    assert signal.changed()
    assert not signal.changed()
    assert not witness_path(path).exists()
