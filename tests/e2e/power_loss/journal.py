"""The journal that `shim.c` writes: each change below one folder and each sync, in the order in which they happened."""

import enum
import os
import shutil
import struct
import subprocess
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from pathlib import Path

HERE = Path(__file__).parent
_HEADER = struct.Struct("=6I3Q")
_MAGIC = 0x4C57504F
_COUNT, _OFF_AT, _SYNC_US = 0, 8, 16  # where they lie in the shim's `struct control`
_NUMBER = struct.Struct("=Q")


class Kind(enum.IntEnum):
    """What happened."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    RENAME = 4
    UNLINK = 5
    MKDIR = 6
    RMDIR = 7
    LINK = 8
    SYNC_BEGIN = 9
    SYNC_END = 10


NAMES = frozenset({Kind.CREATE, Kind.RENAME, Kind.UNLINK, Kind.MKDIR, Kind.RMDIR, Kind.LINK})
"""The kinds that change a directory."""


@dataclass(frozen=True, slots=True)
class Record:
    """One change.

    Attributes:
        at: nanoseconds of the real-time clock when it was made.
        inode: whose content it is about.
        offset: of a WRITE; the new size of a TRUNCATE; of a SYNC_END how many records there were when it began.
        path: below the folder; empty for the folder itself, and for a write through mapped memory.
        data: of a WRITE; the new path of a RENAME or LINK.
    """

    kind: Kind
    at: int
    inode: int
    offset: int
    path: str
    data: bytes = b""
    pid: int = 0


class BrokenJournal(Exception):
    """The journal is not what the shim writes: nothing can be concluded from it."""


def read(path: Path) -> list[Record]:
    """All records; one that a kill cut short at the end is none.

    Raises:
        BrokenJournal: something else lies between two records.
    """
    return list(_records(path.read_bytes()))


def _records(content: bytes) -> Iterator[Record]:
    start = 0
    while start + _HEADER.size <= len(content):
        magic, kind, pid, path_size, data_size, _, at, inode, offset = _HEADER.unpack_from(content, start)
        if magic != _MAGIC:
            raise BrokenJournal(f"no record begins at byte {start}")
        middle = start + _HEADER.size + path_size
        end = middle + data_size
        if end > len(content):
            return
        path = content[start + _HEADER.size : middle].decode()
        yield Record(Kind(kind), at, inode, offset, path, content[middle:end], pid)
        start = end


def before(records: Sequence[Record], at: int) -> int:
    """How many records had been made at that time (nanoseconds)."""
    return bisect_left(records, at, key=lambda record: record.at)


class Shim:
    """What is preloaded, with a journal and a switch for the power of its own."""

    def __init__(self, library: Path, folder: Path, journal: Path, *, sync_us: int = 3000) -> None:
        """Watch that folder.

        Args:
            journal: is made; beside it a file for the switch.
            sync_us: microseconds that each fsync takes.
        """
        self._library, self._folder, self.journal = library, folder.resolve(), journal
        self._control = journal.with_name(journal.name + ".control")
        self._control.write_bytes(bytes(4096))
        with self._control.open("r+b") as file:
            self._memory = mmap(file.fileno(), 4096)
        _NUMBER.pack_into(self._memory, _SYNC_US, sync_us)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be watched."""
        return {
            "LD_PRELOAD": str(self._library),
            "POWER_LOSS_FOLDER": str(self._folder),
            "POWER_LOSS_JOURNAL": str(self.journal),
            "POWER_LOSS_CONTROL": str(self._control),
        }

    @property
    def count(self) -> int:
        """How many records there are now."""
        return int(_NUMBER.unpack_from(self._memory, _COUNT)[0])

    def cut(self, records_ahead: int) -> None:
        """Kill every process of the group, at the latest instead of the record after so many more."""
        _NUMBER.pack_into(self._memory, _OFF_AT, self.count + 1 + records_ahead)

    def mend(self) -> None:
        """Let processes that are started now go on."""
        _NUMBER.pack_into(self._memory, _OFF_AT, 0)


class NoCompiler(Exception):
    """The shim cannot be made here."""


@cache
def compiled(folder: Path) -> Path:
    """Compile the shim into that folder; as root in CI a compiler is installed where there is none.

    Raises:
        NoCompiler: says why.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or _installed()
    library = folder / "power_loss.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "shim.c"), "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoCompiler(f"the shim does not compile here: {done.stderr}")
    return library


def _installed() -> str:
    if os.environ.get("CI") != "true" or os.geteuid() or not shutil.which("apt-get"):
        raise NoCompiler("no C compiler (to have one: apt install gcc libc6-dev)")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = (
        "apt-get -qq update && apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "
    )
    done = subprocess.run(
        ["sh", "-c", f"{install} gcc libc6-dev"], env=quiet, capture_output=True, text=True, check=False
    )
    found = shutil.which("gcc")
    if found is None:
        raise NoCompiler(f"no C compiler, and none could be installed: {done.stdout}{done.stderr}")
    return found
