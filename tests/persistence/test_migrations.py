"""Making orders.db: fresh, again, by many at once, and never by a program that is too old."""

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import StoreReplaced
from persistence.errors import DatabaseTooNew
from persistence.sqlite.identity import witness_path
from persistence.sqlite.migrations import TABLES, migrate
from persistence.sqlite.queries.health import read_vitals
from persistence.sqlite.triggers import TRIGGERS

ROOT = Path(__file__).resolve().parents[2]
MIGRATE = "import sys, pathlib; from persistence.sqlite.migrations import migrate; migrate(pathlib.Path(sys.argv[1]))"


def query(path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def schema(path: Path) -> list[tuple]:
    return query(path, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")


def test_a_fresh_database_has_every_table_and_says_so(tmp_path, caplog):
    path = tmp_path / "data" / "orders.db"
    with caplog.at_level(logging.INFO):
        migrate(path)
    for table in TABLES:
        assert f"[BOOT] {table} table OK" in caplog.messages
    assert "[BOOT] order_intents table OK" in caplog.messages
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


def test_every_table_of_ours_is_strict(tmp_path):
    path = tmp_path / "orders.db"
    migrate(path)
    tables = query(
        path, "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    )
    assert {
        name for name, strict in tables if not strict and not name.startswith(("sqlite_", "_sqlite_"))
    } == set()
    assert set(TABLES) <= {name for name, _ in tables}


def test_migrating_again_changes_nothing(tmp_path):
    path = tmp_path / "orders.db"
    migrate(path)
    before = (
        schema(path),
        query(path, "SELECT * FROM _sqlite_migrations"),
        query(path, "PRAGMA schema_version"),
    )
    migrate(path)
    after = (
        schema(path),
        query(path, "SELECT * FROM _sqlite_migrations"),
        query(path, "PRAGMA schema_version"),
    )
    assert after == before


LAST_FILLS_OF_THE_FIRST_VERSION = """
CREATE TABLE last_fills (
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    filled_at TEXT NOT NULL,
    PRIMARY KEY (client_id, symbol)
) STRICT
"""

CLAIMABLE_OF_THE_FIRST_VERSION = """
CREATE INDEX orders_claimable ON orders (client_id, execution_type DESC, created_at) WHERE status = 'CREATED'
"""


RISK_TABLES = ("pnl_books", "daily_results", "counted_fills", "risk_state", "risk_events", "equity_curve")


def test_a_database_of_the_first_version_gets_what_came_later(tmp_path):
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    migrate(new)
    migrate(old)
    with closing(sqlite3.connect(old)) as connection, connection:
        for table in (
            "position_differences",
            "protections",
            "protection_exits",
            "protection_events",
            "marks",
            "pnl_books",
            "daily_results",
            "counted_fills",
            "risk_state",
            "risk_events",
            "order_groups",
            "order_group_events",
            "equity_curve",
            "telegram_bots",
            "telegram_acts",
            "telegram_mutes",
            "equities",
            "attention_decisions",
        ):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP TABLE database_identity")
        connection.execute("DROP TABLE told_notices")
        connection.execute("DROP TABLE last_fills")
        connection.execute(LAST_FILLS_OF_THE_FIRST_VERSION)
        connection.execute("INSERT INTO last_fills VALUES ('default', 'INFY', '2026-11-20T04:00:00.000000Z')")
        connection.execute("DROP TABLE lifts")
        for column in (
            "known_pnl",
            "carried_pnl",
            "pnl_is_carried",
            "recent_lows",
            "loss_counts_from",
            "loss_latched",
        ):
            connection.execute(f"ALTER TABLE accounts DROP COLUMN {column}")
        for column in ("broker", "broker_user", "positions_compared_at"):
            connection.execute(f"ALTER TABLE accounts DROP COLUMN {column}")
        for index in (
            "orders_full_exits",
            "orders_absent",
            "orders_parts",
            "orders_waiting",
            "orders_claimable",
            "orders_exited",
            "orders_exits",
            "alerts_rejected",
            "orders_by_id_end",
        ):
            connection.execute(f"DROP INDEX {index}")
        connection.execute(CLAIMABLE_OF_THE_FIRST_VERSION)
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")  # some are gone with their table
        for column in (
            "requested_side",
            "requested_product",
            "parent_command_id",
            "provisional_until",
            "waits_for",
            "reason_detail",
            "claim_priority",
            "protection_json",
        ):
            connection.execute(f"ALTER TABLE orders DROP COLUMN {column}")
        connection.execute("DROP INDEX external_orders_tagged")
        connection.execute("DROP INDEX external_orders_unexplained")
        for column in ("product", "unexplained_quantity", "client_order_id"):
            connection.execute(f"ALTER TABLE external_orders DROP COLUMN {column}")
        connection.execute("ALTER TABLE heartbeats DROP COLUMN missing_json")
        connection.execute("ALTER TABLE telegram_messages DROP COLUMN facts_json")
        connection.execute("DROP TABLE unreadable_positions")
        connection.execute("DROP TABLE adoptions")
        connection.execute("DROP TABLE believed_ahead")
        connection.execute("ALTER TABLE positions DROP COLUMN delivered")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name <> 'first_tables'")
    witness_path(old).unlink()  # a program of then kept none
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    vitals = read_vitals(old, beats_since=moment, sent_before=moment)
    assert (vitals.pending_migrations, vitals.differences) == (
        (
            "position_differences",
            "fills_of_each_side",
            "accounts_remembered",
            "exits_by_own_fills",
            "database_identity",
            "positions_compared",
            "clients_not_configured",
            "unreadable_positions",
            "daily_loss",
            "entries_that_wait",
            "adopted_units",
            "our_tags_in_the_book",
            "shares_of_earlier_days",
            "unexplained_external_orders",
            "heartbeats_part_by_part",
            "facts_of_messages",
            "details_of_reasons",
            "told_once",
            "differences_shown_without_a_gap",
            "claim_priorities",
            "fills_of_each_product",
            "protections",
            "second_tries_of_protections",
            "further_terms_of_protections",
            "cost_and_time_of_protections",
            "risk",
            "telegram_conversation",
            "equities",
            "leg_groups",
            "equity_curve",
            "operator_records",
            "orders_by_id_end",
            "locks_of_protections",
            "combined_protection_of_groups",
        ),
        (),
    )
    migrate(old)
    assert schema(old) == schema(new)
    # Of which side it was is not known: either may have been it.
    assert query(old, "SELECT side, filled_at FROM last_fills WHERE symbol = 'INFY' ORDER BY side") == [
        ("BUY", "2026-11-20T04:00:00.000000Z"),
        ("SELL", "2026-11-20T04:00:00.000000Z"),
    ]


def test_four_processes_at_once_make_one_database(tmp_path):
    alone, together = tmp_path / "alone.db", tmp_path / "together.db"
    migrate(alone)
    processes = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, together], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors.decode()
    assert schema(together) == schema(alone)
    assert query(together, "SELECT count(*) FROM _sqlite_migrations") == query(
        alone, "SELECT count(*) FROM _sqlite_migrations"
    )


def test_a_database_of_a_newer_program_is_refused_untouched(tmp_path):
    path = tmp_path / "orders.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('orderwatch', 'of_tomorrow', '2027-01-01')"
        )
        connection.execute("DROP TRIGGER orders_kept")
    before = schema(path)
    with pytest.raises(DatabaseTooNew, match="of_tomorrow"):
        migrate(path)
    assert schema(path) == before


def test_changed_triggers_are_restored_at_the_start(tmp_path):
    path = tmp_path / "orders.db"
    migrate(path)
    before = schema(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER order_events_no_delete")
        connection.execute("DROP TRIGGER orders_transition")
        connection.execute("CREATE TRIGGER orders_transition BEFORE UPDATE ON orders BEGIN SELECT 1; END")
        connection.execute("CREATE TRIGGER stranger AFTER INSERT ON alerts BEGIN DELETE FROM alerts; END")
    migrate(path)
    assert schema(path) == before
    assert len(query(path, "SELECT 1 FROM sqlite_master WHERE type = 'trigger'")) == len(TRIGGERS)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "orders.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreReplaced):
        migrate(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_database_that_lacks_nothing_needs_no_library(tmp_path):
    path = tmp_path / "orders.db"
    migrate(path)
    check = f"{MIGRATE}; assert 'sqlite_utils' not in sys.modules, 'it was imported'"
    subprocess.run([sys.executable, "-c", check, path], cwd=ROOT, check=True, timeout=60)
