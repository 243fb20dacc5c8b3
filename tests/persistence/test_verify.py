"""Everything that somebody may do to the file behind our back is found, and nothing is found where nobody did."""

import sqlite3
import tracemalloc
from contextlib import closing
from datetime import timedelta

import pytest

from domain.order_events import advance, event_hash
from domain.states import Phase
from domain.times import time_text
from persistence.reports import MAX_PROBLEMS, Report
from persistence.sqlite.archive import archive, archive_beside
from persistence.sqlite.audit import checkpoints
from persistence.sqlite.audit.checkpoints import checkpoint_hash, make_checkpoint
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.triggers import TRIGGERS
from tests.persistence.making import START, Maker

LATER = START + timedelta(days=40)


@pytest.fixture
def maker(tmp_path) -> Maker:
    """One order in each phase and a checkpoint over them."""
    maker = Maker(tmp_path / "orders.db")
    for phase in Phase:
        maker.order(phase, phase)
    checkpoint(maker)
    return maker


def checkpoint(maker: Maker) -> bool:
    with closing(sqlite3.connect(maker.path, isolation_level="IMMEDIATE")) as connection, connection:
        return make_checkpoint(connection, maker.clock.now())


def tamper(maker: Maker, *statements: str) -> Report:
    """What one can do who removes the triggers first and puts them back."""
    drops = [f"DROP TRIGGER {name}" for name in TRIGGERS]
    maker.sql(*drops, *statements, *TRIGGERS.values())
    return verify(maker.path)


def found(report: Report) -> set[str]:
    return {problem.where for problem in report.problems}


def test_an_untouched_database_is_right(maker):
    report = verify(maker.path)
    assert (report.exit_code, report.problems, report.warnings) == (0, [], [])
    assert report.orders == len(Phase)
    assert (report.events,) == maker.rows("SELECT count(*) FROM order_events")[0]
    assert (report.checkpoints, report.uncovered) == (1, 0)
    assert (report.head,) == maker.rows("SELECT hash FROM event_checkpoints")[0]


def test_a_fresh_database_is_right(tmp_path):
    report = verify(Maker(tmp_path / "orders.db").path)
    assert (report.exit_code, report.orders) == (0, 0)


def test_verifying_writes_nothing_and_makes_nothing(maker, tmp_path):
    before = maker.path.read_bytes()
    verify(maker.path, tmp_path / "archive.db")
    assert maker.path.read_bytes() == before
    with pytest.raises(sqlite3.Error):
        verify(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
    assert not (tmp_path / "archive.db").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("filled_quantity = '49'", "filled_quantity is '49', but its events say '50'"),
        ("side = 'SELL'", "side is 'SELL', but its events say 'BUY'"),
        ("tag = 'BROKER_CANCELLED'", "tag is 'BROKER_CANCELLED', but its events say None"),
        ("average_price = NULL", "average_price is None, but its events say '112.45'"),
        ("attempts = 7", "attempts is 7, but its events say 0"),
        ("status = 'FAILED', phase = 'REJECTED'", "phase is 'REJECTED', but its events say 'FILLED'"),
        ("stop_loss = '100'", "stop_loss is '100', but its events say None"),
        ("updated_at = '2026'", "updated_at is '2026'"),
    ],
)
def test_a_changed_column_is_named(maker, change, says):
    report = tamper(maker, f"UPDATE orders SET {change} WHERE command_id = 'FILLED-1'")
    assert found(report) == {"FILLED-1"}
    assert report.exit_code == 1
    assert any(says in problem.what for problem in report.problems)


@pytest.mark.parametrize("column", ["at", "actor", "detail_json", "tag", "to_phase", "previous_hash", "hash"])
def test_a_changed_event_is_found(maker, column):
    report = tamper(
        maker, f"UPDATE order_events SET {column} = 'x' WHERE command_id = 'FILLED-1' AND from_phase IS NULL"
    )
    assert "FILLED-1" in found(report)


def test_an_order_without_events_and_events_without_an_order_are_found(maker):
    report = tamper(
        maker,
        "DELETE FROM order_events WHERE command_id = 'WORKING-1'",
        "DELETE FROM orders WHERE command_id = 'FILLED-1'",
    )
    assert {"WORKING-1", "FILLED-1", "checkpoint 1", "order_events"} == found(report)


def test_an_order_deleted_with_all_its_events_is_found(maker):
    report = tamper(
        maker,
        "DELETE FROM order_events WHERE command_id = 'FILLED-1'",
        "DELETE FROM orders WHERE command_id = 'FILLED-1'",
    )
    assert {"checkpoint 1", "order_events"} == found(report)


def test_a_deletion_is_found_even_before_the_next_checkpoint(maker):
    maker.order("late", Phase.BLOCKED)
    maker.order("later", Phase.REGISTERED)
    report = tamper(
        maker,
        "DELETE FROM order_events WHERE command_id LIKE 'late%'",
        "DELETE FROM orders WHERE command_id LIKE 'late%'",
    )
    assert found(report) == {"order_events"}
    assert "events are gone" in report.problems[0].what


