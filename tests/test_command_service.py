"""Every alert is durable with all its legs or not at all."""

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import persistence.sqlite.database
from domain.enums import Outcome
from domain.errors import ConcurrentUpdate, InvalidAlert, StoreUnavailable
from domain.limits import Limits
from persistence.sqlite.transaction import SqliteTransaction
from tests.commands_making import CE, PE, delivery
from tests.engine.promises import counts, history_faults
from tests.full_disk import fill_the_disk
from tests.support import EXIT, INDEPENDENT, MARKET_EXIT, entry, kinds, leg

# registering ------------------------------------------------------------------------------------------------


def test_all_legs_become_rows_intents_and_events_at_once(desk):
    receipt = desk.commands.register(entry(CE, PE, signal_id="s-1"), desk.delivery())
    assert (receipt.outcome, receipt.originals) == (Outcome.ACCEPTED, ())
    assert [o.command_id for o in receipt.legs] == [f"{receipt.alert_id}-1", f"{receipt.alert_id}-2"]
    assert [(o.symbol, o.side, o.leg_index) for o in receipt.legs] == [
        (CE.symbol, "BUY", 0),
        (PE.symbol, "SELL", 1),
    ]
    assert [desk.order(o.command_id) for o in receipt.legs] == list(receipt.legs)
    assert desk.rows(
        "SELECT command_id, idempotency_key, signal_id, status FROM order_intents ORDER BY id"
    ) == [
        (f"{receipt.alert_id}-1", "default|signal|s-1|0|0", "s-1", "PENDING"),
        (f"{receipt.alert_id}-2", "default|signal|s-1|0|1", "s-1", "PENDING"),
    ]
    assert desk.rows("SELECT alert_id, outcome, decision_type FROM alerts") == [
        (receipt.alert_id, "accepted", None)
    ]
    assert len({o.client_order_id for o in receipt.legs}) == 2
    assert history_faults(desk) == []


def test_one_alert_is_one_transaction(desk, monkeypatch):
    writes = []
    write = desk.store.write
    monkeypatch.setattr(desk.store, "write", lambda work: writes.append(1) or write(work))
    desk.post(CE, PE)
    assert writes == [1]


def test_some_legs_blocked_is_partially_blocked_and_the_others_go(make_desk):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(50)), strategy=INDEPENDENT)
    receipt = desk.commands.register(entry(CE, replace(PE, quantity=Decimal(51))), desk.delivery())
    assert receipt.outcome is Outcome.PARTIALLY_BLOCKED
    assert [o.tag for o in receipt.legs] == [None, "RISK_BLOCKED:MAX_ORDER_QUANTITY"]
    assert [o.status for o in receipt.legs] == ["CREATED", "FAILED"]
    assert desk.rows("SELECT outcome, decision_type FROM alerts") == [("partially_blocked", None)]
    desk.settle()
    assert [command.symbol for command in desk.broker.placed] == [CE.symbol]
    assert desk.rows("SELECT decision_type FROM alerts") == [("EXECUTED",)]


def test_all_legs_blocked_is_blocked_and_says_why(make_desk):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(49)))
    receipt = desk.commands.register(entry(CE, PE), desk.delivery())
    assert receipt.outcome is Outcome.BLOCKED
    assert desk.rows("SELECT outcome, decision_type, reason_code FROM alerts") == [
        ("blocked", "SKIPPED", "MAX_ORDER_QUANTITY")
    ]
    assert kinds(desk) == ["BLOCKED", "BLOCKED"]
    assert desk.rows("SELECT DISTINCT status, blocked FROM telegram_messages") == [("PENDING", 1)]
    desk.settle()
    assert desk.broker.placed == []


def test_two_legs_in_one_symbol_are_two_entries(make_desk):
    assert [o.tag for o in make_desk(strategy=INDEPENDENT).post(CE, CE)] == [
        None,
        "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED",
    ]
    assert [
        o.tag for o in make_desk(limits=Limits(max_entries=2), strategy=INDEPENDENT).post(CE, CE, CE)
    ] == [
        None,
        None,
        "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED",
    ]


def test_an_alert_of_a_client_that_is_not_configured_is_refused(desk):
    with pytest.raises(InvalidAlert) as refusal:
        desk.post(client_id="nobody")
    assert (refusal.value.code, refusal.value.field) == ("UNKNOWN_CLIENT", "client_id")
    assert set(counts(desk).values()) == {0}


