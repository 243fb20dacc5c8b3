"""The read side: complete pages, right counts, and plans that never walk the table."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side
from domain.errors import StoreUnavailable
from domain.states import Status
from domain.times import time_text
from persistence.sqlite.database import Readers
from persistence.sqlite.migrations import migrate
from persistence.sqlite.queries import orders
from persistence.sqlite.queries.orders import OrderQueries
from persistence.sqlite.triggers import TRIGGERS
from tests.console.seeding import House
from tests.support import START


def all_pages(view: OrderQueries, wanted: dict, limit: int) -> list[str]:
    """The ids of every page, in their order."""
    ids: list[str] = []
    cursor = None
    while True:
        rows, cursor = view.orders(wanted, limit=limit, cursor=cursor)
        assert len(rows) <= limit
        ids += [row["command_id"] for row in rows]
        if cursor is None:
            return ids


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> House:
    """40 legs in all statuses, two to an alert, so that times are shared."""
    house = House(tmp_path_factory.mktemp("mixed"))
    moves = [lambda order: order, house.block, house.fill, house.place, house.refuse]
    for index in range(20):
        symbol = f"SYM{index % 3}"
        for order in house.alert(
            legs=2, symbol=symbol, strategy_name=f"S{index % 2}", client_id=f"c{index % 2}"
        ):
            moves[(index + order.leg_index) % len(moves)](order)
        house.clock.advance(60)
    return house


@given(
    limit=st.integers(1, 50),
    status=st.sampled_from([None, *Status]),
    symbol=st.sampled_from([None, "SYM0", "SYM*", "NONE"]),
    client=st.sampled_from([None, "c0"]),
    minutes=st.tuples(st.integers(-2, 22), st.integers(-2, 22)),
)
@settings(max_examples=150, deadline=None)
def test_pages_hold_every_order_that_fits_once_and_newest_first(
    mixed: House, limit, status, symbol, client, minutes
):
    wanted = {"status": status, "symbol": symbol, "client_id": client}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    wanted |= {
        "since": START + timedelta(minutes=minutes[0]),
        "until": START + timedelta(minutes=minutes[1]),
    }
    with closing(sqlite3.connect(mixed.path)) as connection:
        rows = connection.execute(
            "SELECT command_id, status FROM orders WHERE created_at >= ? AND created_at < ? "
            "AND (? IS NULL OR symbol GLOB ?) AND (? IS NULL OR client_id = ?) "
            "ORDER BY created_at DESC, command_id DESC",
            (time_text(wanted["since"]), time_text(wanted["until"]), symbol, symbol, client, client),
        ).fetchall()
    assert all_pages(mixed.views, wanted, limit) == [id_ for id_, its in rows if status in (None, its)]
    counts = mixed.views.counts(wanted)
    assert counts == {s.value: sum(its == s for _, its in rows) for s in Status}


def test_a_page_that_is_read_while_orders_arrive_neither_repeats_nor_skips(house: House):
    old = [order.command_id for _ in range(6) for order in house.alert()]
    first, cursor = house.views.orders({}, limit=3)
    house.alert()
    rest, _ = house.views.orders({}, limit=10, cursor=cursor)
    assert [row["command_id"] for row in first + rest] == list(reversed(old))


@pytest.mark.parametrize("cursor", ["", "nonsense", "!!", "YWJj", "MjAyNnx4", "é"])
def test_a_cursor_that_is_none_is_refused(house: House, cursor: str):
    with pytest.raises(ValueError, match="cursor"):
        house.views.orders({}, limit=3, cursor=cursor)


@pytest.mark.parametrize(
    ("pattern", "found"), [("A[B*", ["A[BC"]), ("A?*", []), ("*C", ["A[BC", "AxC"]), ("A[BC", ["A[BC"])]
)
def test_only_a_star_stands_for_others(house: House, pattern: str, found: list[str]):
    house.alert(symbol="AxC")
    house.alert(symbol="A[BC")
    rows, _ = house.views.orders({"symbol": pattern}, limit=9)
    assert [row["symbol"] for row in rows] == found


def test_a_story_has_everything_of_its_order_and_of_no_other(house: House):
    one, other = house.alert(legs=2, raw_body='{"legs": []}', signal_id="sig-1")
    house.fill(one)
    house.block(other)
    story = house.views.story(one.command_id)
    assert story is not None
    assert [event["to_phase"] for event in story["events"]] == [
        "REGISTERED",
        "SUBMITTING",
        "WORKING",
        "FILLED",
    ]
    assert story["order"]["status"] == "EXECUTED"
    assert story["intent"]["status"] == "ORDER_PLACED"
    assert story["alert"]["raw_body"] == '{"legs": []}'
    assert [message["kind"] for message in story["messages"]] == ["PLACED", "FILLED"]
    assert [leg["command_id"] for leg in story["siblings"]] == [other.command_id]
    assert house.views.story("nobody") is None


def test_a_database_that_cannot_be_read_says_so(house: House):
    with closing(sqlite3.connect(house.path)) as connection:
        connection.execute("ALTER TABLE orders RENAME TO gone")
    for question in (
        house.views.ping,
        lambda: house.views.orders({}, limit=1),
        lambda: house.views.story("x"),
    ):
        with pytest.raises(StoreUnavailable):
            question()


def plan_of(view: OrderQueries, ask, monkeypatch: pytest.MonkeyPatch) -> str:
    """How SQLite carries out what a method asks."""
    plans: list[str] = []
    rows_of = OrderQueries._rows

    def explained(self, sql, values=()):
        plans.extend(row["detail"] for row in rows_of(self, f"EXPLAIN QUERY PLAN {sql}", values))
        return rows_of(self, sql, values)

    monkeypatch.setattr(OrderQueries, "_rows", explained)
    ask(view)
    return "\n".join(plans)


EVERYTHING = {"symbol": "A*", "strategy_name": "S", "client_id": "c", "since": START, "until": START}
QUESTIONS = {
    "a page": lambda v: v.orders({}, limit=100),
    "a filtered page": lambda v: v.orders(EVERYTHING, limit=100),
    "failed orders": lambda v: v.orders({"status": Status.FAILED}, limit=100),
    "a later page": lambda v: v.orders(
        EVERYTHING, limit=100, cursor=orders._cursor_of({"created_at": time_text(START), "command_id": "x"})
    ),
    "counts": lambda v: v.counts({}),
    "filtered counts": lambda v: v.counts(EVERYTHING),
    "a story": lambda v: v.story("x"),
    "signals": lambda v: v.signals(since=START, settled_before=START, side="BUY", limit=10),
    "unknown orders": lambda v: v.unknown_orders(),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_walks_the_orders(house: House, name: str, monkeypatch: pytest.MonkeyPatch):
    house.alert()
    plan = plan_of(house.views, QUESTIONS[name], monkeypatch)
    # Open orders are few, and these two indexes hold nothing else: to walk one is to look at the open orders.
    plan = re.sub(r"SCAN orders USING .*INDEX orders_(claimable|at_broker)", "", plan)
    plan = re.sub(r"SCAN t\b", "", plan)  # once, for the messages that are about no order
    assert "SCAN" not in plan


def test_closed_pages_need_no_sort(house: House, monkeypatch: pytest.MonkeyPatch):
    plan = plan_of(house.views, lambda v: v.orders({"status": Status.EXECUTED}, limit=100), monkeypatch)
    assert "SEARCH orders USING INDEX orders_closed" in plan
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan


def many_closed(path: Path, count: int) -> OrderQueries:
    """A database with so many closed orders, loaded past the triggers."""
    migrate(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        connection.execute(
            """
            WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1)
            INSERT INTO orders (command_id, alert_id, leg_index, client_id, strategy_name, execution_type, exchange,
                symbol, side, quantity, product, order_type, client_order_id, created_at, expires_at, status, phase,
                tag, broker_order_id, filled_quantity, attempts, escalation, updated_at, event_hash)
            SELECT printf('c%09d', i), printf('a%09d', i), 0, 'default', 'S' || (i % 7), 'ENTRY', 'NFO',
                'SYM' || (i % 200), 'BUY', '50', 'MIS', 'MARKET', printf('ow%d', i),
                strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-11-20', -(i / 2) || ' seconds'), '', s.status, s.phase,
                s.tag, s.broker_id, '0', 1, 0, '', 'h'
            FROM n JOIN (SELECT 0 AS k, 'FAILED' AS status, 'BLOCKED' AS phase, 'RISK_BLOCKED:X' AS tag,
                NULL AS broker_id UNION ALL SELECT 1, 'EXECUTED', 'FILLED', NULL, 'B') s ON s.k = min(i % 3, 1)""",
            {"count": count},
        )
        connection.execute("COMMIT")
    return OrderQueries(Readers(path))


@pytest.mark.slow
def test_a_page_costs_the_same_with_a_long_history(tmp_path: Path):
    view = many_closed(tmp_path / "orders.db", 100_000)
    steps: list[int] = []

    def work_of(ask) -> int:
        """Thousands of instructions of SQLite's machine: the same on every computer, unlike time."""
        steps.clear()
        connection = view._readers.get()
        connection.set_progress_handler(lambda: steps.append(1), 1000)
        ask()
        connection.set_progress_handler(None, 0)
        return len(steps)

    assert view.counts({}) == {"CREATED": 0, "SENT_TO_BROKER": 0, "EXECUTED": 66_666, "FAILED": 33_334}
    assert work_of(lambda: view.orders({}, limit=100)) <= 60
    assert work_of(lambda: view.orders({"status": "FAILED"}, limit=100)) <= 30
    cursor = orders._cursor_of({"created_at": "2026-11-19T20:00:00.000000Z", "command_id": "c000030000"})
    assert work_of(lambda: view.orders({}, limit=100, cursor=cursor)) <= 60
    assert work_of(lambda: view.story("c000050000")) <= 5
    recent = {"since": START - timedelta(minutes=245)}
    assert work_of(lambda: view.counts(recent)) <= 30
    assert len(all_pages(view, {"symbol": "SYM7"}, 100)) == 500


def test_a_side_is_a_side(house: House):
    house.alert(side=Side.SELL)
    found = house.views.signals(since=START, settled_before=START, side="BUY", limit=5)
    assert found["counts"]["total_signals"] == 0
