"""What entries are sized by is read when it is due, and what cannot be read is not kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import ReadFailed
from domain.instruments.instrument import Instrument, Kind
from domain.marks import Mark
from domain.sizing import Equity
from engine.client_context import ClientContext
from engine.sizing_reader import SizingReader
from tests.support import Desk, FakeBroker, ManualClock

SPOT = Instrument("NSE", "NIFTY INDEX", "26000", Kind.INDEX, "NIFTY")
PLACE = SPOT.address


class Prices:
    """A broker's prices and equity, counted."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.price: Decimal | None = Decimal(24031)
        self.worth: Decimal | None = Decimal(1000)
        self.calls: list[str] = []

    def last_price(self, exchange: str, token: str) -> Decimal:
        raise NotImplementedError

    def price_of(self, instrument: Instrument) -> Decimal:
        self.calls.append(instrument.token)
        self.clock.advance(2)  # the answer takes a while; the price is as old as the call
        if self.price is None:
            raise ReadFailed("no quote")
        return self.price

    def last_marks(self, places: Sequence[tuple[str, str]]) -> list[Mark]:
        self.calls.append("marks")
        return [Mark(*place, self.price or Decimal(0), self.clock.now(), "paper") for place in places]

    def read_equity(self) -> tuple[Decimal, str]:
        self.calls.append("equity")
        if self.worth is None:
            raise ReadFailed("no funds")
        return self.worth, "cash"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def a_context(desk: Desk, **changes: object) -> ClientContext:
    context = ClientContext("default", FakeBroker(desk.clock), desk.policies["default"])
    return replace(context, **changes)  # type: ignore[arg-type]


def test_prices_and_equity_are_read_when_they_are_due_and_kept_with_their_instant(desk: Desk) -> None:
    prices, reader = Prices(desk.clock), SizingReader(desk.store, clock=desk.clock)
    context = a_context(desk, quotes=prices, equity=prices, priced=lambda: {PLACE: SPOT, ("NSE", "X"): None})
    began = desk.clock.now()
    for _ in range(2):
        reader.read(context)
    assert prices.calls == ["26000", "equity"]
    [mark] = desk.store.marks("default")
    assert (mark.exchange, mark.symbol, mark.price, mark.source) == (*PLACE, Decimal(24031), "quote")
    assert mark.at - began < timedelta(seconds=1)
    assert desk.store.equity("default") is not None
    desk.clock.advance(9)
    reader.read(context)
    assert prices.calls == ["26000", "equity", "26000"]
    desk.clock.advance(60)
    reader.read(context)
    assert prices.calls[3:] == ["26000", "equity"]


def test_a_price_that_costs_nothing_is_read_instead_of_a_quote(desk: Desk) -> None:
    prices = Prices(desk.clock)
    context = a_context(desk, quotes=prices, marks=prices, priced=lambda: {PLACE: None})
    SizingReader(desk.store, clock=desk.clock).read(context)
    assert prices.calls == ["marks"]
    assert [mark.source for mark in desk.store.marks("default")] == ["paper"]


def test_what_cannot_be_read_leaves_what_was_known_with_its_age(desk: Desk) -> None:
    prices, reader = Prices(desk.clock), SizingReader(desk.store, clock=desk.clock)
    context = a_context(desk, quotes=prices, equity=prices, priced=lambda: {PLACE: SPOT})
    reader.read(context)
    known = desk.store.marks("default"), desk.store.equity("default")
    prices.price, prices.worth = None, None
    desk.clock.advance(100)
    reader.read(context)
    prices.price = Decimal(0)
    desk.clock.advance(100)
    reader.read(context)
    assert (desk.store.marks("default"), desk.store.equity("default")) == known
    assert isinstance(known[1], Equity)
