"""New lists are loaded in the background, once each; what is not today's is told once a day where orders cost money."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.instrument_care import InstrumentCare, source_of
from app.instruments import NotLoaded, load_first, load_lists
from app.settings import load_settings
from domain.instruments.instrument import MasterFacts
from domain.notices import Notice
from persistence.instruments import open_instruments
from persistence.memory.store import MemoryStore
from tests.contract.instruments_contract import FUTURE, accepted
from tests.contract.store_making import House as StrategyHouse
from tests.listed import EXAMPLE
from tests.support import ManualClock

ZONE = ZoneInfo("Asia/Kolkata")
MONDAY = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)  # 09:30 at the market


class House:
    """A care of one broker, whose loading is a program of the test's own."""

    def __init__(self, folder: Path, *, clients: tuple[str, ...] = ("alice",), at: datetime = MONDAY) -> None:
        self.folder = folder
        self.clock = ManualClock(at)
        self.notices: list[str] = []
        self.masters = open_instruments(folder / "orders.db")
        self.store = MemoryStore(clock=self.clock, render=self._render)
        self.list = folder / "NFO_symbols.txt"
        self.clients = clients
        self.care = self.new_care()

    def new_care(self, program: str = "") -> InstrumentCare:
        """As after a restart; `program` is what loads."""
        noted = f"import pathlib; pathlib.Path({str(self.folder / 'runs')!r}).open('a').write('x'); {program}"
        return InstrumentCare(
            self.masters, self.store, clock=self.clock, zone=ZONE,
            lists=lambda broker: [self.list] if self.list.exists() else [],
            clients={"paper": self.clients}, command=[sys.executable, "-c", noted],
        )  # fmt: skip

    def _render(self, notice: Notice) -> str:
        self.notices.append(notice.detail)
        return notice.detail

    def write_list(self, age_seconds: float = 60) -> None:
        self.list.write_text("a list")
        at = self.clock.now().timestamp() - age_seconds
        os.utime(self.list, (at, at))

    def examples(self, at: datetime) -> list[Path]:
        """The lists that come with the program, as if they had been written then: their day is that of their files."""
        folder = self.folder / f"examples {at:%H%M}"
        folder.mkdir(exist_ok=True)
        for path in EXAMPLE.glob("*.txt"):
            copy = shutil.copyfile(path, folder / path.name)
            os.utime(copy, (at.timestamp(), at.timestamp()))
        return sorted(folder.glob("*.txt"))

    def load(self, at: datetime) -> None:
        source = source_of([self.list]) if self.list.exists() else ""
        facts = MasterFacts("paper", at.astimezone(ZONE).date(), at, source=source)
        self.masters.load(facts, [FUTURE], accepted)

    def look(self) -> int:
        """Look until nothing loads; return how often the program has run."""
        self.care.look()
        for _ in range(500):
            if not self.care._loading:
                break
            time.sleep(0.01)
            self.care.look()
        runs = self.folder / "runs"
        return len(runs.read_text()) if runs.exists() else 0


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., House]:
    return lambda **options: House(tmp_path, **options)


def test_a_new_list_is_loaded_once(make):
    house = make()
    assert house.look() == 0
    house.write_list()
    assert [house.look(), house.look()] == [1, 1]
    house.clock.advance(3600)
    house.write_list()
    assert house.look() == 2


def test_a_list_that_may_still_be_written_waits(make):
    house = make()
    house.write_list(age_seconds=2)
    assert house.look() == 0
    house.clock.advance(4)
    assert house.look() == 1


def test_what_was_loaded_before_is_not_loaded_again_after_a_restart(make):
    house = make()
    house.write_list()
    house.load(house.clock.now())
    assert house.look() == 0


def test_a_list_that_is_older_than_what_is_loaded_and_another_one_is_loaded(make):
    """Copied with the times of where it came from."""
    house = make()
    house.write_list()
    house.load(house.clock.now())
    house.write_list(age_seconds=7200)
    assert house.look() == 1


