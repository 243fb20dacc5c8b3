"""The store of instruments on SQLite and in memory keep one contract; and the files of the one on SQLite are whole."""

import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import StoreUnavailable
from domain.ports.instruments import InstrumentStore
from persistence.instruments import open_instruments
from persistence.memory.instruments import MemoryInstruments
from tests.contract.instruments_contract import FACTS, FUTURE, InstrumentsContract, accepted


class TestSqliteInstruments(InstrumentsContract):
    def make(self, folder: Path) -> InstrumentStore:
        return open_instruments(folder / "orders.db")


class TestMemoryInstruments(InstrumentsContract):
    def make(self, folder: Path) -> InstrumentStore:
        return MemoryInstruments()


def test_another_process_sees_a_new_master_at_once(tmp_path):
    """Each store is what another process would open."""
    one, other = (open_instruments(tmp_path / "orders.db") for _ in range(2))
    for day in range(3):
        one.load(replace(FACTS, day=FACTS.day + timedelta(days=day)), [FUTURE], accepted)
        master = other.current("paper")
        assert master is not None
        assert master.facts.day == FACTS.day + timedelta(days=day)


def test_what_a_death_left_is_no_master(tmp_path):
    store = open_instruments(tmp_path / "orders.db")
    store.load(FACTS, [FUTURE], accepted)
    half = tmp_path / "instruments" / f".paper-{FACTS.day + timedelta(days=1)}.db.77"
    half.write_bytes(b"half of it")
    assert [each.day for each in store.masters()] == [FACTS.day]
    master = store.current("paper")
    assert master is not None
    assert master.facts.day == FACTS.day
    for age, stays in ((60, True), (7200, False)):  # another load may be at it
        at = time.time() - age
        os.utime(half, (at, at))
        store.load(FACTS, [FUTURE], accepted)
        assert half.exists() == stays


def test_nothing_is_left_beside_the_masters(tmp_path):
    store = open_instruments(tmp_path / "orders.db")
    store.load(FACTS, [FUTURE], accepted)
    assert os.listdir(tmp_path / "instruments") == [f"paper-{FACTS.day}.db"]
    assert os.listdir(tmp_path) == ["instruments"]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + b"\x00" * 4096])
def test_a_file_that_is_no_master_is_unavailable_and_nothing_else(tmp_path, content):
    folder = tmp_path / "instruments"
    folder.mkdir()
    (folder / f"paper-{FACTS.day}.db").write_bytes(content)
    store = open_instruments(tmp_path / "orders.db")
    with pytest.raises(StoreUnavailable):
        store.current("paper")
    with pytest.raises(StoreUnavailable):
        store.masters()


def test_many_threads_share_a_master(tmp_path):
    store = open_instruments(tmp_path / "orders.db")
    store.load(FACTS, [FUTURE], accepted)
    wrong: list[object] = []

    def look() -> None:
        for _ in range(200):
            master = store.current("paper")
            found = None if master is None else master.named("NIFTY29DEC26F")
            if found != [FUTURE]:
                wrong.append(found)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
