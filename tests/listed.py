"""The shipped lists of instruments, for tests: as rows, and as masters of any day."""

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.masters.files import read_list
from domain.instruments.instrument import Instrument, MasterFacts, UnreadableListing
from domain.ports.instruments import InstrumentStore, Master
from persistence.memory.instruments import MemoryInstruments

EXAMPLE = Path(__file__).resolve().parent.parent / "config" / "instruments.example"
TODAY = date(2026, 11, 30)
NOW = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Kolkata")


@cache
def listed() -> tuple[Instrument | UnreadableListing, ...]:
    """The rows of all shipped lists, dead contracts and unreadable ones too."""
    found: list[Instrument | UnreadableListing] = []
    for path in sorted(EXAMPLE.glob("*.txt")):
        with path.open("rb") as stream:
            found += read_list(path.name, stream)
    return tuple(found)


def living() -> list[Instrument]:
    """The instruments that can be looked up on `TODAY`."""
    rows = [each for each in listed() if isinstance(each, Instrument)]
    return [each for each in rows if each.expiry is None or each.expiry >= TODAY]


def load(
    store: InstrumentStore, *, broker: str = "paper", day: date = TODAY, more: tuple[Instrument, ...] = ()
) -> Master:
    """Load the shipped lists as a broker's master of that day."""
    facts = MasterFacts(broker, day, NOW)
    store.load(facts, [*listed(), *more], lambda loaded: None)
    master = store.current(broker)
    assert master is not None
    return master


@cache
def a_master() -> Master:
    """A master of today."""
    return load(MemoryInstruments())


def a_master_with(*more: Instrument) -> Master:
    """A master of today that holds more."""
    return load(MemoryInstruments(), more=more)
