"""One small program under the shim, and what its next start finds on a folder that a loss has left."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from domain.errors import StoreReplaced
from persistence.sqlite.database import GroupCommit, connect
from persistence.sqlite.migrations import migrate
from tests.e2e.power_loss import journal
from tests.e2e.power_loss.disk import Disk, Names, read_folder
from tests.e2e.power_loss.journal import Record, Shim
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

    @property
    def database(self) -> Path:
        """What it writes to."""
        return self._data / "orders.db"

    def run(self, commits: int, *planted: str, killed_at: int | None = None) -> Written:
        """Run it on what is there; with `killed_at` everything ends at that record, and the writer is run again."""
        words = ("-m", "tests.e2e.power_loss.writer", str(self.database), str(commits), *planted)
        return self.watch(*words, killed_at=killed_at)

    def watch(self, *words: str, killed_at: int | None = None) -> Written:
        """The same of any other Python program; a line of its output is a number that it calls durable."""
        self._runs += 1
        start = read_folder(self._data)
        shim = Shim(self._library, self._data, self._folder / f"journal{self._runs}")
        durable = []
        if killed_at is not None:
            shim.cut(killed_at)
            durable += self._once(shim, words)
            shim.mend()
        durable += self._once(shim, words)
        return Written(start, journal.read(shim.journal), durable)

    def _once(self, shim: Shim, words: Sequence[str]) -> list[tuple[int, int]]:
        with subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env={**os.environ, **shim.environment},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            return [(time.time_ns(), int(line)) for line in process.stdout]


def commits_in(database: Path) -> int | StoreReplaced:
    """How many commits the program finds at its next start, or why it does not start."""
    try:
        migrate(database)
        GroupCommit(database).run(lambda connection: None)
    except StoreReplaced as refused:
        return refused
    with closing(connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM halts").fetchone()[0])
