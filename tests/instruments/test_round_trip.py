"""Each instrument, written as a platform writes it, is read back as itself; for lists that are made up, too."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.instruments.instrument import Instrument, Kind, MasterFacts
from domain.instruments.resolution import Resolution, resolve
from domain.ports.instruments import Master
from domain.reason_codes import Reason
from persistence.memory.instruments import MemoryInstruments
from tests.instruments.writing import ABROAD, DIALECTS, Write
from tests.listed import NOW, TODAY, a_master, living

ROWS = [row for row in living() if row.kind is not Kind.INDEX]


def is_last(row: Instrument, rows: Sequence[Instrument]) -> bool:
    """Whether it expires last in its month, as the exchange names it."""
    if row.expiry is None:
        return False
    month = (row.expiry.year, row.expiry.month)
    alike = [
        each.expiry
        for each in rows
        if (each.underlying, each.exchange, each.kind.is_option)
        == (row.underlying, row.exchange, row.kind.is_option)
        and each.expiry is not None
        and (each.expiry.year, each.expiry.month) == month
    ]
    return row.expiry == max(alike)


def read_back(
    row: Instrument, write: Write, rows: Sequence[Instrument], master: Master
) -> tuple[str, Resolution] | None:
    named = write(row, is_last=is_last(row, rows))
    if named is None:
        return None
    exchange, name = named
    return name, resolve(name, exchange, master, TODAY)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_listed_instrument_is_read_back_by_every_platforms_name(dialect):
    read = 0
    for row in ROWS:
        told = read_back(row, DIALECTS[dialect], ROWS, a_master())
        if told is None:
            continue
        name, found = told
        read += 1
        if found.reason is None:
            assert found.found == row, name
        else:  # it names a month that has several expiries, or a share of several series: then it is among them
            assert (dialect, found.reason) == ("dhan", Reason.INSTRUMENT_AMBIGUOUS), name
            assert row in found.candidates, name
    assert read > 300


def abroad() -> list[Instrument]:
    december, lot = date(2026, 12, 18), Decimal(1)
    shares = [
        Instrument("US", f"{root}-{kind}-{strike}", "1", kind, root, december, Decimal(strike), lot)
        for root in ("AAPL", "F", "SPY", "BRKB")
        for kind in (Kind.CALL, Kind.PUT)
        for strike in ("150", "152.5", "1000", "0.5")
    ]
    coins: list[Instrument] = []
    for root in ("BTC/USDT", "ETH/USDC", "1INCH/USDT"):
        coins += [
            Instrument("X", f"{root} spot", "2", Kind.SPOT, root),
            Instrument("X", f"{root} perpetual", "3", Kind.PERPETUAL, root),
            Instrument("X", f"{root} future", "4", Kind.FUTURE, root, december),
            Instrument("X", f"{root} call", "5", Kind.CALL, root, december, Decimal(60000)),
        ]
    return [*shares, *coins]


@pytest.mark.parametrize("dialect", ABROAD)
def test_contracts_of_other_markets_are_read_back(dialect):
    rows = abroad()
    store = MemoryInstruments()
    store.load(MasterFacts("x", TODAY, NOW), rows, lambda _: None)
    master = store.current("x")
    assert master is not None
    read = 0
    for row in rows:
        told = read_back(row, ABROAD[dialect], rows, master)
        if told is not None:
            read += 1
            assert told[1].found == row, told[0]
    assert read >= 12


ROOTS = st.sampled_from(
    ["NIFTY", "NIFTYNXT50", "GOLD", "GOLDM", "M&M", "BAJAJ-AUTO", "360ONE", "20MICRONS", "SENSEX", "F", "A25"]
)
STRIKES = st.decimals(min_value=Decimal("0.5"), max_value=Decimal(99999), places=2).map(
    lambda value: (value * 20).to_integral_value() / 20
)


@st.composite
def contracts(draw: st.DrawFn) -> list[Instrument]:
    """A list of contracts that some exchange might have: several expiries, and strikes of their own for each."""
    exchange = draw(st.sampled_from(["NFO", "BFO"]))
    days = draw(st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True))
    rows: dict[str, Instrument] = {}
    for root in draw(st.lists(ROOTS, min_size=1, max_size=4, unique=True)):
        for day in days:
            for strike in draw(st.lists(STRIKES, min_size=1, max_size=3, unique=True)):
                kind = draw(st.sampled_from([Kind.CALL, Kind.PUT, Kind.FUTURE]))
                of = None if kind is Kind.FUTURE else strike
                row = Instrument(exchange, "", "", kind, root, TODAY + timedelta(days=day), of)
                rows[row.key] = row
    return [
        Instrument(row.exchange, f"S{number}", f"{number}", row.kind, row.underlying, row.expiry, row.strike)
        for number, row in enumerate(rows.values())
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts(), st.sampled_from(sorted(DIALECTS)))
def test_whatever_is_listed_a_name_means_the_row_that_it_was_written_for_or_is_refused(rows, dialect):
    """Refused it may be, where the list has what another platform would call so; another row is a wrong trade."""
    store = MemoryInstruments()
    store.load(MasterFacts("x", TODAY, NOW), rows, lambda _: None)
    master = store.current("x")
    assert master is not None
    for row in rows:
        told = read_back(row, DIALECTS[dialect], rows, master)
        if told is None:
            continue
        name, found = told
        if found.reason is None:
            assert found.found == row, name
        else:
            assert found.reason is Reason.INSTRUMENT_AMBIGUOUS, (name, found)
            assert row in found.candidates, name