def test_a_failure_is_told_with_its_last_line_and_not_tried_again_with_the_same_list(make):
    house = make()
    house.load(MONDAY - timedelta(days=1))
    house.care = house.new_care("import sys; sys.exit('orderwatch: rows are missing')")
    house.write_list()
    assert [house.look(), house.look()] == [1, 1]
    assert "the instruments of paper were not loaded: orderwatch: rows are missing" in house.notices
    assert len(house.notices) == 2  # and that yesterday's count


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (None, "no master of paper was loaded"),
        (1, "today's instruments of paper are not there"),
        (4, "too old"),
        (0, None),
    ],
)
def test_what_is_not_todays_is_told_once_a_day_also_across_restarts(make, days, says):
    house = make()
    if days is not None:
        house.load(MONDAY - timedelta(days=days))
    for _ in range(2):
        house.look()
        house.care = house.new_care()
        house.look()
    assert len(house.notices) == (says is not None)
    assert says is None or says in house.notices[0]
    if says:
        house.clock.advance(86_400)
        house.look()
        assert len(house.notices) == 2


def test_nothing_is_told_before_the_market_opens_on_a_weekend_or_where_nothing_costs_money(tmp_path):
    early = MONDAY - timedelta(hours=1)
    for number, options in enumerate(
        ({"at": early}, {"at": MONDAY - timedelta(days=1)}, {"at": MONDAY, "clients": ()})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        house = House(folder, **options)
        house.look()
        assert house.notices == []


def test_it_is_told_again_after_it_was_good(make):
    house = make()
    house.look()
    house.load(MONDAY)
    house.look()
    house.clock.advance(86_400)
    house.look()
    assert ["no master" in house.notices[0], "those of 2026-11-30 count" in house.notices[1]] == [True, True]


def test_a_list_that_lacks_what_is_held_is_told_once_and_again_after_it_was_whole(make):
    house = make()
    strategies = StrategyHouse(house.store, house.clock)
    strategies.entered("a1", symbol="NIFTY08DEC26C24000")
    strategies.entered("a2", symbol="NIFTY24NOV26C24000")  # it has expired
    strategies.entered("a3", symbol="NIFTY08DEC26C24000", client_id="bob")
    house.notices.clear()  # of the fills
    load_lists(house.masters, "paper", house.examples(MONDAY), now=MONDAY, zone=ZONE)
    house.look()
    assert house.notices == []
    for minute in (1, 2):
        house.load(MONDAY + timedelta(minutes=minute))
        house.look()
        house.care = house.new_care()
        house.look()
    assert len(house.notices) == 1
    assert "lack what is held: NFO NIFTY08DEC26C24000." in house.notices[0]
    whole = MONDAY + timedelta(minutes=3)
    load_lists(house.masters, "paper", house.examples(whole), now=whole, zone=ZONE)
    house.look()
    house.load(MONDAY + timedelta(minutes=4))
    house.look()
    assert len(house.notices) == 2


def test_a_damaged_master_is_loaded_anew(make):
    house = make()
    house.load(house.clock.now())
    [path] = (house.folder / "instruments").iterdir()
    path.write_bytes(b"damaged")
    house.write_list()
    assert house.look() == 1
    load_lists(house.masters, "paper", house.examples(MONDAY), now=MONDAY, zone=ZONE)
    assert house.masters.current("paper") is not None


def test_the_first_lists_are_loaded_before_anything_is_served_and_a_bad_one_stops_no_start(tmp_path, caplog):
    lists = tmp_path / "lists"
    lists.mkdir()
    environ = {"ORDERS_DB": str(tmp_path / "orders.db"), "INSTRUMENTS_DIR": str(lists)}
    masters = open_instruments(tmp_path / "orders.db")
    (lists / "NFO_symbols.txt").write_text("<html>")
    load_first(load_settings(environ, dotenv_path=None), masters, MONDAY)
    assert masters.current("paper") is None
    assert "were not loaded" in caplog.text
    shutil.copyfile(EXAMPLE / "NFO_symbols.txt", lists / "NFO_symbols.txt")
    load_first(load_settings(environ, dotenv_path=None), masters, MONDAY)
    first = masters.current("paper")
    load_first(
        load_settings(environ, dotenv_path=None), masters, MONDAY
    )  # what is there is the watcher's to renew
    assert first is not None and masters.current("paper") is first


def test_a_broken_list_leaves_the_master_before(tmp_path):
    masters = open_instruments(tmp_path / "orders.db")
    files = sorted(EXAMPLE.glob("*.txt"))
    load_lists(masters, "paper", files, now=MONDAY, zone=ZONE)
    broken = tmp_path / "NFO_symbols.txt"
    broken.write_text("<html>")
    with pytest.raises(NotLoaded, match="expected the columns of a list"):
        load_lists(masters, "paper", [*files, broken], now=MONDAY, zone=ZONE)
    master = masters.current("paper")
    assert master is not None
    assert master.facts.rows == 400
