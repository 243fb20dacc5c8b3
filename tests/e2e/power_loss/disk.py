"""What a disk may hold after the power has gone, given the journal of all changes before.

What is assumed of the file system, and nothing more:

- An fsync or fdatasync of a file makes durable what was written to it before that began, once it has ended: content
  and size. What was written through mapped memory counts as written; the kernel may also write it out unasked.
- Of what was not synced any part may be there: nothing, all, the first writes, or any 512-byte sectors of any writes. A
  sector is whole. What lies between is zeros.
- Names (creation, rename, removal) are made durable in one of two ways, both of which are tried:
  `Names.IN_ORDER`, as ext4 and XFS do it: one log of all changes, so that a later change of a name is never there
  without an earlier one, and an fsync of any file brings all names that were changed before it;
  `Names.BY_DIRECTORY`, as POSIX has it: an fsync of the directory alone does, and until then each change of a name is
  there or not by itself. A rename is whole in both.
- What was synced stays: no disk that lies.
"""

import enum
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.e2e.power_loss.journal import NAMES, Kind, Record

SECTOR = 512


class Names(enum.Enum):
    """What makes a changed name durable; see above."""

    IN_ORDER = "in order"
    BY_DIRECTORY = "by directory"


class Fate(enum.Enum):
    """What becomes of what was not synced."""

    NOTHING = "nothing"
    ALL = "all"
    FIRST = "the first writes"
    SECTORS = "any sectors"


@dataclass(eq=False, slots=True)
class _File:
    """A file, whatever its names: what is durable of it, and what else was written, with the number of its record."""

    content: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Record]] = field(default_factory=list)

    def synced(self, before: int) -> None:
        while self.pending and self.pending[0][0] < before:
            _apply(self.content, self.pending.pop(0)[1])

    def lost(self, fate: Fate, chance: random.Random) -> bytearray:
        content = bytearray(self.content)
        records = [record for _, record in self.pending]
        if fate is Fate.FIRST:
            records = records[: chance.randint(0, len(records))]
        if fate is not Fate.NOTHING:
            kept = chance.random()
            for record in records:
                if fate is not Fate.SECTORS:
                    _apply(content, record)
                elif record.kind is Kind.WRITE:
                    _tear(content, record, kept, chance)
                elif chance.random() < kept:
                    _apply(content, record)
        return content


def _apply(content: bytearray, record: Record) -> None:
    if record.kind is Kind.TRUNCATE:
        del content[record.offset :]
        content.extend(bytes(record.offset - len(content)))
        return
    content.extend(bytes(max(0, record.offset - len(content))))
    content[record.offset : record.offset + len(record.data)] = record.data


def _tear(content: bytearray, record: Record, kept: float, chance: random.Random) -> None:
    """Each sector that it touches is written, as likely as `kept`, or left as it was."""
    start, end = record.offset, record.offset + len(record.data)
    while start < end:
        stop = min(end, start - start % SECTOR + SECTOR)
        if chance.random() < kept:
            part = record.data[start - record.offset : stop - record.offset]
            _apply(content, Record(Kind.WRITE, 0, 0, start, "", part))
        start = stop


_Tree = dict[str, _File | None]  # None: a directory


@dataclass(frozen=True, slots=True)
class _Renaming:
    """A change of a name, and the file that it is about."""

    number: int
    record: Record
    file: _File | None

    def apply(self, tree: _Tree) -> None:
        path, other = self.record.path, self.record.data.decode(errors="replace")
        match self.record.kind:
            case Kind.UNLINK | Kind.RMDIR:
                tree.pop(path, None)
            case Kind.RENAME:
                tree.pop(path, None)
                tree[other] = self.file
            case Kind.LINK:
                tree[other] = self.file
            case _:
                tree[path] = self.file

    @property
    def folders(self) -> set[str]:
        """The directories that it changes; the empty one is the folder itself."""
        paths = [self.record.path]
        if self.record.kind in (Kind.RENAME, Kind.LINK):
            paths.append(self.record.data.decode())
        return {_parent(path) for path in paths}


class Disk:
    """The disk while the records of a journal are played to it; `lose` says what is left at any moment."""

    def __init__(self, start: Mapping[str, tuple[int, bytes]], names: Names) -> None:
        """A folder that holds these files: path to inode and content."""
        self._names = names
        self._number = 0
        self._by_inode: dict[int, _File] = {}
        self._tree: _Tree = {}  # as processes see it
        for path, (inode, content) in start.items():
            self._by_inode[inode] = self._tree[path] = _File(bytearray(content))
        self._durable: _Tree = dict(self._tree)
        self._pending: list[_Renaming] = []
        self._folder_of: dict[int, str] = {}  # a sync that goes on: which directory it is about

    def play(self, records: Sequence[Record]) -> None:
        """Let these happen, after all that happened before."""
        for record in records:
            self._play(record)
            self._number += 1

    def _play(self, record: Record) -> None:
        match record.kind:
            case Kind.WRITE | Kind.TRUNCATE:
                file = self._by_inode.get(record.inode)
                if file is None:  # written by a process that was there before the journal, or missed
                    raise AssertionError(f"record {self._number}: {record.path} was never created")
                file.pending.append((self._number, record))
            case Kind.SYNC_BEGIN:
                pass
            case Kind.SYNC_END:
                self._synced(record)
            case kind if kind in NAMES:
                self._rename(record)

    def _synced(self, record: Record) -> None:
        file = self._tree.get(record.path)
        is_folder = not record.path or file is None
        if not is_folder:
            self._by_inode[record.inode].synced(record.offset)
        left = []
        for change in self._pending:
            ours = record.path in change.folders if is_folder else False
            if change.number < record.offset and (ours or self._names is Names.IN_ORDER):
                change.apply(self._durable)
            else:
                left.append(change)
        self._pending = left

    def _rename(self, record: Record) -> None:
        if record.kind is Kind.CREATE:
            self._by_inode[record.inode] = new = _File()  # an inode may be used again
            change = _Renaming(self._number, record, new)
        else:
            change = _Renaming(self._number, record, self._tree.get(record.path))
        change.apply(self._tree)
        self._pending.append(change)

    def lose(self, fate: Fate, chance: random.Random) -> dict[str, bytes | None]:
        """What may be there if the power goes now: path to content, None for a directory."""
        changes = self._pending
        if fate is Fate.NOTHING:
            changes = []
        elif fate is Fate.FIRST or (fate is Fate.SECTORS and self._names is Names.IN_ORDER):
            changes = changes[: chance.randint(0, len(changes))]
        elif fate is Fate.SECTORS:
            kept = chance.random()
            changes = [change for change in changes if chance.random() < kept]
        tree = dict(self._durable)
        for change in changes:
            change.apply(tree)
        contents: dict[int, bytes] = {}
        for file in tree.values():
            if file is not None and id(file) not in contents:
                contents[id(file)] = bytes(file.lost(fate, chance))
        return {path: None if file is None else contents[id(file)] for path, file in tree.items()}


def _parent(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def read_folder(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The files that lie there: path to inode and content; SQLite's shared memory is none."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def write_folder(folder: Path, content: Mapping[str, bytes | None], chance: random.Random) -> None:
    """Make a folder that holds this. SQLite's shared memory is missing, or garbage: nobody may believe it."""
    folder.mkdir(parents=True)
    for path, data in content.items():
        target = folder / path
        if data is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o600)
        if path.endswith("-wal") and chance.random() < 0.3:
            (folder / (path[: -len("wal")] + "shm")).write_bytes(chance.randbytes(32 * 1024))