def test_a_cut_tail_with_the_row_set_back_is_found_by_the_checkpoint(maker):
    """The chain is whole, the row is what it says, and the counter of ids was set back too."""
    order = maker.order("cut", Phase.WORKING)
    checkpoint(maker)
    report = tamper(
        maker,
        "UPDATE orders SET status = 'SENT_TO_BROKER', phase = 'SUBMITTING', broker_order_id = NULL, "
        "(event_hash, updated_at) = (SELECT hash, at FROM order_events WHERE command_id = 'cut-1' "
        f"AND to_phase = 'SUBMITTING') WHERE command_id = '{order.command_id}'",
        "DELETE FROM order_events WHERE command_id = 'cut-1' AND to_phase = 'WORKING'",
        "UPDATE sqlite_sequence SET seq = (SELECT max(event_id) FROM order_events) WHERE name = 'order_events'",
    )
    assert "checkpoint 2" in found(report)
    assert "cut-1" not in found(report)


def rewrite_last_event(maker: Maker, key: str) -> list[str]:
    """Say that somebody else made the last step, with every hash of the order made to fit."""
    columns = "event_id, command_id, at, from_status, to_status, from_phase, to_phase, tag"
    *_, last = maker.rows(
        f"SELECT {columns}, detail_json, previous_hash FROM order_events WHERE command_id = '{key}'"
    )
    event_id, *parts, detail, previous = last
    digest = event_hash(previous, *parts, "somebody else", detail)
    return [
        f"UPDATE order_events SET actor = 'somebody else', hash = '{digest}' WHERE event_id = {event_id}",
        f"UPDATE orders SET event_hash = '{digest}' WHERE command_id = '{key}'",
    ]


def test_a_history_rewritten_with_all_its_hashes_is_found_by_the_checkpoint(maker):
    assert found(tamper(maker, *rewrite_last_event(maker, "FILLED-1"))) == {"checkpoint 1"}


def test_rewriting_a_checkpoint_too_is_found_by_the_next(maker):
    maker.order("more", Phase.FILLED)
    assert checkpoint(maker)
    tamper(maker, *rewrite_last_event(maker, "FILLED-1"))
    [(last,)] = maker.rows("SELECT last_event_id FROM event_checkpoints WHERE checkpoint_id = 1")
    events = maker.rows(f"SELECT event_id, hash FROM order_events WHERE event_id <= {last} ORDER BY event_id")
    forged = checkpoint_hash("", events)
    report = tamper(maker, f"UPDATE event_checkpoints SET hash = '{forged}' WHERE checkpoint_id = 1")
    assert [(p.where, p.what) for p in report.problems] == [
        ("checkpoint 2", "does not follow the checkpoint before it")
    ]


def test_a_checkpoint_covers_the_one_before_it():
    assert checkpoint_hash("a", [(1, "x")]) != checkpoint_hash("b", [(1, "x")])
    assert checkpoint_hash("a", [(1, "x")]) != checkpoint_hash("a", [(2, "x")])


def test_a_step_that_the_table_lacks_is_found_however_well_it_is_hashed(maker):
    (previous,) = maker.rows("SELECT event_hash FROM orders WHERE command_id = 'BLOCKED-1'")[0]
    at = time_text(START)
    parts = ("BLOCKED-1", at, "FAILED", "CREATED", "BLOCKED", "REGISTERED", None, "operator", "{}")
    digest = event_hash(previous, *parts)
    values = ", ".join("NULL" if part is None else f"'{part}'" for part in (*parts, previous, digest))
    report = tamper(
        maker,
        "INSERT INTO order_events (command_id, at, from_status, to_status, from_phase, to_phase, tag, actor, "
        f"detail_json, previous_hash, hash) VALUES ({values})",
        f"UPDATE orders SET status = 'CREATED', phase = 'REGISTERED', event_hash = '{digest}', "
        f"updated_at = '{at}' WHERE command_id = 'BLOCKED-1'",
    )
    assert [p.what.partition(": ")[2] for p in report.problems] == ["BLOCKED does not lead to REGISTERED"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event_checkpoints SET hash = 'x' WHERE checkpoint_id = 1",
        "UPDATE event_checkpoints SET previous_hash = 'x' WHERE checkpoint_id = 2",
        "UPDATE event_checkpoints SET events = events - 1",
        "UPDATE event_checkpoints SET last_event_id = last_event_id - 1 WHERE checkpoint_id = 1",
        "DELETE FROM event_checkpoints WHERE checkpoint_id = 1",
        "DELETE FROM event_checkpoints WHERE checkpoint_id = 2",
        "DELETE FROM event_checkpoints",
    ],
)
def test_a_changed_or_missing_checkpoint_is_found(maker, statement):
    maker.order("more", Phase.FILLED)
    assert checkpoint(maker)
    assert verify(maker.path).checkpoints == 2
    assert tamper(maker, statement).exit_code == 1


def test_missing_and_changed_triggers_are_found(maker):
    maker.sql(
        "DROP TRIGGER orders_kept",
        "DROP TRIGGER orders_transition",
        "CREATE TRIGGER orders_transition BEFORE UPDATE ON orders BEGIN SELECT 1; END",
        "CREATE TRIGGER stranger AFTER INSERT ON alerts BEGIN SELECT 1; END",
    )
    report = verify(maker.path)
    assert found(report) == {"trigger orders_kept", "trigger orders_transition", "trigger stranger"}


