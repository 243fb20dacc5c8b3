"""A commit that was called durable survives a loss at any moment, and one that was not synced is seen to be lost."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.errors import StoreReplaced
from persistence.sqlite.database import GroupCommit, connect
from persistence.sqlite.migrations import migrate
from tests.e2e.power_loss import journal
from tests.e2e.power_loss.disk import Disk, Fate, Names, read_folder, write_folder
from tests.e2e.power_loss.journal import Kind, Record, Shim
from tests.e2e.service import ROOT


@dataclass
class Written:
    """What a run of the writer did: the numbers it called durable, each with its time, and all that was recorded."""

    start: dict[str, tuple[int, bytes]]
    records: Sequence[Record]
    durable: list[tuple[int, int]]

    def durable_by(self, count: int) -> int:
        """How many commits were called durable before the next record."""
        end = self.records[count].at if count < len(self.records) else time.time_ns()
        return sum(1 for at, _ in self.durable if at < end)

    def moments(self, first: int = 0) -> Iterator[tuple[int, Disk]]:
        """The disk after each record, from the first wanted on, under each way of making names durable."""
        for names in Names:
            disk = Disk(self.start, names)
            for count in range(len(self.records) + 1):
                disk.play(self.records[count - 1 : count] if count else [])
                if count >= first:
                    yield count, disk


class Writer:
    """Runs the writer under the shim, in a folder of its own."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._data.mkdir()
        self._library = library
        self._runs = 0

    def run(self, commits: int, *planted: str, killed_at: int | None = None) -> Written:
        """Run it on what is there; with `killed_at` everything ends at that record, and the writer is run again."""
        self._runs += 1
        start = read_folder(self._data)
        shim = Shim(self._library, self._data, self._folder / f"journal{self._runs}")
        durable = []
        if killed_at is not None:
            shim.cut(killed_at)
            durable += self._once(shim, commits, planted)
            shim.mend()
        durable += self._once(shim, commits, planted)
        return Written(start, journal.read(shim.journal), durable)

    def _once(self, shim: Shim, commits: int, planted: Sequence[str]) -> list[tuple[int, int]]:
        program, database = "tests.e2e.power_loss.writer", str(self._data / "orders.db")
        words = [sys.executable, "-m", program, database, str(commits)]
        with subprocess.Popen(
            [*words, *planted],
            cwd=ROOT,
            env={**os.environ, **shim.environment},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            return [(time.time_ns(), int(line)) for line in process.stdout]


@pytest.fixture
def writer(tmp_path: Path, library: Path) -> Writer:
    return Writer(tmp_path, library)


def lost_commits(written: Written, folder: Path, *, every: int, fates: Sequence[Fate]) -> list[str]:
    """At which moments something durable was gone, or the database was refused."""
    chance = random.Random(1)
    found = []
    for count, disk in written.moments():
        if count % every:
            continue
        for fate in fates:
            shutil.rmtree(folder, ignore_errors=True)
            write_folder(folder, disk.lose(fate, chance), chance)
            there = commits_in(folder / "orders.db")
            if isinstance(there, StoreReplaced) or there < written.durable_by(count):
                found.append(
                    f"after record {count}, {fate.value} left: {there} of {written.durable_by(count)}"
                )
    return found


def commits_in(database: Path) -> int | StoreReplaced:
    """How many commits the program finds at its next start, or why it does not start."""
    try:
        migrate(database)
        GroupCommit(database).run(lambda connection: None)
    except StoreReplaced as refused:
        return refused
    with closing(connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM halts").fetchone()[0])


def test_a_commit_that_was_called_durable_is_there_after_any_loss(writer: Writer, tmp_path: Path) -> None:
    first = writer.run(3)
    assert len(first.durable) == 3
    assert lost_commits(first, tmp_path / "left", every=40, fates=[Fate.NOTHING, Fate.SECTORS]) == []
    second = writer.run(5)
    second.durable[:0] = first.durable
    assert lost_commits(second, tmp_path / "left", every=2, fates=[Fate.NOTHING, Fate.SECTORS]) == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_commit_that_is_not_synced_is_seen_to_be_lost(
    writer: Writer, tmp_path: Path, synchronous: str
) -> None:
    writer.run(1)
    written = writer.run(3, synchronous)
    assert len(written.durable) == 3
    assert lost_commits(written, tmp_path / "left", every=2, fates=[Fate.NOTHING])


def test_a_kill_before_the_sync_and_a_loss_after_the_next_start(writer: Writer, tmp_path: Path) -> None:
    """The next process reads the commit that was written and not synced; no note of it may be ahead of the disk."""
    writer.run(1)
    killed_at = records_before_the_sync(writer)
    written = writer.run(1, killed_at=killed_at)
    written.records = written.records[: killed_at + 8]
    chance = random.Random(1)
    refused = []
    for count, disk in written.moments(first=killed_at):
        for fate in [Fate.SECTORS] * 8:
            folder = tmp_path / "left"
            shutil.rmtree(folder, ignore_errors=True)
            write_folder(folder, disk.lose(fate, chance), chance)
            there = commits_in(folder / "orders.db")
            refused += [f"after record {count}: {there}"] if isinstance(there, StoreReplaced) else []
    assert refused == []


def records_before_the_sync(writer: Writer) -> int:
    """How many records a run makes until its first commit is written and not synced."""
    records = writer.run(1).records
    ends = [number for number, each in enumerate(records) if each.kind is Kind.SYNC_END]
    frames = [number for number, each in enumerate(records) if each.path == "orders.db-wal" and each.data]
    return next(end for end in ends if frames[1] < end)
