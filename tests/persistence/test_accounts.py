"""Whose orders a client's rows are: remembered once, kept by every write, forgotten with all that was held there."""

import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.account import BrokerAccount
from domain.broker_reports import BrokerStatus, OrderReport, Position, PositionsSnapshot
from domain.enums import Side
from domain.errors import OpenOrders
from domain.ports import Transaction
from domain.position_comparison import Difference
from domain.states import Phase
from persistence.sqlite.repository import OrderRepository
from tests.persistence.making import Maker, StepClock

PAPER, REAL = BrokerAccount("paper", "default"), BrokerAccount("shoonya", "FA1")


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "orders.db", StepClock())


def bind(maker: Maker, account: BrokerAccount, client_id: str = "default") -> BrokerAccount:
    return maker.store.write(lambda tx: tx.bind_account(client_id, account))


def read_positions(maker: Maker, client_id: str = "default") -> None:
    at = maker.clock.now()
    snapshot = PositionsSnapshot(at, (Position("NFO", "PP", "MIS", Decimal(50)),))
    maker.store.save_positions(client_id, snapshot, at.date())


def test_only_the_first_is_remembered(maker):
    assert maker.store.account("default") is None
    assert bind(maker, PAPER) == PAPER
    assert bind(maker, REAL) == PAPER
    assert bind(maker, REAL, "other") == REAL
    assert (maker.store.account("default"), maker.store.account("other")) == (PAPER, REAL)
    assert maker.store.write(lambda tx: tx.account("default")) == PAPER


def test_a_read_before_and_after_neither_makes_nor_loses_it(maker):
    maker.store.save_read_error("default", maker.clock.now(), "502")
    assert maker.store.account("default") is None
    read_positions(maker)
    bind(maker, PAPER)
    maker.store.save_read_error("default", maker.clock.now(), "502")
    assert maker.store.account("default") == PAPER
    read_positions(maker)
    assert maker.store.account("default") == PAPER
    assert maker.rows("SELECT read_error, read_error_at, pnl FROM accounts") == [(None, None, "0")]


def test_of_many_processes_that_remember_at_once_all_learn_of_the_same_one(maker):
    """Each with a connection of its own, as watchers of different settings have."""
    stores = [
        OrderRepository(maker.path, clock=maker.clock, render=lambda notice: str(notice.kind))
        for _ in range(6)
    ]
    learnt: list[BrokerAccount] = []
    start = threading.Barrier(len(stores))

    def remember(number: int) -> None:
        start.wait(timeout=30)
        account = BrokerAccount("shoonya", f"FA{number}")
        learnt.append(stores[number].write(lambda tx: tx.bind_account("default", account)))

    threads = [threading.Thread(target=remember, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    for store in stores:
        store.close()
    assert learnt == [maker.store.account("default")] * len(stores)


def test_what_did_not_commit_was_not_remembered(maker):
    def die(tx):
        tx.bind_account("default", PAPER)
        raise KeyError("the process ends here")

    with pytest.raises(KeyError):
        maker.store.write(die)
    assert maker.store.account("default") is None


TABLES = ("holdings", "positions", "last_fills", "external_orders", "position_differences")
HISTORY = ("alerts", "orders", "order_events", "order_intents", "telegram_messages")


def trade(maker: Maker) -> None:
    """Something in every table that tells of the account."""
    maker.order("one", Phase.FILLED)
    read_positions(maker)
    read_positions(maker, "other")
    at = maker.clock.now()
    report = OrderReport("X1", None, BrokerStatus.OPEN, "NFO", "PP", Side.BUY, Decimal(1))
    difference = Difference("NFO", "PP", "MIS", Decimal(1), Decimal(2), is_external=False)

    def note(tx: Transaction) -> None:
        for client_id in ("default", "other"):
            tx.note_external(client_id, report, at)
            tx.keep_difference(client_id, difference, at, at)

    maker.store.write(note)


def counts(maker: Maker, tables: tuple[str, ...], client_id: str) -> dict[str, int]:
    return {
        table: maker.rows(f"SELECT count(*) FROM {table} WHERE client_id = '{client_id}'")[0][0]
        for table in tables
    }


def test_rebinding_forgets_what_was_held_and_seen_and_keeps_history_and_other_clients(maker):
    bind(maker, PAPER)
    bind(maker, PAPER, "other")
    trade(maker)
    assert 0 not in counts(maker, TABLES, "default").values()
    others = counts(maker, TABLES, "other")
    history = {table: maker.rows(f"SELECT * FROM {table}") for table in HISTORY}
    maker.store.write(lambda tx: tx.rebind_account("default", REAL))
    assert set(counts(maker, TABLES, "default").values()) == {0}
    assert counts(maker, TABLES, "other") == others
    assert {table: maker.rows(f"SELECT * FROM {table}") for table in HISTORY} == history
    bind(maker, REAL, "fresh")
    (now,), (fresh,) = (
        maker.rows(f"SELECT * FROM accounts WHERE client_id = '{id_}'") for id_ in ("default", "fresh")
    )
    assert now[1:] == fresh[1:], "as of a client that was never read"
    assert maker.store.account("other") == PAPER
    assert maker.store.saved_positions("default") is None


OPEN = (Phase.REGISTERED, Phase.SUBMITTING, Phase.UNKNOWN, Phase.WORKING, Phase.PARTIALLY_FILLED)


@pytest.mark.parametrize("phase", OPEN)
def test_rebinding_is_refused_while_an_order_has_not_ended(maker, phase):
    bind(maker, PAPER)
    trade(maker)
    maker.order("open", phase)
    before = counts(maker, TABLES, "default")
    with pytest.raises(OpenOrders, match=rf"open-1 \(\w+/{phase}\)$"):
        maker.store.write(lambda tx: tx.rebind_account("default", REAL))
    assert maker.store.account("default") == PAPER
    assert counts(maker, TABLES, "default") == before


def test_a_refusal_to_rebind_names_a_few_and_counts_the_rest(maker):
    bind(maker, PAPER)
    maker.alert("many", *[Phase.REGISTERED] * 8)
    with pytest.raises(OpenOrders, match=r"many-5 \(CREATED/REGISTERED\) and 3 more$"):
        maker.store.write(lambda tx: tx.rebind_account("default", REAL))


def test_orders_of_another_client_do_not_stand_in_the_way(maker):
    bind(maker, PAPER, "other")
    maker.order("open", Phase.WORKING)
    maker.clock.at += timedelta(seconds=1)
    maker.store.write(lambda tx: tx.rebind_account("other", REAL))
    assert maker.store.account("other") == REAL
