"""Fills that are counted together count as if each had been counted by itself, in as few statements as one."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.pnl import DayResult, FillSeen, Place, PnlBook
from domain.ports.risk import NewFills
from engine.pnl_counter import PnlCounter

START = datetime(2026, 11, 20, 4, tzinfo=UTC)
PLACES = (Place("default", "ONE", "NFO", "AAA"), Place("default", "TWO", "NFO", "AAA"))

fills = st.lists(
    st.builds(
        lambda where, units, price, id_, hours: (where, Decimal(units), price, id_, hours),
        st.sampled_from(PLACES),
        st.integers(-3, 3).filter(bool),
        st.none() | st.integers(90, 110),
        st.sampled_from("abcd"),
        st.integers(0, 20),
    ),
    max_size=12,
)


class Rows:
    """The part of a transaction that counting takes, and how often each of its methods was called."""

    def __init__(self) -> None:
        self.books = dict[Place, PnlBook]()
        self.results = dict[tuple[Place, date], DayResult]()
        self.news: Sequence[FillSeen] = ()
        self.calls = Counter[str]()

    def count(self, *fills: FillSeen) -> None:
        self.news = fills
        counter = PnlCounter(None, lambda at: at.date())  # type: ignore[arg-type]
        rows: Any = self
        assert counter.count_in(rows)

    def new_fills(self, limit: int) -> NewFills:
        return NewFills(self.news, len(self.news), is_all=True)

    def keep_fill_cursor(self, cursor: int) -> None:
        self.calls["cursor"] += 1

    def pnl_book(self, place: Place) -> PnlBook:
        self.calls["book"] += 1
        return self.books.get(place, PnlBook(place))

    def keep_pnl_book(self, book: PnlBook) -> None:
        self.calls["keep book"] += 1
        self.books[book.where] = book

    def last_result(self, place: Place) -> DayResult | None:
        self.calls["result"] += 1
        of_place = [row for (of, _), row in self.results.items() if of == place]
        return max(of_place, key=lambda row: row.day, default=None)

    def keep_result(self, result: DayResult) -> None:
        self.calls["keep result"] += 1
        self.results[(result.where, result.day)] = result


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fills)
def test_together_is_one_by_one(made):
    at, seen = START, []
    for where, units, price, id_, hours in made:
        at += timedelta(hours=hours)  # a batch may span days
        value = None if price is None else Decimal(price)
        cost = None if value is None else units * value
        seen.append(FillSeen(len(seen), id_, at, where, units, cost, value))
    together, alone = Rows(), Rows()
    together.count(*seen)
    for fill in seen:
        alone.count(fill)
    assert (together.books, together.results) == (alone.books, alone.results)


def test_many_fills_of_a_place_take_as_few_statements_as_one():
    rows, cost = Rows(), Decimal(100)
    rows.count(*(FillSeen(n, f"o{n}", START, PLACES[0], Decimal(1), cost, cost) for n in range(200)))
    assert rows.calls == {"cursor": 1, "book": 1, "keep book": 1, "result": 1, "keep result": 1}
    assert len(rows.books[PLACES[0]].lots) == 200
