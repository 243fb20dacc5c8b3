"""A copy is put in the place of orders.db only while nobody uses it, and is then the database that goes on."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import StoreReplaced
from domain.states import Phase
from persistence.sqlite.identity import read_main_file
from persistence.sqlite.migrations import migrate
from persistence.sqlite.restore import CannotRestore, backup, restore
from tests.persistence.making import Maker

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
_ROOT = Path(__file__).resolve().parents[2]
_HOLDS = """
import sys, sqlite3
c = sqlite3.connect(sys.argv[1]); c.execute("SELECT count(*) FROM alerts").fetchall()
print("open", flush=True); sys.stdin.read()
"""
_WRITES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.persistence.making import Maker, Phase
m = Maker(Path(sys.argv[1]))
for name in sys.argv[3:]:
    m.order(name, Phase.REGISTERED)
m.store.close()
"""


def _write(path: Path, *names: str) -> None:
    """In a process of its own: this one must have no connection to a file that is restored."""
    subprocess.run([sys.executable, "-c", _WRITES, path, _ROOT, *names], check=True)


def _alerts(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT alert_id FROM alerts ORDER BY 1")]


@pytest.fixture
def copied(tmp_path):
    database, copy = tmp_path / "orders.db", tmp_path / "copy.db"
    _write(database, "A1")
    backup(database, copy)
    _write(database, "A2")
    return database, copy


def test_a_copy_is_restored_and_written_to(copied):
    database, copy = copied
    before = read_main_file(database)
    kept = restore(database, copy, AT)
    after = read_main_file(database)
    assert _alerts(database) == ["A1"] and kept is not None and _alerts(kept) == ["A1", "A2"]
    assert after.id != before.id and after.generation > before.generation
    _write(database, "A3")
    assert _alerts(database) == ["A1", "A3"]


def test_nothing_is_restored_while_a_process_has_the_database_open(copied):
    database, copy = copied
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"open\n"
        with pytest.raises(CannotRestore, match=r"has .* open"):
            restore(database, copy, AT)
        holder.communicate()
    assert _alerts(database) == ["A1", "A2"]
    restore(database, copy, AT)


def test_nothing_is_restored_while_a_watcher_runs(copied):
    database, copy = copied
    maker = Maker(database.with_name("elsewhere.db"))
    folder = maker.path.with_name(maker.path.name + ".watchers")
    maker.store.claimants.enter("w-1")
    folder.rename(database.with_name(database.name + ".watchers"))
    with pytest.raises(CannotRestore, match="w-1 runs"):
        restore(database, copy, AT)


def test_what_is_no_whole_database_is_not_restored(copied, tmp_path):
    database, copy = copied
    for index, content in enumerate((b"", b"no database" * 500, copy.read_bytes()[:20_000])):
        bad = tmp_path / f"bad{index}.db"
        bad.write_bytes(content)
        with pytest.raises((CannotRestore, sqlite3.Error)):
            restore(database, bad, AT)
    assert _alerts(database) == ["A1", "A2"]


def test_an_older_copy_put_there_by_hand_is_taken_as_it_is_when_that_is_said(copied):
    database, copy = copied
    shutil.copyfile(copy, database)
    restore(database, database, AT)
    migrate(database)
    assert _alerts(database) == ["A1"]


def test_a_backup_replaces_no_file(copied):
    database, copy = copied
    with pytest.raises(CannotRestore, match="exists"):
        backup(database, copy)


def test_a_backup_holds_what_still_stands_in_the_log(tmp_path):
    maker = Maker(tmp_path / "orders.db")
    maker.order("A1", Phase.REGISTERED)
    backup(maker.path, tmp_path / "copy.db")
    assert _alerts(tmp_path / "copy.db") == ["A1"]


def test_a_copy_of_a_newer_program_leaves_the_database_in_its_place(copied):
    database, copy = copied
    before = _alerts(database)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('orderwatch', 'of_tomorrow', '2027-01-01')"
        )
    with pytest.raises(CannotRestore, match="of_tomorrow"):
        restore(database, copy, AT)
    assert _alerts(database) == before
    assert [p.name for p in database.parent.glob("*before*")] == []


def test_nothing_begins_anew_where_a_restore_did_not_end(copied):
    database, copy = copied
    shutil.copy(copy, database.with_name("orders.db.restoring"))
    database.rename(database.with_name("orders.db.before-then"))
    with pytest.raises(StoreReplaced, match="a restore did not end"):
        migrate(database)
    assert not database.exists()
    restore(database, copy, AT)
    assert _alerts(database) == ["A1"]


def test_a_log_that_an_interrupted_restore_left_does_not_become_the_copys(copied):
    database, copy = copied
    log = database.with_name("orders.db-wal")
    with closing(sqlite3.connect(database)) as holds:  # so that the log stays
        holds.execute("SELECT count(*) FROM alerts").fetchall()
        _write(database, "A3")
        left = log.read_bytes()
    database.unlink()
    log.write_bytes(left)
    assert restore(database, copy, AT) is None
    assert _alerts(database) == ["A1"]
    assert database.with_name("orders.db.before-20261121T100000Z-wal").read_bytes() == left
