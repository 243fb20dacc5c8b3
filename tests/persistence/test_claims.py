"""Who holds a claim is known, not timed: even a killed process is found out at once."""

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persistence.claims import Claimants

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import pathlib, sys
from persistence.claims import Claimants
Claimants(pathlib.Path(sys.argv[1])).enter(sys.argv[2])
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
    mine, theirs = Claimants(database), Claimants(database)
    assert not mine.alive("w1")
    mine.enter("w1")
    assert mine.alive("w1")
    assert theirs.alive("w1")
    mine.leave("w1")
    assert not mine.alive("w1")
    assert not theirs.alive("w1")


def test_a_name_is_held_once(database):
    with holder(database, "w1"), pytest.raises(BlockingIOError):
        Claimants(database).enter("w1")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_is_gone_at_once(database, how):
    claimants = Claimants(database)
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
            assert Claimants(database).alive("w1")


def test_sweeping_removes_the_dead_only(database):
    claimants = Claimants(database)
    assert claimants.sweep() == []
    claimants.enter("mine")
    with holder(database, "living"):
        with holder(database, "dead") as process:
            process.kill()
            process.wait()
            assert len(claimants.sweep()) == 1
        assert claimants.alive("living")
    assert claimants.alive("mine")
    assert not claimants.alive("dead")


@pytest.mark.parametrize("name", ["", "../outside", "a/b", "a b", "x" * 81])
def test_a_name_stays_inside_the_folder(database, name):
    with pytest.raises(ValueError, match="watcher's name"):
        Claimants(database).enter(name)


def test_a_sweep_between_opening_and_locking_does_not_hide_a_living_holder(database, monkeypatch):
    """Its file would be removed under it, and its claim taken by another while its order call is under way."""
    mine, sweeper = Claimants(database), Claimants(database)
    flock, calls = fcntl.flock, []

    def sweeping_first(handle: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            sweeper.sweep()
        flock(handle, how)

    monkeypatch.setattr("persistence.claims.fcntl.flock", sweeping_first)
    mine.enter("w1")
    assert sweeper.alive("w1")
