"""The search by the end of an id: what it finds is what a walk through all ids would find, and it walks none."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persistence.sqlite.database import Readers
from persistence.sqlite.id_ends import ending_query, ids_ending
from persistence.sqlite.queries.archived_orders import find_story
from persistence.sqlite.queries.orders import OrderQueries
from tests.console.seeding import House

WALK = """
SELECT command_id FROM orders
WHERE substr(command_id, -length(:id)) = :id OR substr(alert_id, -length(:id)) = :id
"""
# Alerts whose ends are alike, one that is only the end of another, and one of an operator, which is its order's own.
ALERTS = ("01k9abcdefghjk12", "01k9zbcdefghjk12", "xx-01k9abcdefghjk12", "k12", "01k9fffffffffff2-1", "é☂🜂12")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Orders of each form that an id has: of a leg, of a part of an exit, and of an operator."""
    house = House(tmp_path_factory.mktemp("ends"))
    for order in house.alert(legs=3):
        house.block(order)
    with closing(sqlite3.connect(house.path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(orders)")]
        copied = ", ".join(columns[2:])
        copy = (
            f"INSERT INTO orders (command_id, alert_id, {copied}) SELECT ?, ?, {copied} FROM orders LIMIT 1"
        )
        for alert in ALERTS:
            ids = [alert] if alert.endswith("-1") else [f"{alert}-{leg}" for leg in (1, 2, 12)]
            connection.executemany(
                copy, [(made, alert) for each in ids for made in (each, f"{each}.2", f"{each}.13")]
            )
        yield connection


def ids(connection: sqlite3.Connection) -> list[str]:
    return [
        id_ for row in connection.execute("SELECT DISTINCT command_id, alert_id FROM orders") for id_ in row
    ]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_it_finds_what_a_walk_through_all_ids_finds(filled: sqlite3.Connection, data: st.DataObject):
    id_ = data.draw(st.sampled_from(ids(filled)))
    text = id_[data.draw(st.integers(0, len(id_) - 1)) :]
    if data.draw(st.booleans()):
        text = data.draw(st.sampled_from("aé-.1")) + text
    walked = {id_ for (id_,) in filled.execute(WALK, {"id": text})}
    assert set(ids_ending(filled, text)) == walked


def test_no_order_is_read_but_those_found(filled: sqlite3.Connection):
    plan = filled.execute(f"EXPLAIN QUERY PLAN {ending_query()}", {"id": "x", "ends": "[]"}).fetchall()
    [of_orders] = [row[3] for row in plan if "orders" in row[3]]
    assert of_orders == "SEARCH orders USING INDEX orders_by_id_end (<expr>>? AND <expr><?)"


def test_the_console_searches_ends_of_four_characters_and_the_command_line_all(filled: sqlite3.Connection):
    path = Path(filled.execute("PRAGMA database_list").fetchone()[2])
    view = OrderQueries(Readers(path))
    assert view.find_orders("k12") != []  # it is the whole id of an alert
    assert view.find_orders("012") == view.find_orders("") == []
    found = [row["command_id"] for row in view.find_orders("zbcdefghjk12-12.13")]
    assert found == ["01k9zbcdefghjk12-12.13"] == find_story([path], "zbcdefghjk12-12.13")[0]
    assert find_story([path], "2-1.2")[0] == find_story([path], "2-1.2")[0] != []


def test_a_database_without_the_index_is_searched_too(house: House):
    [order] = house.alert()
    with closing(sqlite3.connect(house.path)) as connection:
        connection.execute("DROP INDEX orders_by_id_end")
    assert find_story([house.path], order.command_id[-5:])[0] == [order.command_id]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
