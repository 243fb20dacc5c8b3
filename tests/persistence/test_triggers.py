"""What a person with any SQLite tool is refused, and that it is the triggers that refuse it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product

import pytest

from domain.order_events import event_hash
from domain.states import STATUS_OF, TRANSITIONS, Phase, Status
from domain.times import time_text
from persistence.sqlite.triggers import CONCURRENT, ILLEGAL, TRIGGERS, UNRECORDED
from tests.persistence.making import START, Maker

PAIRS = list(product(Phase, Phase))
LEGAL = [(a, b) for a, b in PAIRS if b in TRANSITIONS[a]]
ILLEGAL_PAIRS = [(a, b) for a, b in PAIRS if b not in TRANSITIONS[a]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """One order in each phase, its alert named after the phase."""
    maker = Maker(tmp_path_factory.mktemp("triggers") / "orders.db")
    for phase in Phase:
        maker.order(phase, phase)
    return maker


@pytest.fixture
def raw(database: Maker) -> Iterator[sqlite3.Connection]:
    """A plain connection whose work is thrown away."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("ROLLBACK")


def drop_triggers(connection: sqlite3.Connection) -> None:
    for name in TRIGGERS:
        connection.execute(f"DROP TRIGGER {name}")


def plain_update(connection: sqlite3.Connection, start: Phase, end: Phase) -> None:
    """What an operator types."""
    connection.execute(
        "UPDATE orders SET phase = ?, status = ?, broker_order_id = 'X1' WHERE command_id = ?",
        (end, STATUS_OF[end], f"{start}-1"),
    )


def add_event(
    connection: sqlite3.Connection, start: Phase, end: Phase, *, previous: str | None = None
) -> str:
    """Forge the event of a step, hashed and linked as the program would; returns its hash."""
    key = f"{start}-1"
    if previous is None:
        query = "SELECT event_hash FROM orders WHERE command_id = ?"
        previous = str(connection.execute(query, (key,)).fetchone()[0])
    parts = (key, time_text(START), STATUS_OF[start], STATUS_OF[end], start, end, None, "operator", "{}")
    digest = event_hash(previous, *parts)
    connection.execute(
        "INSERT INTO order_events (command_id, at, from_status, to_status, from_phase, to_phase, tag, actor, "
        "detail_json, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*parts, previous, digest),
    )
    return digest


def careful_update(connection: sqlite3.Connection, start: Phase, end: Phase) -> None:
    """What an operator who has read the source might do: the update together with a proper event."""
    digest = add_event(connection, start, end)
    connection.execute(
        "UPDATE orders SET phase = ?, status = ?, broker_order_id = 'X1', event_hash = ? WHERE command_id = ?",
        (end, STATUS_OF[end], digest, f"{start}-1"),
    )


# transitions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "end"), ILLEGAL_PAIRS)
def test_an_edge_that_the_table_lacks_is_refused(raw: sqlite3.Connection, start: Phase, end: Phase):
    with pytest.raises(sqlite3.IntegrityError):
        plain_update(raw, start, end)
    with pytest.raises(sqlite3.IntegrityError, match=ILLEGAL):
        careful_update(raw, start, end)


@pytest.mark.parametrize(("start", "end"), ILLEGAL_PAIRS)
def test_without_triggers_the_same_updates_pass(raw: sqlite3.Connection, start: Phase, end: Phase):
    drop_triggers(raw)
    plain_update(raw, start, end)
    careful_update(raw, start, end)


@pytest.mark.parametrize(("start", "end"), LEGAL)
def test_an_edge_of_the_table_passes_with_its_event_only(raw: sqlite3.Connection, start: Phase, end: Phase):
    with pytest.raises(sqlite3.IntegrityError, match=UNRECORDED):
        plain_update(raw, start, end)
    careful_update(raw, start, end)


def test_every_edge_of_the_table_passes_through_the_repository(tmp_path):
    maker = Maker(tmp_path / "orders.db")
    for number, (start, end) in enumerate(LEGAL):
        order = maker.order(f"alert{number}", start)
        moved = maker.store.update_status(
            order.command_id, start, end, actor="test", broker_order_id=order.broker_order_id or "B1"
        )
        assert (moved.phase, moved.status) == (end, STATUS_OF[end])
        assert maker.store.get_by_id(order.command_id) == moved


# single columns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "status = 'FAILED', phase = 'CANCELLED'",
        "tag = 'BROKER_REJECTED:NO'",
        "tag = NULL",
        "filled_quantity = '50'",
        "average_price = '1'",
        "broker_order_id = 'B2'",
        "price = '1'",
        "side = 'SELL'",
        "quantity = '1000'",
        "stop_loss = '1'",
    ],
)
def test_a_change_without_an_event_is_refused(raw: sqlite3.Connection, change: str):
    sql = f"UPDATE orders SET {change} WHERE command_id = 'PARTIALLY_FILLED-1'"
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(sql)
    drop_triggers(raw)
    raw.execute(sql)


@pytest.mark.parametrize(
    "column",
    ["command_id", "alert_id", "client_id", "symbol", "exchange", "client_order_id", "strategy_name"],
)
def test_what_an_order_is_never_changes(raw: sqlite3.Connection, column: str):
    digest = add_event(raw, Phase.REGISTERED, Phase.REGISTERED)
    sql = f"UPDATE orders SET {column} = 'other', event_hash = ? WHERE command_id = 'REGISTERED-1'"
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(sql, (digest,))
    drop_triggers(raw)
    raw.execute(sql, (digest,))


