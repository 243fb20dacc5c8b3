"""A disk without room is no proof of a damaged database: nothing is kept, nothing is lost, and it goes on with room."""

import errno
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from domain.errors import StoreFull, StoreReplaced, StoreUnavailable
from domain.states import Phase
from persistence.sqlite.damage import no_room
from persistence.sqlite.database import checkpoint_wal
from persistence.sqlite.identity import read_main_file
from persistence.sqlite.migrations import check_identity
from persistence.sqlite.repository import OrderRepository
from tests.persistence.making import Maker

PAGE = 4096


@pytest.fixture
def maker(tmp_path):
    made = Maker(tmp_path / "orders.db")
    made.order("A", Phase.REGISTERED)
    yield made
    made.store.close()


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a full disk: what a file holds already can be written anew, and it can grow no further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def end_a_checkpoint_midway(maker: Maker) -> None:
    """The main file has the first pages of the newest commits, and its last ones are still in the log alone."""
    checkpoint_wal(maker.path)
    maker.store.look()
    for index in range(30):
        maker.order(f"grown {index}", Phase.REGISTERED)
    with no_file_longer_than(maker.path.stat().st_size + PAGE), pytest.raises(sqlite3.Error):
        checkpoint_wal(maker.path)
    with pytest.raises(StoreReplaced):
        read_main_file(maker.path)


@pytest.fixture
def no_more_room(monkeypatch):
    """`no_more_room(0)` fills the disk, by what it says of itself."""

    def fill(free: int) -> None:
        monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free, f_frsize=1))

    return fill


def test_a_checkpoint_that_did_not_end_is_no_damaged_database(maker):
    end_a_checkpoint_midway(maker)
    maker.store.look()
    maker.order("B", Phase.REGISTERED)  # the first write after the file has changed looks behind the log
    fresh = OrderRepository(maker.path, clock=maker.clock, render=lambda notice: str(notice.kind))
    fresh.save_heartbeats([])  # and so does one of a process that begins now
    fresh.close()
    check_identity(maker.path)
    checkpoint_wal(maker.path)
    maker.store.look()
    assert maker.store.replaced is None
    assert read_main_file(maker.path).generation > 30


def test_a_copy_is_found_also_while_a_checkpoint_has_not_ended(maker):
    end_a_checkpoint_midway(maker)
    os.truncate(maker.path, 5 * PAGE)
    with pytest.raises(StoreReplaced, match="restore FILE"):
        maker.order("B", Phase.REGISTERED)
    assert maker.store.replaced


def call_it_malformed(connection: sqlite3.Connection) -> None:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    raise error


def test_what_is_called_malformed_once_and_is_intact_goes_on(maker):
    with pytest.raises(StoreUnavailable, match="malformed") as caught:
        maker.store._commits.run(call_it_malformed)
    assert not isinstance(caught.value, StoreReplaced) and maker.store.replaced is None
    assert "malformed" in str(maker.store.unwritable)
    maker.order("B", Phase.REGISTERED)
    assert maker.store.unwritable is None


def test_nothing_is_called_damaged_while_the_disk_is_full(maker, no_more_room):
    checkpoint_wal(maker.path)
    with open(maker.path, "r+b") as file:
        file.write(b"no database any more" * 400)
    no_more_room(0)
    with pytest.raises(StoreFull, match="disk is full") as caught:
        maker.order("B", Phase.REGISTERED)
    assert "restore" not in str(caught.value) and maker.store.replaced is None
    no_more_room(1 << 30)
    with pytest.raises(StoreReplaced, match="restore FILE"):
        maker.order("B", Phase.REGISTERED)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOSPC])
def test_files_that_cannot_be_looked_at_are_not_gone(maker, monkeypatch, number):
    def fails(path: object, **_: object) -> os.stat_result:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", fails)
        with pytest.raises(StoreUnavailable):
            maker.store.save_heartbeats([])
    assert maker.store.replaced is None
    maker.store.save_heartbeats([])


def test_a_write_that_fails_is_remembered_until_any_process_has_written(maker):
    other = OrderRepository(maker.path, clock=maker.clock, render=lambda notice: str(notice.kind))
    other.save_heartbeats([])
    wal = maker.path.with_name("orders.db-wal")
    with no_file_longer_than(wal.stat().st_size), pytest.raises(StoreUnavailable):
        maker.order("B", Phase.REGISTERED)
    assert "disk I/O error" in str(maker.store.unwritable) and maker.store.replaced is None
    other.save_heartbeats([])
    assert maker.store.unwritable is None
    other.close()


def test_room_is_what_the_disk_says_of_itself(tmp_path, no_more_room):
    no_more_room(1 << 30)
    assert no_room(tmp_path / "orders.db") is None
    no_more_room(40 << 10)
    assert f"the disk is full: 40 KiB free in {tmp_path}" == no_room(tmp_path / "orders.db")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own; where this user may mount none, the tests above have to do."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)  # a thread's read connection may be open


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(PAGE))
    return ballast


def test_a_disk_that_is_really_full_stops_the_writing_until_there_is_room(small_disk):
    maker = Maker(small_disk / "orders.db")
    maker.order("A", Phase.REGISTERED)
    checkpoint_wal(maker.path)
    maker.store.look()
    kept, ballast, refused = ["A"], fill(small_disk), list[str]()
    for index in range(300):
        if index % 5 == 0:
            maker.store.look()
            with suppress(sqlite3.OperationalError):
                checkpoint_wal(maker.path)
        try:
            maker.order(f"B{index}", Phase.REGISTERED)
            kept.append(f"B{index}")
        except StoreFull as error:
            refused.append(str(error))
    assert len(refused) > 100 and not [text for text in refused if "restore" in text]
    assert "disk is full" in str(maker.store.unwritable)
    assert maker.store.replaced is None
    ballast.unlink()
    maker.order("C", Phase.REGISTERED)
    checkpoint_wal(maker.path)
    maker.store.look()
    assert maker.store.unwritable is None
    with sqlite3.connect(maker.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = {alert for (alert,) in connection.execute("SELECT alert_id FROM alerts")}
    connection.close()
    assert found == {*kept, "C"}
    maker.store.close()
