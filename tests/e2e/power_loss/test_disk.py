"""What a disk may hold after a loss: what was synced, whole, and of the rest anything."""

import random

import pytest

from tests.e2e.power_loss.disk import SECTOR, Disk, Fate, Names
from tests.e2e.power_loss.journal import Kind, Record

EVERY = [(names, fate) for names in Names for fate in Fate]


class Journal:
    """A made-up journal: `a` is inode 1, `b` inode 2."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, kind: Kind, path: str, *, offset: int = 0, data: bytes = b"") -> int:
        self.records.append(
            Record(kind, len(self.records), {"a": 1, "b": 2}.get(path, 9), offset, path, data)
        )
        return len(self.records) - 1

    def write(self, path: str, data: bytes, offset: int = 0) -> None:
        self.add(Kind.WRITE, path, offset=offset, data=data)

    def sync(self, path: str) -> None:
        began = self.add(Kind.SYNC_BEGIN, path)
        self.add(Kind.SYNC_END, path, offset=began)

    def lost(self, names: Names, fate: Fate, seed: int = 0, **start: bytes) -> dict[str, bytes | None]:
        inodes = {"a": 1, "b": 2}
        disk = Disk({path: (inodes[path], content) for path, content in start.items()}, names)
        disk.play(self.records)
        return disk.lose(fate, random.Random(seed))


@pytest.mark.parametrize(("names", "fate"), EVERY)
def test_what_was_synced_is_there(names: Names, fate: Fate) -> None:
    journal = Journal()
    journal.write("a", b"new")
    journal.sync("a")
    for seed in range(20):
        assert journal.lost(names, fate, seed, a=b"older") == {"a": b"newer"}


def test_what_was_not_synced_is_there_or_not() -> None:
    journal = Journal()
    journal.write("a", b"new")
    assert journal.lost(Names.IN_ORDER, Fate.NOTHING, a=b"old") == {"a": b"old"}
    assert journal.lost(Names.IN_ORDER, Fate.ALL, a=b"old") == {"a": b"new"}


def test_a_sync_that_has_not_ended_makes_nothing_durable() -> None:
    journal = Journal()
    journal.write("a", b"new")
    journal.add(Kind.SYNC_BEGIN, "a")
    assert journal.lost(Names.IN_ORDER, Fate.NOTHING, a=b"old") == {"a": b"old"}


def test_what_is_written_during_a_sync_is_not_made_durable_by_it() -> None:
    journal = Journal()
    began = journal.add(Kind.SYNC_BEGIN, "a")
    journal.write("a", b"new")
    journal.add(Kind.SYNC_END, "a", offset=began)
    assert journal.lost(Names.IN_ORDER, Fate.NOTHING, a=b"old") == {"a": b"old"}


def test_a_write_is_torn_between_sectors_and_never_within_one() -> None:
    journal = Journal()
    journal.write("a", b"x" * 3 * SECTOR)
    seen = {journal.lost(Names.IN_ORDER, Fate.SECTORS, seed, a=b"." * 3 * SECTOR)["a"] for seed in range(200)}
    expected = {b"".join(bytes([byte]) * SECTOR for byte in kinds) for kinds in _all_of(b".x", 3)}
    assert seen == expected


def _all_of(kinds: bytes, length: int) -> list[bytes]:
    return (
        [bytes([kind]) + rest for kind in kinds for rest in _all_of(kinds, length - 1)] if length else [b""]
    )


def test_a_file_that_was_cut_and_not_synced_may_have_its_old_end() -> None:
    journal = Journal()
    journal.add(Kind.TRUNCATE, "a", offset=1)
    seen = {journal.lost(Names.IN_ORDER, Fate.SECTORS, seed, a=b"old")["a"] for seed in range(50)}
    assert seen == {b"old", b"o"}


def test_a_new_file_needs_its_folder_synced_where_only_that_counts() -> None:
    journal = Journal()
    journal.add(Kind.CREATE, "a")
    journal.write("a", b"new")
    journal.sync("a")
    assert journal.lost(Names.IN_ORDER, Fate.NOTHING) == {"a": b"new"}
    assert journal.lost(Names.BY_DIRECTORY, Fate.NOTHING) == {}
    journal.sync("")
    assert journal.lost(Names.BY_DIRECTORY, Fate.NOTHING) == {"a": b"new"}


def test_a_removed_file_may_come_back() -> None:
    journal = Journal()
    journal.add(Kind.UNLINK, "a")
    assert journal.lost(Names.IN_ORDER, Fate.NOTHING, a=b"old") == {"a": b"old"}
    journal.sync("")
    assert journal.lost(Names.IN_ORDER, Fate.NOTHING, a=b"old") == {}


def test_a_rename_is_whole() -> None:
    journal = Journal()
    journal.add(Kind.RENAME, "b", data=b"a")
    for names in Names:
        seen = [journal.lost(names, Fate.SECTORS, seed, a=b"old", b=b"new") for seed in range(50)]
        assert {tuple(sorted(each.items())) for each in seen} == {
            (("a", b"old"), ("b", b"new")),
            (("a", b"new"),),
        }
