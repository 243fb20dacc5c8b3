"""A database that is replaced, copied over, removed or damaged while it is in use is not written to any more."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import StoreReplaced
from domain.states import Phase
from persistence.sqlite import identity
from persistence.sqlite.database import checkpoint_wal
from persistence.sqlite.identity import IdentityFile, read_main_file, witness_path
from persistence.sqlite.migrations import migrate
from persistence.sqlite.repository import OrderRepository
from tests.persistence.making import Maker


def _copy(source: Path, target: Path) -> None:
    """A copy as a backup makes it: whole, without the log."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _empty_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture
def maker(tmp_path):
    made = Maker(tmp_path / "orders.db")
    made.order("A1", Phase.REGISTERED)
    yield made
    made.store.close()


@pytest.fixture
def older(maker, tmp_path):
    """A copy of before the last alert."""
    path = tmp_path / "older.db"
    _copy(maker.path, path)
    maker.order("A2", Phase.REGISTERED)
    return path


def _another(maker) -> OrderRepository:
    return OrderRepository(maker.path, clock=maker.clock, render=lambda notice: str(notice.kind))


def _count(path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM alerts").fetchone()[0]


def test_a_file_moved_into_its_place_is_not_written_to(maker, older):
    os.replace(older, maker.path)
    with pytest.raises(StoreReplaced, match=r"restore FILE"):
        maker.order("A3", Phase.REGISTERED)
    with pytest.raises(StoreReplaced):
        maker.order("A3", Phase.REGISTERED)
    assert maker.store.replaced


def test_a_process_that_has_not_written_for_long_knows_how_far_others_came(maker, older):
    idle = _another(maker)  # opened, never written
    _empty_log(maker.path)
    shutil.copyfile(older, maker.path)  # over the same inode
    with pytest.raises(StoreReplaced, match="older copy"):
        idle.save_heartbeats([])
    assert _count(maker.path) == 1


@pytest.mark.parametrize("checkpointed", [True, False])
def test_an_older_copy_over_the_same_inode_is_found_behind_the_log(maker, tmp_path, checkpointed):
    older = tmp_path / "older.db"
    checkpoint_wal(maker.path)
    _copy(maker.path, older)
    maker.order("A2", Phase.REGISTERED)
    if checkpointed:
        checkpoint_wal(maker.path)
    maker.store.look()
    with closing(sqlite3.connect(older)) as connection:  # a copy that lies further back than any log reaches
        connection.execute("UPDATE database_identity SET generation = 0")
        connection.commit()
    shutil.copyfile(older, maker.path)
    with pytest.raises(StoreReplaced):
        maker.order("A3", Phase.REGISTERED)


def test_another_database_over_the_same_inode_is_found(maker, tmp_path):
    migrate(tmp_path / "other.db")  # with an identity of its own
    other = Maker(tmp_path / "other.db")
    for index in range(9):
        other.order(f"B{index}", Phase.REGISTERED)
    other.store.close()
    checkpoint_wal(other.path)
    shutil.copyfile(other.path, maker.path)
    with pytest.raises(StoreReplaced):
        maker.order("A3", Phase.REGISTERED)


def test_a_removed_database_is_not_written_to_through_the_handle_that_lives_on(maker):
    maker.path.unlink()
    with pytest.raises(StoreReplaced, match="removed"):
        maker.order("A2", Phase.REGISTERED)


@pytest.mark.parametrize("size", [0, 50, 4096])
def test_a_truncated_database_stops_the_process_that_writes(maker, size):
    checkpoint_wal(maker.path)
    os.truncate(maker.path, size)
    with pytest.raises(StoreReplaced):
        maker.order("A2", Phase.REGISTERED)


def test_a_malformed_database_stops_the_process_that_writes(maker):
    checkpoint_wal(maker.path)
    with open(maker.path, "r+b") as file:
        file.write(b"no database any more" * 400)
    with pytest.raises(StoreReplaced, match=r"damaged|cannot be read"):
        maker.order("A2", Phase.REGISTERED)


def test_the_checkpoint_does_not_mix_a_log_into_a_file_that_is_not_its_own(maker, older):
    maker.store.look()
    shutil.copyfile(older, maker.path)
    with closing(sqlite3.connect(older)) as connection:
        connection.execute("UPDATE database_identity SET id = 'another'")
        connection.commit()
    shutil.copyfile(older, maker.path)
    with pytest.raises(StoreReplaced):
        maker.store.look()


def test_commits_and_checkpoints_of_several_processes_are_no_replacement(maker):
    other = _another(maker)
    for index in range(40):
        (maker.store, other)[index % 2].save_heartbeats([])
        if index % 7 == 0:
            checkpoint_wal(maker.path)
        maker.store.look()
    other.close()


def test_an_older_copy_is_refused_at_the_start_too(maker, older):
    maker.store.close()
    _empty_log(maker.path)
    os.replace(older, maker.path)
    with pytest.raises(StoreReplaced, match="older copy"):
        migrate(maker.path)


def test_a_database_that_was_moved_with_its_folder_starts(maker, tmp_path):
    maker.store.close()
    _empty_log(maker.path)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in (maker.path, witness_path(maker.path)):
        shutil.copy(file, moved / file.name)
    migrate(moved / maker.path.name)


def test_a_database_that_is_gone_is_made_anew_at_the_start(maker):
    maker.store.close()
    maker.path.unlink()
    migrate(maker.path)
    _another(maker).save_heartbeats([])


def test_each_commit_grows_the_generation_and_all_processes_see_it(maker):
    checkpoint_wal(maker.path)
    before = read_main_file(maker.path)
    _another(maker).save_heartbeats([])
    checkpoint_wal(maker.path)
    assert read_main_file(maker.path).generation == before.generation + 1


def test_a_replaced_database_is_no_reason_to_try_again_and_an_ordinary_failure_is(maker, monkeypatch):
    with pytest.raises(ValueError, match="the work itself"):
        maker.store.write(lambda tx: (_ for _ in ()).throw(ValueError("the work itself")))
    assert maker.store.replaced is None
    maker.order("A2", Phase.REGISTERED)


def test_a_commit_of_another_process_during_a_start_is_no_older_copy(maker, monkeypatch):
    """A watcher writes while a web server starts: what that reads of the database and beside it is of two moments."""
    commits = iter(range(10))
    fetch, read = identity._fetch, IdentityFile.read

    def commits_meanwhile() -> None:
        maker.order(f"B{next(commits)}", Phase.REGISTERED)

    def slow_fetch(connection, query):
        found = fetch(connection, query)
        if isinstance(connection, Starting):
            commits_meanwhile()
        return found

    def slow_read(self):
        noted = read(self)
        commits_meanwhile()
        return noted

    class Starting(sqlite3.Connection):
        """The connection of the process that starts."""

    with closing(sqlite3.connect(maker.path, factory=Starting)) as connection:
        monkeypatch.setattr(identity, "_fetch", slow_fetch)
        monkeypatch.setattr(IdentityFile, "read", slow_read)
        identity.check_at_start(maker.path, connection, is_new=False)
        monkeypatch.undo()
    with closing(sqlite3.connect(maker.path)) as connection:
        (newest,) = connection.execute("SELECT generation FROM database_identity").fetchone()
    assert IdentityFile(maker.path).generation == newest, "what others have recorded since is kept"
    maker.order("C1", Phase.REGISTERED)
