"""Who holds a claim is known, not timed: even a killed process is found out at once."""

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persistence.sqlite.process_locks import ProcessLocks

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import pathlib, sys
from persistence.sqlite.process_locks import ProcessLocks
ProcessLocks(pathlib.Path(sys.argv[1])).enter(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


@contextmanager
def holder(database: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the name."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, database, name],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_name_is_alive_from_enter_to_leave(database):
    mine, theirs = ProcessLocks(database), ProcessLocks(database)
    assert not mine.alive("w1")
    mine.enter("w1")
    assert mine.alive("w1")
    assert theirs.alive("w1")
    mine.leave("w1")
    assert not mine.alive("w1")
    assert not theirs.alive("w1")


def test_a_name_is_held_once(database):
    with holder(database, "w1"), pytest.raises(BlockingIOError):
        ProcessLocks(database).enter("w1")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_is_gone_at_once(database, how):
    claimants = ProcessLocks(database)
    with holder(database, "w1") as process:
        assert claimants.alive("w1")
        process.send_signal(how)
        process.wait()
        assert not claimants.alive("w1")
    claimants.enter("w1")
    assert claimants.alive("w1")


def test_asking_disturbs_no_holder(database):
    with holder(database, "w1"):
        for _ in range(100):
            assert ProcessLocks(database).alive("w1")


def ended_at(database) -> list[str]:
    with ProcessLocks(database).ended() as names:
        return names


def test_the_dead_only_are_forgotten(database):
    claimants = ProcessLocks(database)
    with claimants.ended() as names:
        assert names == []
    claimants.enter("mine")
    with holder(database, "living"):
        with holder(database, "dead") as process:
            process.kill()
            process.wait()
            with claimants.ended() as names:
                assert names == ["dead"]
                assert ended_at(database) == []  # one only is told
        assert ended_at(database) == []
        assert claimants.alive("living")
    assert claimants.alive("mine")
    assert not claimants.alive("dead")


def test_a_watcher_starts_while_another_tells_of_the_dead(database):
    """Telling may take long: a database that is busy holds it up."""
    mine = ProcessLocks(database)
    (database.parent / "orders.db.watchers").mkdir()
    (database.parent / "orders.db.watchers" / "w1").touch()  # opened by its watcher, and not locked yet
    with ProcessLocks(database).ended() as names:
        assert names == ["w1"]
        mine.enter("w1")
    assert ProcessLocks(database).alive("w1")


def test_the_dead_are_kept_for_the_next_when_telling_of_them_fails(database):
    with holder(database, "dead") as process:
        process.kill()
        process.wait()
        with pytest.raises(OSError, match="disk full"), ProcessLocks(database).ended():
            raise OSError("disk full")
        assert ended_at(database) == ["dead"]


@pytest.mark.parametrize("name", ["", "../outside", "a/b", "a b", "x" * 81])
def test_a_name_stays_inside_the_folder(database, name):
    with pytest.raises(ValueError, match="watcher's name"):
        ProcessLocks(database).enter(name)


def test_a_sweep_between_opening_and_locking_does_not_hide_a_living_holder(database, monkeypatch):
    """Its file would be removed under it, and its claim taken by another while its order call is under way."""
    mine, sweeper = ProcessLocks(database), ProcessLocks(database)
    flock, calls = fcntl.flock, []

    def sweeping_first(handle: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            with sweeper.ended() as names:
                assert names == ["w1"]
        flock(handle, how)

    monkeypatch.setattr("persistence.sqlite.process_locks.fcntl.flock", sweeping_first)
    mine.enter("w1")
    assert sweeper.alive("w1")
