"""A commit that was called durable survives a loss at any moment, and one that was not synced is seen to be lost."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain.errors import StoreReplaced
from tests.e2e.power_loss.disk import Fate, write_folder
from tests.e2e.power_loss.journal import Kind
from tests.e2e.power_loss.small_run import Writer, Written, commits_in


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
