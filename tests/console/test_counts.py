"""The counts of the order book: those of a walk through all orders, whatever has happened since they were last made."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.order import Order
from domain.states import Phase, Status
from persistence.database import open_database
from persistence.sqlite.queries.orders import OrderQueries
from tests.console.seeding import House


class Counting(RuleBasedStateMachine):
    """Orders come, move and are archived; the counts are asked for after each step."""

    folder: Path
    number = 0

    def __init__(self) -> None:
        super().__init__()
        Counting.number += 1
        place = self.folder / str(Counting.number)
        place.mkdir()
        self.house = House(place)
        self.new: list[Order] = []
        self.sent: list[Order] = []

    @rule(legs=st.integers(1, 3))
    def come(self, legs: int) -> None:
        self.new += self.house.alert(legs=legs)
        self.house.clock.advance(1)

    @rule(to=st.sampled_from(["block", "place", "fill", "lose", "refuse"]))
    def move(self, to: str) -> None:
        if self.new:
            after: Order = getattr(self.house, to)(self.new.pop())
            if after.phase in (Phase.WORKING, Phase.UNKNOWN):
                self.sent.append(after)

    @rule()
    def archive(self) -> None:
        now = self.house.clock.now() + timedelta(days=9)
        with closing(sqlite3.connect(self.house.path)) as connection, connection:
            connection.execute("UPDATE telegram_messages SET status = 'SENT'")
        open_database(self.house.path).archive(older_than=now, batch=2, now=now)

    @invariant()
    def they_are_those_of_a_walk(self) -> None:
        with closing(sqlite3.connect(self.house.path)) as connection:
            walked = dict(
                connection.execute("SELECT status, count(*) FROM orders GROUP BY status").fetchall()
            )
        assert self.house.views.counts({}) == {status.value: walked.get(status.value, 0) for status in Status}


def test_the_counts_are_those_of_a_walk(tmp_path: Path):
    Counting.folder = tmp_path
    case = Counting.TestCase
    case.settings = settings(max_examples=5, stateful_step_count=12, deadline=None)
    case().runTest()


def test_all_are_walked_through_once(house: House, monkeypatch):
    house.alert()
    walked: list[str] = []
    count = OrderQueries._count

    def counted(self: OrderQueries, sql: str, values: Mapping[str, object]) -> int:
        walked.append(sql)
        return count(self, sql, values)

    monkeypatch.setattr(OrderQueries, "_count", counted)
    assert house.views.counts({}) == {"CREATED": 1, "SENT_TO_BROKER": 0, "EXECUTED": 0, "FAILED": 0}
    house.place(house.alert()[0])
    house.fill(house.alert()[0])
    assert house.views.counts({}) == {"CREATED": 1, "SENT_TO_BROKER": 1, "EXECUTED": 1, "FAILED": 0}
    assert len(walked) == len(Status)
    house.views.counts({"symbol": "X"})
    assert len(walked) == 2 * len(Status)


def test_orders_that_were_archived_are_counted_no_more(house: House):
    old, new = house.block(house.alert()[0]), house.alert()
    assert house.views.counts({})["FAILED"] == 1
    with closing(sqlite3.connect(house.path)) as connection, connection:
        connection.execute("UPDATE telegram_messages SET status = 'SENT'")
    now = house.clock.now() + timedelta(days=9)
    assert open_database(house.path).archive(older_than=now, batch=9, now=now).orders == 1
    assert house.views.story(old.command_id) is None and new
    assert house.views.counts({}) == {"CREATED": 1, "SENT_TO_BROKER": 0, "EXECUTED": 0, "FAILED": 0}
