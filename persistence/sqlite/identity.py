"""Check that orders.db is still the database that this installation writes to.

Three things are compared before anything is written, inside the write transaction:

- The device and inode of the file and of its log. A rename, a removal or an rsync changes them.
- The identity in the database, and its generation, which grows with each commit. An older copy has a lower one.
- Both of them in the main file without its log, because a copy written over the same inode stays hidden behind the
  log. If the main file alone makes no sense, a checkpoint may not have finished. Then SQLite's own view decides
  (`damage`).

All processes share the newest generation in a small file beside the database, `orders.db.generation`, so that a
process that has not written for hours knows it too. The file is written after a commit, and at a start
after a sync. So it is never ahead of the database, not even on a disk that has lost its power.

Never open orders.db here with `os.open`: closing it would drop the locks that SQLite holds for this process.
"""

import mmap
import os
import sqlite3
import struct
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from domain.errors import StoreReplaced, StoreUnavailable
from persistence.sqlite.damage import cannot, damage, is_gone

_RECORD = struct.Struct("=QQQQ32s")  # generation, generation of the main file, device, inode, id
_NUMBER = struct.Struct("=Q")
_MAIN = 8  # offset of the second number
_GROW = "UPDATE database_identity SET generation = generation + 1 RETURNING id, generation"
_READ = "SELECT id, generation FROM database_identity"
HAS_IDENTITY = "SELECT 1 FROM sqlite_master WHERE name = 'database_identity'"
_TRIES, _PAUSE = 5, 0.01  # a checkpoint may be writing the main file while it is read

