"""A process that was stopped in the middle of a write is ended by whoever needs no database to see it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.stopped_holder import StoppedHolder, is_stopped, writer_of
from persistence.sqlite.database import connect

_WRITES = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO t VALUES (2)")
print("writes", flush=True)
time.sleep(60)
"""

_KEEPS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM t").fetchall()
time.sleep(60)
"""

_WRITES_ON = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO t VALUES (3)")
connection.commit()
print(connection.execute("SELECT * FROM t").fetchall())
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "orders.db"
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t (n)")
        connection.execute("INSERT INTO t VALUES (1)")
    # A connection of another process keeps the log alive, as a web server's does.
    keeper = subprocess.Popen([sys.executable, "-c", _KEEPS, path])
    yield path
    keeper.kill()
    keeper.wait()


@pytest.fixture
def writer(database: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", _WRITES, database], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"writes\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_writer_is_known_without_asking_the_database(
    database: Path, writer: subprocess.Popen[bytes]
) -> None:
    assert writer_of(database.with_name("orders.db-shm")) == writer.pid
    assert writer_of(database.with_name("none.db-shm")) is None


def test_one_that_was_stopped_is_ended_and_others_write_on(
    database: Path, writer: subprocess.Popen[bytes]
) -> None:
    os.kill(writer.pid, signal.SIGSTOP)
    holder = StoppedHolder(database, patience=0.2)
    give_up = time.monotonic() + 10
    while holder.look() != writer.pid and time.monotonic() < give_up:
        time.sleep(0.05)
    while writer.poll() is None and time.monotonic() < give_up:
        time.sleep(0.02)
    assert writer.poll() == -signal.SIGKILL
    found = subprocess.run(
        [sys.executable, "-c", _WRITES_ON, database], capture_output=True, check=True, timeout=20
    )
    assert found.stdout == b"[(1,), (3,)]\n"


def test_one_that_works_is_left_alone(database: Path, writer: subprocess.Popen[bytes]) -> None:
    holder = StoppedHolder(database, patience=0.0)
    for _ in range(5):
        assert holder.look() is None
        time.sleep(0.02)
    assert writer.poll() is None


def test_one_that_was_stopped_for_a_moment_is_left_alone(
    database: Path, writer: subprocess.Popen[bytes]
) -> None:
    holder = StoppedHolder(database, patience=30)
    os.kill(writer.pid, signal.SIGSTOP)
    for _ in range(100):
        if is_stopped(writer.pid):
            break
        time.sleep(0.02)
    assert is_stopped(writer.pid) and holder.look() is None and holder.look() is None
    os.kill(writer.pid, signal.SIGCONT)
    assert writer.poll() is None
