"""A restore that the power ends leaves the old database, the copy, or a start that is refused: never an empty one."""

import random
import shutil
from pathlib import Path

from domain.errors import StoreReplaced
from persistence.sqlite.restore import backup
from tests.e2e.power_loss.disk import Fate, write_folder
from tests.e2e.power_loss.journal import Kind
from tests.e2e.power_loss.small_run import Writer, commits_in

_WRITE_AND_LEAVE_THE_LOG = """
import os, sys
from pathlib import Path
from tests.e2e.power_loss.writer import main
main(Path(sys.argv[1]), 3, None)
os._exit(0)
"""
_RESTORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from persistence.sqlite.restore import restore
restore(Path(sys.argv[1]), Path(sys.argv[2]), datetime.now(UTC))
"""


def test_a_loss_within_a_restore_leaves_one_database_or_the_other(writer: Writer, tmp_path: Path) -> None:
    writer.run(2)
    copy = tmp_path / "copy.db"
    backup(writer.database, copy)
    writer.watch("-c", _WRITE_AND_LEAVE_THE_LOG, str(writer.database))
    written = writer.watch("-c", _RESTORE, str(writer.database), str(copy))
    first = next(n for n, each in enumerate(written.records) if each.kind is Kind.RENAME)
    chance, folder = random.Random(1), tmp_path / "left"
    found: list[int | StoreReplaced] = []
    for _, disk in written.moments(first):
        for fate in (Fate.NOTHING, Fate.ALL, Fate.SECTORS):
            shutil.rmtree(folder, ignore_errors=True)
            write_folder(folder, disk.lose(fate, chance), chance)
            found.append(commits_in(folder / "orders.db"))
    assert {each for each in found if isinstance(each, int)} == {2, 5}
    refused = [str(each) for each in found if isinstance(each, StoreReplaced)]
    assert all("cli.py restore" in words for words in refused)
    assert any("a restore did not end" in words for words in refused)
