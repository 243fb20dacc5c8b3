"""A broker's whole list: how long it takes to load, what a look costs, and what it adds to a process."""

import random
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.instruments import load_lists
from domain.instruments.instrument import Kind, key_of
from domain.instruments.resolution import resolve
from persistence.instruments import open_instruments
from tests.instruments.writing import MONTHS, dated
from tests.listed import NOW, TODAY, ZONE

EXPIRIES = (date(2026, 12, 29), date(2027, 1, 25), date(2027, 2, 23))
ROOTS = [f"STOCK{number}" for number in range(225)]
STRIKES = range(1000, 1000 + 148 * 5, 5)
HEAD = "Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,\n"


def lines() -> Iterator[str]:
    yield HEAD
    number = 0
    for root in ROOTS:
        for expiry in EXPIRIES:
            ends = f"{expiry.day:02}-{MONTHS[expiry.month - 1]}-{expiry.year}"
            for strike in STRIKES:
                for right in "CP":
                    number += 1
                    symbol = f"{root}{dated(expiry)}{right}{strike}"
                    yield f"NFO,{number},500,{root},{symbol},{ends},OPTSTK,{right}E,{strike},0.05,\n"


def resident_mib() -> float:
    [line] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@pytest.mark.gate
def test_a_list_of_two_hundred_thousand_is_loaded_within_seconds_and_costs_next_to_nothing(
    tmp_path: Path,
) -> None:
    """Of this process's own time, so that what else the machine does has no part in it."""
    path = tmp_path / "NFO_symbols.txt"
    path.write_text("".join(lines()))
    store = open_instruments(tmp_path / "orders.db")
    before, began = resident_mib(), time.process_time()
    loaded = load_lists(store, "paper", [path], now=NOW, zone=ZONE)
    seconds = time.process_time() - began
    assert loaded.rows == len(ROOTS) * len(EXPIRIES) * len(STRIKES) * 2 >= 199_800
    chance = random.Random(47)
    costs = []
    for _ in range(20_000):
        root, expiry, strike = chance.choice(ROOTS), chance.choice(EXPIRIES), Decimal(chance.choice(STRIKES))
        key = key_of(root, Kind.CALL, expiry, strike)
        at = time.thread_time()
        master = store.current("paper")
        assert master is not None
        found = master.keyed([key])
        costs.append(time.thread_time() - at)
        assert [each.strike for each in found] == [strike]
    assert master is not None
    told = resolve("STOCK2026DEC1000CE", "NFO", master, TODAY)
    assert told.found is not None and told.found.symbol == "STOCK2029DEC26C1000"
    costs.sort()
    grown = resident_mib() - before
    figures = f"{seconds:.1f} s, median {costs[10_000] * 1e6:.0f} µs, p99 {costs[19_800] * 1e6:.0f} µs, {grown:.0f} MiB"
    assert seconds <= 10, figures
    assert costs[10_000] <= 50e-6, figures
    assert costs[19_800] <= 200e-6, figures  # 50 on a machine of its own
    assert grown <= 60, figures
    print(figures)