WHAT_TO_DO = (
    "stop Orderwatch, then put a database in place with `python cli.py restore FILE` (FILE may be orders.db itself, "
    "to keep what is there now); compare the broker's orders and positions before entries go on"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database it is, and how many commits it has seen."""

    id: str
    generation: int


class IdentityFile:
    """The file beside the database that shares its identity and generation between all processes."""

    def __init__(self, database: Path) -> None:
        handle = os.open(witness_path(database), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            missing = _RECORD.size - os.fstat(handle).st_size
            if missing > 0:
                # Write real bytes instead of only setting the size: on a full disk, a write to mapped memory without
                # disk space behind it ends the process.
                os.pwrite(handle, bytes(missing), _RECORD.size - missing)
            self._memory = mmap.mmap(handle, _RECORD.size)
        finally:
            os.close(handle)

    def read(self) -> tuple[Identity, tuple[int, int]] | None:
        """Return the identity and the device and inode of its file, or None if nothing was ever recorded."""
        generation, _, device, inode, id_ = _RECORD.unpack(self._memory[:])
        text = id_.rstrip(b"\0").decode("ascii", "replace")
        return (Identity(text, generation), (device, inode)) if text else None

    def note(self, identity: Identity, place: tuple[int, int]) -> None:
        """Record the identity and the device and inode of its file."""
        self._memory[:] = _RECORD.pack(identity.generation, 0, *place, identity.id.encode("ascii"))

    def grow(self, generation: int) -> None:
        """Record the generation of a commit, unless a newer one is recorded."""
        if self.generation < generation:
            _NUMBER.pack_into(self._memory, 0, generation)

    def grow_main(self, generation: int) -> None:
        """Record the generation of the main file without its log, unless a newer one is recorded."""
        if self.main_generation < generation:
            _NUMBER.pack_into(self._memory, _MAIN, generation)

    @property
    def main_generation(self) -> int:
        """The newest generation that any process has seen in the main file."""
        return int(_NUMBER.unpack_from(self._memory, _MAIN)[0])

    @property
    def generation(self) -> int:
        """The newest generation that any process has committed."""
        return int(_NUMBER.unpack_from(self._memory)[0])


def witness_path(database: Path) -> Path:
    """Return the path of `orders.db.generation`."""
    return database.with_name(database.name + ".generation")


def restoring_path(database: Path) -> Path:
    """`orders.db.restoring`: a copy on its way into the database's place."""
    return database.with_name(database.name + ".restoring")


def noted_id(database: Path) -> str:
    """Return the start of the recorded database id, for a health check, or "" if none was recorded yet."""
    noted = IdentityFile(database).read() if witness_path(database).exists() else None
    return noted[0].id[:12] if noted else ""


class IdentityGuard:
    """Refuses to write to a database that is not, or is no longer, the one that this process knows."""

    def __init__(self, database: Path) -> None:
        self._path = database
        self._wal = database.with_name(database.name + "-wal")
        self._witness: IdentityFile | None = None
        self._known: Identity | None = None
        self._place: tuple[int, int] | None = None
        self._log_place: tuple[int, int] | None = None
        self._changed_at = 0
        self._grown = 0
        self._size = 0  # of the main file, when it last passed the check

    @property
    def commits(self) -> int:
        """How many commits any process is known to have made."""
        return self._witness.generation if self._witness is not None else 0

    def opened(self) -> None:
        """Note that a new connection was opened: its log may be a new file, the database may not."""
        self._log_place = None

    def enter(self, connection: sqlite3.Connection) -> None:
        """Check the database before the first write of a transaction that has begun, and increment the generation.

        Raises:
            StoreReplaced: nothing may be written.
            StoreUnavailable: whether anything may be written cannot be determined at present.
            sqlite3.Error: as any statement.
        """
        if self._known is None:
            self._meet(connection)
        file = self._look_at_files()
        if self._known is None:
            return  # a file without an identity is not one of our databases
        found = _fetch(connection, _GROW)
        if found is None or found.id != self._known.id:
            raise _replaced(self._path, "it is another database than before")
        newest = max(self._known.generation, self._witness.generation if self._witness else 0)
        if found.generation <= newest:
            raise _replaced(
                self._path, f"it is an older copy: commit {found.generation - 1}, {newest} were made"
            )
        if file.st_ctime_ns != self._changed_at:
            self._look_behind_the_log(file)
        self._grown = found.generation

    def look(self) -> None:
        """Check only the files. Before the first transaction there is nothing to compare them with.

        Raises:
            StoreReplaced: nothing may be written, and the log must not be checkpointed into the main file.
            StoreUnavailable: whether that is so cannot be determined at present.
        """
        if self._known is not None:
            self._look_behind_the_log(self._look_at_files())

    def committed(self) -> None:
        """Record the generation of a durable transaction. A lower one must never be seen again."""
        if self._known is not None and self._witness is not None:
            self._known = Identity(self._known.id, self._grown)
            self._witness.grow(self._grown)

    def _meet(self, connection: sqlite3.Connection) -> None:
        """Learn the identity in this process's first transaction, from what other processes have recorded."""
        try:
            has_table = connection.execute(HAS_IDENTITY).fetchone() is not None
            noted = IdentityFile(self._path).read() if witness_path(self._path).exists() else None
            if not has_table and noted is None:
                self._place = self._place or _place(self._path)
                return
            found = _fetch(connection, _READ) if has_table else None
            if found is None:
                raise _replaced(self._path, "it has no identity")
            self._witness = IdentityFile(self._path)
            place = _place(self._path)
            if noted is None:
                _sync_log(self._path)
                noted = (found, place)
                self._witness.note(*noted)
            self._known, self._place = noted
        except OSError as error:
            raise self._not_found(error, f"its files cannot be looked at: {error}") from error

    def _look_at_files(self) -> os.stat_result:
        """Check that the paths still lead to the files that are open here. Return the main file's stat."""
        try:
            found, log = os.stat(self._path), os.stat(self._wal)
        except OSError as error:
            raise self._not_found(error, f"it was removed while it was in use ({error.strerror})") from error
        if (found.st_dev, found.st_ino) != self._place:
            raise _replaced(self._path, "another file lies in its place")
        log_place = (log.st_dev, log.st_ino)
        if self._log_place is None:
            self._log_place = log_place
        elif log_place != self._log_place:
            raise _replaced(self._path, "another log (-wal) lies in its place")
        return found

    def _look_behind_the_log(self, file: os.stat_result) -> None:
        """Check the main file without its log.

        A copy written over the same file shows there, while the log still shows the previous content.
        """
        newest = self._witness.main_generation if self._witness else 0  # read before the file: it only grows
        try:
            found = read_main_file(self._path)
        except StoreReplaced as error:
            self._look_with_the_log(file, error)
            self._changed_at = file.st_ctime_ns
            return
        if self._known is None or found.id != self._known.id:
            raise _replaced(self._path, "another database was copied over it")
        if found.generation < newest:
            raise _replaced(self._path, "an older copy was written over it")
        if self._witness is not None:
            self._witness.grow_main(found.generation)
        self._size, self._changed_at = file.st_size, file.st_ctime_ns

    def _look_with_the_log(self, file: os.stat_result, alone: StoreReplaced) -> None:
        """Check the database together with its log, because the main file alone makes no sense.

        Part of the log may still have to be checkpointed into the main file.
        """
        newest = self.commits  # read before the check: it only grows
        if file.st_size < self._size:
            raise alone  # a checkpoint makes the file longer, never shorter

        def check(connection: sqlite3.Connection) -> str | None:
            found = _fetch(connection, _READ)
            if found is None or self._known is None or found.id != self._known.id:
                return "another database was copied over it"
            return "an older copy was written over it" if found.generation < newest else None

        why = damage(self._path, check)
        if why is not None:
            raise _replaced(self._path, why) from alone

    def _not_found(self, error: OSError, why: str) -> StoreUnavailable:
        """Return the error for a file that could not be read.

        A file that does not exist was removed. A file that could not be accessed may still be there.
        """
        return _replaced(self._path, why) if is_gone(error) else cannot(self._path, error)


def judged(path: Path, error: Exception) -> StoreUnavailable:
    """Return the error for a database that SQLite called malformed.

    It counts as damaged only if it stays malformed.
    """
    try:
        why = damage(path, lambda connection: None if _fetch(connection, _READ) else "it has no identity")
    except StoreUnavailable as unclear:
        return unclear
    return cannot(path, error) if why is None else _replaced(path, why)


def read_main_file(path: Path) -> Identity:
    """Return the identity in the main file, as the last checkpoint left it.

    Raises:
        StoreReplaced: the file is truncated, malformed, or not one of our databases.
    """
    why = ""
    for _ in range(_TRIES):
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as connection:
                pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
                size = int(connection.execute("PRAGMA page_size").fetchone()[0])
                found = _fetch(connection, _READ)
            if found is not None and path.stat().st_size >= pages * size:
                return found
            why = "it is truncated" if found is not None else "it has no identity"
        except (sqlite3.Error, OSError) as error:
            why = f"it cannot be read ({error})"
        time.sleep(_PAUSE)
    raise _replaced(path, why)


def check_at_start(path: Path, connection: sqlite3.Connection, *, is_new: bool) -> None:
    """Compare the database with the one that was last written to, and record its device and inode.

    Raises:
        StoreReplaced: another database, an older copy, or one without an identity is in its place.
    """
    witness = IdentityFile(path)
    # Before the database is read: another process may commit in between, and records it afterwards.
    noted = witness.read()
    found = _fetch(connection, _READ)
    if found is None:
        raise _replaced(path, "it has no identity")
    if noted is not None and not is_new:
        before = noted[0]
        if found.id != before.id:
            raise _replaced(path, "it is another database than before")
        if found.generation < before.generation:
            raise _replaced(
                path, f"it is an older copy: commit {found.generation}, {before.generation} were made"
            )
    _sync_log(path)
    if noted is not None and noted[0].id == found.id:
        found = replace(found, generation=max(found.generation, witness.generation))
    witness.note(found, _place(path))


def _sync_log(path: Path) -> None:
    """Bring all commits that can be read to the disk, before a note of them may get there.

    A process that is killed inside a COMMIT has written it and not synced it; SQLite shows it to the next one all the
    same. Where there is no log, the checkpoint that removed it has synced the main file.
    """
    with suppress(FileNotFoundError):
        sync(path.with_name(path.name + "-wal"))
    sync(path.absolute().parent)


def sync(place: Path) -> None:
    """Bring a file, or the names in a folder, to the disk. Never orders.db itself: see above."""
    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fetch(connection: sqlite3.Connection, query: str) -> Identity | None:
    rows = connection.execute(query).fetchall()
    return Identity(str(rows[0][0]), int(rows[0][1])) if len(rows) == 1 else None


def _place(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _replaced(path: Path, why: str) -> StoreReplaced:
    return StoreReplaced(f"{path.absolute()} is not the database that was in use: {why}; {WHAT_TO_DO}")
