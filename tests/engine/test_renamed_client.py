"""A client that vanished from the settings: its rows are told of, its account is not served under another id."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.account import BrokerAccount
from domain.enums import Side
from domain.errors import NotFound, OpenOrders
from domain.first_reads import Part
from domain.ports import Heartbeat
from domain.states import Phase, Status
from domain.transitions import claimed
from engine.account_binding import move_rows
from engine.client_context import ClientContext
from engine.order_watcher import OrderWatcherEngine
from engine.unconfigured_clients import UnconfiguredClients
from persistence.sqlite.audit.verify import verify
from tests.support import EXIT, MARKET_EXIT, Desk, FakeBroker

REAL = BrokerAccount("fake", "FA1")
SERVED_BEFORE = "watcher-1"


def at_the_real_account(broker: FakeBroker) -> FakeBroker:
    broker.traits = replace(broker.traits, name=REAL.broker, account=REAL.user)
    return broker


@pytest.fixture
def traded(desk: Desk) -> Desk:
    """`default` holds 50 by its own fill and has a resting order; its watcher has ended."""
    at_the_real_account(desk.broker)
    desk.look()
    desk.post()
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    desk.kill()
    desk.notices.clear()
    return desk


def serve(desk: Desk, client_id: str, name: str = "watcher-2") -> OrderWatcherEngine:
    """The service is started with settings that name the account for this client alone."""
    engine = desk.new_engine(name)
    policy = replace(desk.policies.pop("default"), client_id=client_id)
    desk.policies[client_id] = policy
    engine._contexts = {client_id: ClientContext(client_id, desk.broker, policy)}
    return engine


def told(desk: Desk) -> list[str]:
    return [notice.detail for notice in desk.notices if notice.kind == "SYSTEM"]


def move(desk: Desk, old: str = "default", new: str = "renamed", account: BrokerAccount = REAL):
    return move_rows(desk.store, old, new, account, clock=desk.clock, by="cli:op")


def test_a_new_id_of_an_account_with_rows_is_not_served_and_told_once(traded):
    engine = serve(traded, "renamed")
    for _ in range(3):
        engine.tick()
        traded.clock.advance(3)
    assert "`python cli.py rebind default renamed`" in engine.missing("renamed")[Part.ACCOUNT]
    assert traded.store.account("renamed") is None
    assert len([text for text in told(traded) if "rebind default renamed" in text]) == 1


def test_an_exit_of_the_new_id_waits_and_goes_once_the_rows_are_moved(traded):
    engine = serve(traded, "renamed")
    sent = len(traded.broker.placed)
    traded.post(MARKET_EXIT, client_id="renamed", **EXIT)
    for _ in range(3):
        engine.tick()
        traded.clock.advance(1)
    assert len(traded.broker.placed) == sent  # what it would close is not known to be its own
    assert move(traded)[1] == 1
    for _ in range(12):
        engine.tick()
        traded.clock.advance(1)
    closing = traded.broker.placed[sent:]
    assert [(c.side, c.quantity) for c in closing] == [(Side.SELL, Decimal(50))]


def test_the_old_id_is_not_served_again_after_its_rows_were_moved(traded):
    move(traded)
    engine = serve(traded, "default")
    engine.tick()
    assert "rebind renamed default" in str(engine.waits_for("default"))


def test_what_is_moved_keeps_its_history(traded):
    move(traded)
    [order] = [traded.store.get_by_id(row[0]) for row in traded.rows("SELECT command_id FROM orders")]
    assert order is not None
    assert (order.client_id, order.phase) == ("renamed", Phase.FILLED)
    [(actor, detail)] = traded.rows(
        "SELECT actor, detail_json FROM order_events ORDER BY event_id DESC LIMIT 1"
    )
    assert actor == "cli:op"
    assert detail == '{"client_id":"renamed","moved_from":"default"}'
    assert verify(traded.path).problems == []
    assert [h.net_quantity for h in traded.store.holdings("renamed")] == [Decimal(50)]
    assert traded.store.holdings("default") == []
    assert traded.store.account("renamed") == REAL and traded.store.account("default") is None


def test_a_signal_id_stays_once_for_ever_under_the_new_id(desk):
    at_the_real_account(desk.broker)
    desk.look()
    desk.post(signal_id="once")
    desk.settle()
    desk.kill()
    move(desk)
    keys = desk.rows("SELECT idempotency_key FROM alerts UNION SELECT idempotency_key FROM order_intents")
    assert {key.partition("|")[0] for (key,) in keys} == {"renamed"}


def test_another_account_moves_nothing(traded):
    with pytest.raises(NotFound, match="rows move only within one account"):
        move(traded, account=BrokerAccount("fake", "FA2"))
    with pytest.raises(NotFound, match="no watcher has seen an account of nobody"):
        move(traded, old="nobody")
    assert traded.store.account("default") == REAL


def test_nothing_is_moved_while_a_watcher_serves_the_old_id(desk):
    at_the_real_account(desk.broker)
    desk.look()
    desk.post()
    [row] = desk.rows("SELECT command_id FROM orders")
    order = desk.store.get_by_id(row[0])
    assert order is not None
    desk.store.write(lambda tx: tx.apply(claimed(order, at=desk.clock.now(), claimant=SERVED_BEFORE)))
    with pytest.raises(OpenOrders, match="a watcher still serves default"):
        move(desk)
    desk.kill()
    assert move(desk)[0] == 1


# rows that nobody serves ------------------------------------------------------------------------------------


def checker(desk: Desk, **configured: BrokerAccount) -> UnconfiguredClients:
    default = next(iter(configured))
    return UnconfiguredClients(desk.store, configured, clock=desk.clock, default=default)


def test_a_client_that_is_configured_no_more_is_told_of_once(traded):
    traded.clock.advance(60)
    check = checker(traded, other=BrokerAccount("fake", "FB2"))
    rows = check.check()
    assert [str(each) for each in rows] == ["default (FA1 at fake): STRADDLE holds 50 NFO:NIFTY26NOV24500CE"]
    check.check()
    checker(traded, other=BrokerAccount("fake", "FB2")).check()
    [text] = told(traded)
    assert "put default back into the clients file" in text


def test_a_renamed_client_is_told_with_the_command_that_moves_its_rows(traded):
    traded.clock.advance(60)
    checker(traded, other=BrokerAccount("fake", "FB2"), renamed=REAL).check()
    [notice] = [n for n in traded.notices if n.kind == "SYSTEM"]
    assert notice.client_id == "renamed"
    assert "`python cli.py rebind default renamed`" in notice.detail


def test_it_is_told_anew_after_it_was_configured_in_between(traded):
    traded.clock.advance(60)
    for configured in ({"other": REAL}, {"default": REAL}, {"other": REAL}):
        checker(traded, **configured).check()
    assert len(told(traded)) == 2


def test_rows_that_another_process_serves_are_nobodys_concern(traded):
    traded.clock.advance(60)
    traded.store.save_heartbeats([Heartbeat("elsewhere", "reconcile", "default", traded.clock.now())])
    assert checker(traded, other=REAL).check() == []
    traded.clock.advance(11)
    assert checker(traded, other=REAL).check() != []