@pytest.mark.parametrize("change", ["side = 'SELL'", "quantity = '1000'"])
def test_side_and_quantity_are_fixed_once_claimed(raw: sqlite3.Connection, change: str):
    first = add_event(raw, Phase.REGISTERED, Phase.REGISTERED)
    raw.execute(f"UPDATE orders SET {change}, event_hash = ? WHERE command_id = 'REGISTERED-1'", (first,))
    later = add_event(raw, Phase.UNKNOWN, Phase.UNKNOWN)
    with pytest.raises(sqlite3.IntegrityError, match=ILLEGAL):
        raw.execute(f"UPDATE orders SET {change}, event_hash = ? WHERE command_id = 'UNKNOWN-1'", (later,))


def test_executed_needs_the_broker_s_id(raw: sqlite3.Connection):
    digest = add_event(raw, Phase.UNKNOWN, Phase.FILLED)
    with pytest.raises(sqlite3.IntegrityError, match="executed_has_broker_id"):
        raw.execute(
            "UPDATE orders SET status = 'EXECUTED', phase = 'FILLED', event_hash = ? WHERE command_id = 'UNKNOWN-1'",
            (digest,),
        )


def test_a_phase_belongs_to_one_status(raw: sqlite3.Connection):
    digest = add_event(raw, Phase.UNKNOWN, Phase.WORKING)
    with pytest.raises(sqlite3.IntegrityError, match="phase_fits_status"):
        raw.execute(
            "UPDATE orders SET status = 'EXECUTED', phase = 'WORKING', broker_order_id = 'B1', event_hash = ? "
            "WHERE command_id = 'UNKNOWN-1'",
            (digest,),
        )


# history ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE order_events SET actor = 'somebody else'",
        "UPDATE order_events SET at = at WHERE event_id = 1",
        "DELETE FROM order_events",
        "DELETE FROM order_events WHERE event_id = (SELECT max(event_id) FROM order_events)",
        "DELETE FROM orders",
        "DELETE FROM orders WHERE status = 'FAILED'",
    ],
)
def test_history_and_orders_are_kept(raw: sqlite3.Connection, sql: str):
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(sql)
    drop_triggers(raw)
    assert raw.execute(sql).rowcount > 0


@pytest.mark.parametrize("sql", ["UPDATE event_checkpoints SET events = 0", "DELETE FROM event_checkpoints"])
def test_checkpoints_are_kept(raw: sqlite3.Connection, sql: str):
    raw.execute("INSERT INTO event_checkpoints VALUES (1, '2026', 1, 1, '', 'h')")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(sql)


@pytest.mark.parametrize("previous", ["", "0" * 64])
def test_an_event_must_follow_the_head_of_its_chain(raw: sqlite3.Connection, previous: str):
    with pytest.raises(sqlite3.IntegrityError, match=CONCURRENT):
        add_event(raw, Phase.WORKING, Phase.FILLED, previous=previous)
    drop_triggers(raw)
    add_event(raw, Phase.WORKING, Phase.FILLED, previous=previous)


def copy_order(connection: sqlite3.Connection, verb: str, **changes: object) -> None:
    row = dict(connection.execute("SELECT * FROM orders WHERE command_id = 'UNKNOWN-1'").fetchone()) | changes
    del row["claim_priority"]  # the database computes it
    marks = ", ".join("?" * len(row))
    connection.execute(f"{verb} INTO orders ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def test_an_order_is_born_registered(raw: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError, match=UNRECORDED):
        copy_order(raw, "INSERT", command_id="new-1")
    drop_triggers(raw)
    copy_order(raw, "INSERT", command_id="new-1")


def test_an_order_is_born_with_its_event(raw: sqlite3.Connection):
    with pytest.raises(sqlite3.IntegrityError, match=UNRECORDED):
        copy_order(raw, "INSERT", command_id="new-1", status=Status.CREATED, phase=Phase.REGISTERED)


@pytest.mark.parametrize("verb", ["REPLACE", "INSERT OR REPLACE"])
def test_an_order_cannot_be_replaced_by_one_that_would_be_sent_again(raw: sqlite3.Connection, verb: str):
    with pytest.raises(sqlite3.IntegrityError):
        copy_order(raw, verb, status=Status.CREATED, phase=Phase.REGISTERED)


def test_an_event_cannot_be_replaced(raw: sqlite3.Connection):
    head = raw.execute("SELECT event_hash FROM orders WHERE command_id = 'UNKNOWN-1'").fetchone()[0]
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(
            "REPLACE INTO order_events SELECT event_id, 'UNKNOWN-1', at, from_status, to_status, from_phase, "
            "to_phase, tag, 'somebody else', detail_json, ?, hash FROM order_events WHERE event_id = 1",
            (head,),
        )


def test_a_checkpoint_cannot_be_replaced(raw: sqlite3.Connection):
    raw.execute("INSERT INTO event_checkpoints VALUES (1, '2026', 1, 1, '', 'h')")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("REPLACE INTO event_checkpoints VALUES (1, '2026', 1, 1, '', 'other')")
