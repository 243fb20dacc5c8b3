"""What a process is made of: nothing that belongs to one client is given to another."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.container import Services, build_services
from app.settings import load_settings
from domain.alert import Alert, Delivery
from domain.broker_reports import Book, PositionsSnapshot
from domain.enums import ExecutionType, Outcome
from domain.notices import Notice, NoticeKind
from domain.order_events import register
from notifications.facts import facts_of
from notifications.messages import render
from tests.adapters import adapter_of
from tests.app.two_accounts import CLIENTS, environ_of
from tests.persistence.making import Maker


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Two accounts at one broker."""
    monkeypatch.chdir(tmp_path)
    Path("clients.toml").write_text(CLIENTS)
    return build_services(load_settings(environ_of(tmp_path)))


def test_each_client_has_a_rate_budget_of_its_own(services, tmp_path):
    for client_id in services.brokers:
        adapter_of(services, client_id)._budget.take(urgent=False)  # an account's own, with places of its own
    assert sorted(file.name for file in tmp_path.glob("*.budget")) == ["alice.budget", "bob.budget"]


def test_reads_say_since_when_the_clock_was_not_set(services, monkeypatch, tmp_path):
    now = services.clock.now()
    empty = Book(now, (), complete=True), PositionsSnapshot(now, ())
    for client_id, broker in services.brokers.items():
        adapter = adapter_of(services, client_id)
        monkeypatch.setattr(adapter, "read_book", lambda wanted, *, urgent=False: empty[0])
        monkeypatch.setattr(adapter, "read_positions", lambda *, urgent=False: empty[1])
        book, positions = broker.port.read_book([]), broker.port.read_positions()
        assert book.steady_since == positions.steady_since == services.steadiness.since()
    assert (tmp_path / "orders.db-clock.json").exists()


def test_a_message_is_kept_with_what_it_tells(services):
    notice = Notice(NoticeKind.ALERT_REJECTED, "alice", detail="no symbol")
    services.store.write(lambda tx: tx.notify(notice))
    [waiting] = services.database.outbox().pending(["alice"], 10)
    assert (waiting.text, waiting.facts) == (render(notice), facts_of(notice))


def test_an_entry_asks_whether_an_exit_waits_without_reading_one(services, monkeypatch):
    def read(*_: object, **__: object) -> None:
        raise AssertionError("orders were read")

    monkeypatch.setattr(services.store, "claimable", read)
    for client_id in services.brokers:
        assert adapter_of(services, client_id)._budget._exit_waits() is False


@pytest.mark.parametrize(
    ("kind", "client", "later", "waits"),
    [
        (ExecutionType.EXIT, "alice", timedelta(0), True),
        (
            ExecutionType.EXIT,
            "alice",
            timedelta(seconds=5),
            False,
        ),  # it is put off: nobody has to stay back yet
        (ExecutionType.EXIT, "bob", timedelta(0), False),
        (ExecutionType.ENTRY, "alice", timedelta(0), False),
    ],
)
def test_an_exit_waits_that_may_be_sent_now_from_the_same_account(services, kind, client, later, waits):
    at = services.clock.now()
    order = replace(Maker._leg("a1", 0, at), execution_type=kind, client_id=client, not_before=at + later)
    alert = Alert("a1", client, Delivery(at, "127.0.0.1", "{}", "native"), Outcome.ACCEPTED, "key")

    def work(tx):
        tx.add_alert(alert)
        tx.apply(register(order, at=at, actor="webhook"))

    services.store.write(work)
    assert adapter_of(services, "alice")._budget._exit_waits() is waits
