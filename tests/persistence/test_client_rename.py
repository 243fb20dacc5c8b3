"""Rows that move from one client id to another: all of them, once, with histories that still rebuild every order."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.account import AccountStanding, BrokerAccount
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.states import Phase
from domain.times import time_text
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.client_rename import DROPPED, IN_BOOKS, MOVED
from tests.persistence.making import Maker

REAL = BrokerAccount("shoonya", "FA1")


@pytest.fixture
def maker(tmp_path) -> Maker:
    made = Maker(tmp_path / "orders.db")
    made.store.write(lambda tx: tx.bind_account("default", REAL))
    return made


def move(maker: Maker) -> tuple[int, int]:
    at = maker.clock.now()
    return maker.store.write(lambda tx: tx.move_client("default", "new", at=at, actor="cli:op"))


def hold(maker: Maker, client: str, quantity: int, strategy: str = "STRADDLE", symbol: str = "S") -> None:
    at = time_text(maker.clock.now())
    maker.sql(
        f"INSERT INTO holdings VALUES ('{client}', '{symbol}', 'NFO', '{strategy}', 'MIS', '{quantity}', 1, '{at}')"
    )


def test_every_table_with_a_client_id_is_moved_or_written_anew(maker):
    with closing(sqlite3.connect(maker.path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        named = {
            table
            for table in tables
            if "client_id" in [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
        }
    assert named == {*MOVED, *DROPPED}


def test_groups_and_protections_follow_so_that_they_are_watched(maker):
    at = time_text(maker.clock.now())
    maker.sql(
        "INSERT INTO order_groups VALUES ('g', 'a', 'default', 'S', 'all_or_none', 'unwind', 1, '[]', "
        f"'{at}', '{at}', NULL, 'FORMING', '', NULL, NULL, 1, NULL, 1)"
    )
    maker.sql(
        "INSERT INTO protections (protection_id, command_id, client_id, strategy_name, exchange, symbol, product, "
        "side, created_at, updated_at, status, generation, filled, quantity, exited, is_armed, is_unknown, version, "
        f"is_watched) VALUES ('p', 'a-1', 'default', 'S', 'NFO', 'X', 'MIS', 'BUY', '{at}', '{at}', 'WAITING', 1, "
        "'0', '0', '0', 0, 0, 1, 1)"
    )
    move(maker)
    assert [g.group_id for g in maker.store.open_groups("new")] == ["g"]
    assert [p.protection_id for p in maker.store.open_protections("new")] == ["p"]


@pytest.mark.parametrize("phase", list(Phase))
def test_an_order_of_any_phase_is_moved_and_verifies(maker, phase):
    before = maker.order("a", phase)
    orders, _ = move(maker)
    after = maker.store.get_by_id(before.command_id)
    assert (orders, after.client_id, after.phase) == (1, "new", phase)
    assert verify(maker.path).problems == []


def test_old_history_keeps_the_id_under_which_it_was_sent(maker):
    old = maker.order("old", Phase.BLOCKED)
    resting = maker.order("resting", Phase.WORKING)
    maker.clock.at += IN_BOOKS + timedelta(minutes=1)
    young = maker.order("young", Phase.BLOCKED)
    assert move(maker)[0] == 2
    clients = {
        order.alert_id: maker.store.get_by_id(order.command_id).client_id for order in (old, resting, young)
    }
    assert clients == {"old": "default", "resting": "new", "young": "new"}


def test_holdings_of_one_strategy_and_symbol_become_one(maker):
    for client, quantity, strategy in (
        ("default", 50, "A"),
        ("new", 25, "A"),
        ("default", 10, "B"),
        ("new", -10, "B"),
    ):
        hold(maker, client, quantity, strategy)
    assert move(maker)[1] == 2
    assert {h.strategy_name: h.net_quantity for h in maker.store.holdings("new")} == {"A": Decimal(75)}
    assert maker.store.holdings("default") == []


def test_what_was_nobodys_under_the_new_id_is_ours_now(maker):
    maker.order("a", Phase.WORKING)
    maker.sql(
        "INSERT INTO external_orders (client_id, broker_order_id, exchange, symbol, side, quantity, "
        "filled_quantity, broker_status, first_seen_at) "
        "VALUES ('new', 'B-a-1', 'NFO', 'NIFTY26NOV24500CE', 'BUY', '50', '0', 'OPEN', 't')",
        "INSERT INTO position_differences (client_id, exchange, symbol, product, held, at_broker, difference, "
        "kind, since, told_at) "
        "VALUES ('new', 'NFO', 'NIFTY26NOV24500CE', 'MIS', '0', '50', '50', 'EXTERNAL', 't', 't')",
    )
    move(maker)
    assert maker.rows("SELECT * FROM external_orders") == []
    assert maker.rows("SELECT * FROM position_differences") == []


def test_halts_messages_and_the_days_lowest_follow(maker):
    maker.sql(
        "INSERT INTO halts VALUES ('default', '', 't', 'op', 'why')",
        "INSERT INTO accounts (client_id, broker, broker_user, trading_day, lowest_pnl) "
        "VALUES ('new', 'shoonya', 'FA1', '2026-11-21', '-10')",
        "UPDATE accounts SET trading_day = '2026-11-21', lowest_pnl = '-6000' WHERE client_id = 'default'",
    )
    maker.order("a", Phase.BLOCKED)
    move(maker)
    assert maker.rows("SELECT client_id FROM halts") == [("new",)]
    assert maker.rows("SELECT DISTINCT client_id FROM telegram_messages WHERE status = 'PENDING'") == [
        ("new",)
    ]
    assert maker.rows("SELECT client_id, lowest_pnl FROM accounts") == [("new", "-6000")]


def test_what_was_told_of_orders_follows_and_what_was_told_of_the_id_does_not(maker):
    frozen, refused = NoticeKey(NoticeSubject.FROZEN, ("a-1",)), NoticeKey(NoticeSubject.REFUSED_ACCOUNT)
    for key in (frozen, refused):
        for client in ("default", "new") if key is refused else ("default",):
            told = Notice(NoticeKind.SYSTEM, client)
            maker.store.write(lambda tx, key=key, told=told: tx.notify_once(key, told))
    move(maker)
    assert maker.rows("SELECT client_id, about FROM told_notices") == [("new", "FROZEN")]


# what the database itself refuses ---------------------------------------------------------------------------


def test_no_row_changes_its_client_without_an_event_that_says_so(maker):
    order = maker.order("a", Phase.WORKING)
    with pytest.raises(sqlite3.IntegrityError, match="transition"):
        maker.sql("UPDATE orders SET client_id = 'new'")
    move(maker)
    event = maker.rows("SELECT hash FROM order_events ORDER BY event_id DESC LIMIT 1")[0][0]
    with pytest.raises(sqlite3.IntegrityError):
        maker.sql(f"UPDATE orders SET client_id = 'default', event_hash = '{event}'")
    assert maker.store.get_by_id(order.command_id).client_id == "new"


def test_an_event_of_a_move_that_changes_more_is_found(maker):
    maker.order("a", Phase.FILLED)
    move(maker)
    maker.sql("DROP TRIGGER order_events_no_update", "DROP TRIGGER orders_moved", "DROP TRIGGER orders_recorded",
              "UPDATE orders SET client_id = 'third'")  # fmt: skip
    assert any("client_id is 'third'" in problem.what for problem in verify(maker.path).problems)


# account → client -------------------------------------------------------------------------------------------


def standing(maker: Maker, client: str, account: BrokerAccount = REAL) -> AccountStanding:
    return maker.store.account_standing(client, account)


def test_an_account_is_one_clients(maker):
    assert standing(maker, "default") == AccountStanding(REAL)
    assert standing(maker, "new") == AccountStanding(None, "default")
    assert standing(maker, "new", BrokerAccount("shoonya", "fa1")).taken_by == "default"
    assert standing(maker, "new", BrokerAccount("shoonya", "FA2")) == AccountStanding(None)


def test_of_two_ids_of_one_account_the_other_stands_in_the_way_while_it_has_something_open(maker):
    maker.store.write(lambda tx: tx.bind_account("new", REAL))
    assert standing(maker, "new") == AccountStanding(REAL)
    order = maker.order("a", Phase.WORKING)
    assert standing(maker, "new").taken_by == "default"
    maker.step(order, Phase.CANCELLED)
    assert standing(maker, "new").taken_by is None
    hold(maker, "default", 50)
    assert standing(maker, "new").taken_by == "default"