def test_an_entry_lives_as_long_as_an_alert_and_an_exit_for_an_hour(desk):
    (opening,) = desk.post()
    (closing_,) = desk.post(MARKET_EXIT, **EXIT)
    assert opening.expires_at - opening.created_at == timedelta(seconds=300)
    assert closing_.expires_at - closing_.created_at == timedelta(hours=1)
    assert opening.created_at < desk.clock.at < opening.created_at + timedelta(seconds=1)


def test_an_exit_shows_the_position_as_last_read_until_its_claim_reads_it_anew(desk):
    desk.post(replace(PE, symbol=CE.symbol))
    desk.settle()
    (order,) = desk.post(MARKET_EXIT, **EXIT)
    assert (order.side, order.quantity, order.requested_quantity) == ("BUY", 50, None)
    (capped,) = desk.post(replace(MARKET_EXIT, quantity=Decimal(20)), **EXIT)
    assert (capped.side, capped.quantity, capped.requested_quantity) == ("BUY", 20, 20)
    (elsewhere,) = desk.post(replace(MARKET_EXIT, symbol="FLAT"), **EXIT)
    assert (elsewhere.quantity, elsewhere.status) == (0, "CREATED")


# what fails half way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("x"), sqlite3.OperationalError("x"), ConcurrentUpdate("x")])
@pytest.mark.parametrize(
    ("method", "call"),
    [
        *itertools.product(["add_intent", "notify", "facts"], [1, 2]),
        *itertools.product(["apply"], [1, 2, 3, 4]),
        ("add_alert", 1),
    ],
)
def test_a_registration_that_fails_half_way_leaves_nothing(make_desk, monkeypatch, method, error, call):
    desk = make_desk(limits=Limits(max_order_quantity=Decimal(49)))
    original, calls = getattr(SqliteTransaction, method), []

    def failing(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise error
        return original(self, *args, **kwargs)

    before = counts(desk)
    monkeypatch.setattr(SqliteTransaction, method, failing)
    with pytest.raises(type(error)):
        desk.post(CE, PE)
    assert len(calls) == call
    assert counts(desk) == before
    monkeypatch.undo()
    assert len(desk.post(CE, PE)) == 2, "the sender may try again"
    assert history_faults(desk) == []


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_database_that_stays_locked_is_unavailable_and_keeps_nothing(desk, monkeypatch):
    monkeypatch.setattr(persistence.sqlite.database, "BUSY_SECONDS", 0.05)
    with locked(desk.path):
        with pytest.raises(StoreUnavailable, match="locked"):
            desk.post()
        with pytest.raises(StoreUnavailable):
            desk.commands.halt("default", by="op", reason="x")
    assert set(counts(desk).values()) == {0}
    assert [o.status for o in desk.post()] == ["CREATED"]


def test_a_writer_that_lets_go_in_time_is_waited_for(desk):
    began = threading.Event()

    def hold():
        with locked(desk.path):
            began.set()
            threading.Event().wait(0.1)

    holder = threading.Thread(target=hold)
    holder.start()
    assert began.wait(5)
    assert [o.status for o in desk.post()] == ["CREATED"]
    holder.join()


def test_a_full_disk_is_unavailable_and_keeps_nothing(desk, monkeypatch):
    desk.post()
    before = counts(desk)
    fill_the_disk(monkeypatch)
    desk.store.close()
    alert = entry(leg("B"), leg("C"), strategy_name="OTHER")
    with pytest.raises(StoreUnavailable, match="full"):
        desk.commands.register(alert, delivery(desk.clock.now(), "x" * 100_000))
    assert counts(desk) == before
    monkeypatch.undo()
    assert desk.commands.register(alert, desk.delivery()).outcome is Outcome.ACCEPTED


def test_a_commit_that_fails_is_no_ack(desk, monkeypatch):
    """What a disk that breaks at the last moment does: all statements went well, the commit did not."""
    connect = persistence.sqlite.database.connect

    class Breaking:
        def __init__(self, connection):
            self.connection = connection

        def execute(self, sql, *parameters):
            if sql == "COMMIT":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                raise error
            return self.connection.execute(sql, *parameters)

        def close(self):
            self.connection.close()

    monkeypatch.setattr(
        persistence.sqlite.database, "connect", lambda path, **o: Breaking(connect(path, **o))
    )
    desk.store.close()
    with pytest.raises(StoreUnavailable, match="I/O"):
        desk.post()
    monkeypatch.undo()
    assert set(counts(desk).values()) == {0}
    assert [o.status for o in desk.post()] == ["CREATED"]
