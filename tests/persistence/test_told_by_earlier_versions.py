"""What a database of an earlier version remembers of what was told is not told again after the upgrade."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domain.broker_reports import BrokerStatus, OrderReport
from domain.notice_keys import NoticeKey, NoticeSubject, of_order
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import advance
from domain.reconciliation import taken_back
from domain.states import Phase
from persistence.sqlite.migrations import migrate
from tests.persistence.making import Maker

BEFORE = (
    "DROP TABLE told_notices",
    "CREATE TABLE unconfigured_clients (client_id TEXT PRIMARY KEY, told_at TEXT NOT NULL) STRICT",
    "ALTER TABLE accounts ADD COLUMN refused_account TEXT",
    "DELETE FROM _sqlite_migrations WHERE name = 'told_once'",
)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """As the version before left it."""
    made = Maker(tmp_path / "orders.db")
    made.sql(*BEFORE)
    return made


def is_news(maker: Maker, key: NoticeKey, client_id: str = "default", state: tuple[str, ...] = ()) -> bool:
    notice = Notice(NoticeKind.SYSTEM, client_id, detail="once more")
    return maker.store.write(lambda tx: tx.notify_once(key, notice, state=state))


def keep(maker: Maker, order: Order, **changes: str) -> None:
    """What the version before wrote into the order's row."""
    at = maker.clock.now()
    maker.store.write(lambda tx: tx.apply(advance(order, order.phase, at=at, actor="test", **changes)))


def test_a_client_that_is_not_configured(maker):
    maker.sql("INSERT INTO unconfigured_clients VALUES ('gone', '2026-11-20T04:00:00.000000Z')")
    migrate(maker.path)
    assert maker.store.told_clients(NoticeSubject.UNCONFIGURED_CLIENT) == ["gone"]


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        ("FA1 at shoonya", ("FA1", "shoonya", "")),
        ("FA1 at shoonya, whose rows are those of old one", ("FA1", "shoonya", "old one")),
    ],
)
def test_an_account_that_is_not_served(maker, kept, state):
    maker.sql(f"INSERT INTO accounts (client_id, refused_account) VALUES ('default', '{kept}')")
    migrate(maker.path)
    key = NoticeKey(NoticeSubject.REFUSED_ACCOUNT)
    assert not is_news(maker, key, state=state)
    assert is_news(maker, key, state=("FA2", "shoonya", ""))


def test_an_order_that_has_been_at_the_broker_for_an_hour(maker):
    order = maker.order("a", Phase.WORKING)
    maker.sql(
        "INSERT INTO telegram_messages (client_id, kind, symbol, message, timestamp, status, attempts, command_id, "
        f"blocked) VALUES ('default', 'FROZEN', 'S', 'm', 't', 'SENT', 1, '{order.command_id}', 0)"
    )
    migrate(maker.path)
    assert maker.store.untold_frozen("default", maker.clock.now(), limit=1) == []
    assert not is_news(maker, NoticeKey(NoticeSubject.FROZEN, (order.command_id,)))


def test_a_cancel_that_the_book_does_not_confirm(maker):
    order = maker.order("a", Phase.WORKING)
    keep(maker, order, exchange_error_snippet="cancel not confirmed: the broker's book still shows the order")
    other = maker.order("b", Phase.WORKING)
    migrate(maker.path)
    assert not is_news(maker, NoticeKey(NoticeSubject.CANCEL_UNCONFIRMED, (order.command_id,)))
    assert is_news(maker, NoticeKey(NoticeSubject.CANCEL_UNCONFIRMED, (other.command_id,)))


def test_an_order_that_may_be_any_of_several(maker):
    order = maker.order("a", Phase.UNKNOWN)
    text = "it may be broker order B1 or B2; the book cannot tell, so somebody has to resolve it"
    keep(maker, order, reason_message=text)
    migrate(maker.path)
    assert not is_news(maker, of_order(NoticeSubject.MAY_BE_ANY_OF, order.command_id, "B1", "B2"))
    assert is_news(maker, of_order(NoticeSubject.MAY_BE_ANY_OF, order.command_id, "B1"))


def test_a_fill_that_the_book_took_back(maker):
    order = maker.order("a", Phase.FILLED)
    report = OrderReport(
        str(order.broker_order_id),
        order.client_order_id,
        BrokerStatus.REJECTED,
        order.exchange,
        order.symbol,
        order.side,
        order.quantity,
    )
    alarm = taken_back(order, report)
    assert alarm is not None
    keep(maker, order, reason_message=alarm.text)
    migrate(maker.path)
    assert not is_news(maker, alarm.key)


def test_an_upgrade_that_has_nothing_to_carry_over(maker):
    migrate(maker.path)
    with closing(sqlite3.connect(maker.path)) as connection:
        assert connection.execute("SELECT count(*) FROM told_notices").fetchone() == (0,)