def test_a_damaged_file_is_reported_and_not_raised(maker):
    maker.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    (root,) = maker.rows("SELECT rootpage FROM sqlite_master WHERE name = 'order_events'")[0]
    (size,) = maker.rows("PRAGMA page_size")[0]
    maker.store.close()
    with open(maker.path, "r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    assert verify(maker.path).exit_code == 1


def test_problems_are_counted_on_when_there_are_too_many_to_list(maker, monkeypatch):
    monkeypatch.setattr("persistence.reports.MAX_PROBLEMS", 3)
    report = tamper(maker, "UPDATE orders SET price = '1'")
    assert (len(report.problems), report.problem_count) == (3, len(Phase))
    assert MAX_PROBLEMS > 3


# checkpoints ------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_made_only_of_something_new(maker):
    assert not checkpoint(maker)
    maker.order("new", Phase.BLOCKED)
    assert checkpoint(maker)
    assert not checkpoint(maker)
    assert verify(maker.path).exit_code == 0


def test_a_checkpoint_is_bounded_and_the_next_goes_on(maker, monkeypatch):
    monkeypatch.setattr(checkpoints, "MAX_EVENTS", 4)
    for number in range(5):
        maker.order(f"new{number}", Phase.FILLED)
    made = 0
    while checkpoint(maker):
        made += 1
    assert made == 4  # 15 events
    assert verify(maker.path).exit_code == 0


def test_work_that_fails_leaves_no_hole_in_the_ids(maker):
    """On this the search for deleted events relies."""

    def work(tx):
        order = tx.get("REGISTERED-1")
        tx.apply(advance(order, Phase.SUBMITTING, at=maker.clock.now(), actor="test"))
        raise RuntimeError("no")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="no"):
            maker.store.write(work)
    maker.order("new", Phase.WORKING)
    assert verify(maker.path).exit_code == 0


# the archive ------------------------------------------------------------------------------------------------


@pytest.fixture
def archived(maker) -> Maker:
    maker.sent_all()
    for _ in range(4):
        progress = archive(maker.path, archive_beside(maker.path), older_than=LATER, batch=2, now=LATER)
        assert progress.orders == 2
    return maker


def test_archived_orders_are_verified_in_the_archive(archived):
    report = verify(archived.path, archive_beside(archived.path))
    assert (report.exit_code, report.problems, report.warnings) == (0, [], [])
    assert (report.orders, report.archived) == (len(Phase) - 8, 8)


@pytest.mark.parametrize("given", [True, False])
def test_without_the_archive_it_is_no_success(archived, given):
    path = archive_beside(archived.path)
    path.rename(path.with_suffix(".away"))
    report = verify(archived.path, path if given else None)
    assert report.exit_code == 3
    assert report.problems == []
    assert len(report.warnings) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders WHERE command_id = 'FILLED-1'",
        "DELETE FROM order_events WHERE command_id = 'FILLED-1'",
        "DELETE FROM order_events WHERE command_id = 'FILLED-1' AND to_phase = 'FILLED'",
        "UPDATE orders SET filled_quantity = '1' WHERE command_id = 'FILLED-1'",
        "UPDATE order_events SET actor = 'x' WHERE command_id = 'FILLED-1'",
    ],
)
def test_what_is_done_to_the_archive_is_found(archived, statement):
    with closing(sqlite3.connect(archive_beside(archived.path), isolation_level=None)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="the archive is kept"):
            connection.execute(statement)
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
    report = verify(archived.path, archive_beside(archived.path))
    assert "FILLED-1" in found(report)


def test_an_archived_history_rewritten_with_all_its_hashes_is_found(archived):
    there = Maker.__new__(Maker)
    there.path = archive_beside(archived.path)
    triggers = [
        f"DROP TRIGGER {table}_{rule}"
        for table in ("orders", "order_events")
        for rule in ("kept", "unchanged")
    ]
    there.sql(*triggers, *rewrite_last_event(there, "FILLED-1"))
    report = verify(archived.path, there.path)
    assert [p.what for p in report.problems if p.where == "FILLED-1"] == [
        "in the archive: its last event is not the one it was archived with"
    ]


def test_a_record_of_archiving_that_is_not_true_is_found(archived):
    archived.sql("INSERT INTO archived_orders VALUES ('WORKING-1', 'x', 'x')")
    archived.sql("DELETE FROM archived_orders WHERE command_id = 'FILLED-1'")
    report = verify(archived.path, archive_beside(archived.path))
    assert {"WORKING-1", "FILLED-1"} <= found(report)


# size -------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_orders(tmp_path):
    def peak(orders: int) -> int:
        maker = Maker(tmp_path / f"{orders}.db")
        for number in range(orders):
            maker.order(f"alert{number:06}", Phase.FILLED)
        tracemalloc.start()
        try:
            assert verify(maker.path).orders == orders
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(1000) < peak(50) * 1.5 + 50_000
