"""Rows that are another account's: nothing is sent, followed, compared or forgotten until both agree again."""

import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.account import BrokerAccount
from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderReport
from domain.enums import Side
from domain.errors import NotFound, OpenOrders, OutcomeUnknown, ReadFailed, StoreUnavailable
from domain.first_reads import Part
from domain.states import Phase, Status
from engine.account_binding import rebind
from engine.order_watcher import OrderWatcherEngine
from tests.support import EXIT, MARKET_EXIT, Desk, FakeBroker, leg

PAPER, REAL = BrokerAccount("fake", "paper"), BrokerAccount("fake", "FA1")
PP = "NIFTY26NOV24500CE"


def broker_of(desk: Desk, account: BrokerAccount, id_class: IdClass = IdClass.C1) -> FakeBroker:
    broker = FakeBroker(desk.clock, id_class)
    broker.traits = replace(broker.traits, name=account.broker, account=account.user)
    return broker


def start_at(desk: Desk, broker: FakeBroker, name: str = "watcher-2") -> OrderWatcherEngine:
    """The service is started anew, with settings that name this broker."""
    desk.kill()
    desk.broker = broker
    desk.engine = desk.new_engine(name)
    return desk.engine


def bought_by_hand(broker: FakeBroker, qty: int) -> None:
    broker.orders["HAND"] = OrderReport(
        "HAND", None, BrokerStatus.COMPLETE, "NFO", PP, Side.BUY, Decimal(qty), Decimal(qty), Decimal(100)
    )
    broker.products["HAND"] = "MIS"


def told(desk: Desk) -> list[str]:
    return [notice.detail for notice in desk.notices if notice.kind == "SYSTEM"]


def rounds(desk: Desk, count: int = 6) -> None:
    for _ in range(count):
        desk.engine.tick()
        desk.engine.escalate("default")
        desk.engine.expire_overdue("default")
        desk.clock.advance(3)


TABLES = ("orders", "order_events", "holdings", "positions", "last_fills", "external_orders",
          "position_differences")  # fmt: skip


def all_rows(desk: Desk) -> dict[str, list[tuple[object, ...]]]:
    return {table: desk.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES} | {
        "accounts": desk.rows("SELECT positions_read_at, pnl, read_error, broker, broker_user FROM accounts")
    }


@pytest.fixture
def paper(desk) -> Desk:
    """A desk whose rows are those of the paper account, with 50 held there."""
    start_at(desk, broker_of(desk, PAPER), "watcher-1b")
    desk.look()
    desk.post()
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    desk.kill("watcher-1b")
    desk.notices.clear()
    return desk


# what is remembered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["reconcile", "refresh"])
def test_the_first_account_that_was_read_is_remembered(desk, look):
    engine = start_at(desk, broker_of(desk, REAL))
    assert desk.store.account("default") is None
    engine.reconcile("default") if look == "reconcile" else engine.refresh("default", force=True)
    assert desk.store.account("default") == REAL


def test_an_account_that_could_not_be_read_is_not_remembered(desk):
    broker = broker_of(desk, BrokerAccount("fake", "MISTYPED"))
    broker.book_error = broker.positions_error = ReadFailed("no such user")
    start_at(desk, broker)
    desk.post(**EXIT)
    rounds(desk)
    assert desk.store.account("default") is None
    start_at(desk, broker_of(desk, REAL), "watcher-3")
    rounds(desk)
    assert desk.store.account("default") == REAL
    assert desk.engine.waits_for("default") is None


def test_an_adapter_that_does_not_say_whose_it_is_is_never_compared(paper):
    silent = broker_of(paper, BrokerAccount("fake", ""))
    start_at(paper, silent)
    paper.look()
    assert paper.engine.waits_for("default") is None
    assert paper.store.account("default") == PAPER


def test_an_exit_that_is_first_to_read_the_account_is_sent_and_remembers_it(desk):
    broker = broker_of(desk, REAL)
    bought_by_hand(broker, 50)
    engine = start_at(desk, broker)
    desk.hold(50)
    desk.post(MARKET_EXIT, **EXIT)
    assert engine.execute_next("default", exits_only=True)
    assert len(broker.placed) == 1
    assert desk.store.account("default") == REAL


def test_a_test_mode_order_reads_nothing_and_remembers_nothing(desk):
    engine = start_at(desk, broker_of(desk, REAL))
    desk.post(MARKET_EXIT, **EXIT, test_mode="SUCCESS")
    engine.execute_next("default")
    assert desk.store.account("default") is None


def test_of_two_watchers_that_begin_with_different_accounts_one_is_served(desk):
    engines = {}
    for number, account in enumerate((PAPER, REAL)):
        desk.broker = broker_of(desk, account)
        engines[account] = desk.new_engine(f"watcher-{number + 5}")
    threads = [threading.Thread(target=desk.look, args=(engine,)) for engine in engines.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    for engine in engines.values():
        desk.look(engine)
    winner = desk.store.account("default")
    assert [a for a, engine in engines.items() if engine.waits_for("default") is None] == [winner]


def test_what_could_not_be_remembered_is_not_used(desk, monkeypatch):
    """A watcher that is killed, or whose disk is full, before the account is durable has kept nothing of the read."""
    broker = broker_of(desk, REAL)
    bought_by_hand(broker, 50)
    engine = start_at(desk, broker)
    before, write = all_rows(desk), desk.store.write

    def fail(work: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(desk.store, "write", fail)
    for look in (engine.reconcile, lambda client: engine.refresh(client, force=True)):
        with pytest.raises(StoreUnavailable):
            look("default")
    assert all_rows(desk) == before
    monkeypatch.setattr(desk.store, "write", write)
    desk.clock.advance(3)
    desk.look()
    assert desk.store.account("default") == REAL
    assert engine.waits_for("default") is None


# another account --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("execution", [{}, EXIT], ids=["entry", "exit"])
def test_nothing_is_sent_to_another_account_and_what_waits_lapses(paper, execution):
    real = broker_of(paper, REAL)
    bought_by_hand(real, 50)
    start_at(paper, real)
    order = paper.post(MARKET_EXIT if execution else leg("BANKNIFTY"), **execution)[0]
    assert order.phase is Phase.REGISTERED
    rounds(paper)
    assert paper.order(order.command_id).phase is Phase.REGISTERED
    paper.clock.advance((order.expires_at - paper.clock.at).total_seconds() + 1)
    rounds(paper, 2)
    assert paper.order(order.command_id).tag == "NOT_SENT:ALERT_TOO_OLD"
    assert [n.kind for n in paper.notices if n.order is not None][-1] == "FAILED"
    assert real.placed == [] and real.cancelled == []


def test_an_exit_that_waits_is_told_and_keeps_no_overdue_entry_waiting(paper):
    real = broker_of(paper, REAL)
    bought_by_hand(real, 50)
    start_at(paper, real)
    exit_ = paper.post(MARKET_EXIT, **EXIT)[0]
    entry = paper.post(leg("BANKNIFTY"))[0]
    rounds(paper, 120)
    waits = [
        n.detail for n in paper.notices if n.order is not None and n.order.command_id == exit_.command_id
    ]
    assert set(waits) == {
        "the exit is not sent yet: the rows are those of another account than the settings name"
    }
    assert len(waits) <= 1 + paper.clock.at.timestamp() // 300 - exit_.created_at.timestamp() // 300, (
        "every five minutes"
    )
    assert paper.order(exit_.command_id).phase is Phase.REGISTERED
    assert paper.order(entry.command_id).tag == "NOT_SENT:ALERT_TOO_OLD"
    assert real.placed == []


def test_a_test_mode_exit_waits_too(paper):
    start_at(paper, broker_of(paper, REAL))
    rounds(paper)
    order = paper.post(MARKET_EXIT, **EXIT, test_mode="SUCCESS")[0]
    rounds(paper)
    assert paper.order(order.command_id).phase is Phase.REGISTERED


def test_what_the_other_account_shows_is_not_taken_for_the_rows(paper):
    """A position by hand, an order by hand, flat where something is held: nothing of it is kept or compared."""
    real = broker_of(paper, REAL)
    bought_by_hand(real, 70)
    start_at(paper, real)
    before = all_rows(paper)
    assert paper.engine.reconcile("default") == 0
    assert paper.engine.refresh("default", force=True) is False
    rounds(paper, 30)
    assert all_rows(paper) == before


def test_another_account_is_not_even_read(paper):
    """So that it cannot be read is no news of ours, and no second message."""
    real = broker_of(paper, REAL)
    real.book_error = real.positions_error = ReadFailed("502")
    start_at(paper, real)
    before = all_rows(paper)
    rounds(paper, 30)
    assert all_rows(paper) == before
    assert len(told(paper)) == 1


def test_waiting_costs_no_commits(paper, monkeypatch):
    start_at(paper, broker_of(paper, REAL))
    rounds(paper)

    def fail(work: object) -> None:
        raise AssertionError("a commit, which wakes everybody, at every look")

    monkeypatch.setattr(paper.store, "write", fail)
    rounds(paper)


@pytest.mark.parametrize("state", ["unknown", "resting", "claimed"])
def test_open_orders_are_not_looked_for_in_another_accounts_book(paper, state):
    fake = broker_of(paper, PAPER)
    paper.broker = fake
    engine = paper.new_engine("watcher-4")
    paper.look(engine)
    fake.fill_at_once = False
    if state == "unknown":
        fake.script = [OutcomeUnknown("timeout")]
    if state == "claimed":

        def die(command: object) -> None:
            raise KeyboardInterrupt

        fake.before_place = die
    order = paper.post(leg("BANKNIFTY"))[0]
    try:
        engine.execute_next("default")
    except KeyboardInterrupt:
        pass
    paper.kill("watcher-4")
    start_at(paper, broker_of(paper, REAL, IdClass.C4), "watcher-6")
    before = paper.order(order.command_id)
    assert before.may_be_live
    rounds(paper, 30)
    assert paper.order(order.command_id) == before
    assert paper.broker.placed == []


def test_it_is_told_once_by_all_watchers_together_with_both_names_and_both_ways_out(paper):
    start_at(paper, broker_of(paper, REAL))
    rounds(paper)
    start_at(paper, paper.broker, "watcher-3")
    rounds(paper)
    [text] = told(paper)
    for part in ("default", str(PAPER), str(REAL), "another ORDERS_DB", "python cli.py rebind default"):
        assert part in text
    assert paper.engine.missing("default") == {Part.ACCOUNT: text}
    assert paper.engine.waits_for("default") == f"account: {text}"


def test_back_at_its_own_account_all_goes_on_and_that_is_told_once(paper):
    own = broker_of(paper, PAPER)
    bought_by_hand(own, 50)
    start_at(paper, broker_of(paper, REAL))
    rounds(paper)
    for name in ("watcher-7", "watcher-8"):
        start_at(paper, own, name)
        rounds(paper)
    assert paper.engine.waits_for("default") is None
    assert [text for text in told(paper) if "served again" in text] == told(paper)[1:2]
    paper.post(MARKET_EXIT, **EXIT)
    paper.settle()
    assert [c.side for c in own.placed] == [Side.SELL]
    start_at(paper, broker_of(paper, REAL), "watcher-9")
    rounds(paper)
    assert len([text for text in told(paper) if "rebind" in text]) == 2, "a second time is news"


def test_a_message_that_could_not_be_kept_is_told_the_next_time(paper, monkeypatch):
    start_at(paper, broker_of(paper, REAL))
    write = paper.store.write

    def fail(work: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(paper.store, "write", fail)
    with pytest.raises(StoreUnavailable):
        paper.engine.reconcile("default")
    assert Part.ACCOUNT in paper.engine.missing("default")
    monkeypatch.setattr(paper.store, "write", write)
    rounds(paper)
    assert len(told(paper)) == 1


# rebinding --------------------------------------------------------------------------------------------------


def test_after_rebinding_the_watcher_that_waited_goes_on(paper):
    real = broker_of(paper, REAL)
    bought_by_hand(real, 70)  # and its numbers go on from there
    start_at(paper, real)
    rounds(paper)
    before = paper.rows("SELECT * FROM order_events")
    assert rebind(paper.store, "default", REAL, by="cli:ann") == PAPER
    assert paper.store.holdings("default") == []
    assert paper.store.saved_positions("default") is None
    assert paper.rows("SELECT * FROM last_fills") == []
    assert paper.rows("SELECT * FROM order_events") == before
    rounds(paper, 2)
    assert paper.engine.waits_for("default") is None
    order = paper.post(leg(qty=75))[0]
    paper.settle()
    assert paper.order(order.command_id).status is Status.EXECUTED
    assert len(real.placed) == 1
    assert [("rebind" in text, "from now on, by cli:ann" in text) for text in told(paper)] == [
        (True, False),
        (False, True),
    ]


def test_rebinding_begins_with_a_new_look(paper):
    """What the watcher had read before was another account's: entries wait for its own book and positions again."""
    real = broker_of(paper, REAL)
    start_at(paper, real)
    rounds(paper)
    rebind(paper.store, "default", REAL, by="cli:ann")
    real.positions_error = ReadFailed("502")
    paper.clock.advance(3)
    paper.look()
    assert paper.engine.waits_for("default") == "positions: 502"


def test_a_watcher_that_is_rebound_away_and_back_looks_anew_and_tells_of_each(paper):
    own = broker_of(paper, PAPER)
    start_at(paper, own)
    rounds(paper)
    for _ in range(2):
        rebind(paper.store, "default", REAL, by="cli:ann")
        rounds(paper)
        assert Part.ACCOUNT in paper.engine.missing("default")
        rebind(paper.store, "default", PAPER, by="cli:ann")
        own.positions_error = ReadFailed("502")
        rounds(paper)
        assert paper.engine.waits_for("default") == "positions: 502"
        own.positions_error = None
        rounds(paper)
        assert paper.engine.waits_for("default") is None
    assert len([text for text in told(paper) if "rebind" in text]) == 2


@pytest.mark.parametrize("how", ["waiting", "unknown"])
def test_rebinding_is_refused_while_orders_have_not_ended(paper, how):
    own = broker_of(paper, PAPER)
    paper.broker = own
    engine = paper.new_engine("watcher-4")
    paper.look(engine)
    own.script = [OutcomeUnknown("timeout")]
    order = paper.post(leg("BANKNIFTY"))[0]
    if how == "unknown":
        engine.execute_next("default")
    before = all_rows(paper)
    with pytest.raises(OpenOrders, match=order.command_id):
        rebind(paper.store, "default", REAL, by="cli:ann")
    assert all_rows(paper) == before


def test_there_is_nothing_to_rebind_where_nothing_is_known_or_all_is_as_it_should_be(desk):
    with pytest.raises(NotFound, match="no watcher has seen"):
        rebind(desk.store, "default", REAL, by="cli:ann")
    start_at(desk, broker_of(desk, REAL))
    desk.look()
    with pytest.raises(NotFound, match="already"):
        rebind(desk.store, "default", REAL, by="cli:ann")


@pytest.mark.parametrize("execution", [{}, EXIT], ids=["entry", "exit"])
def test_a_watcher_that_runs_on_at_the_old_account_sends_nothing_after_rebinding(paper, execution):
    """Its gate is open and its last look was well: the claim itself compares, in its own transaction."""
    own = broker_of(paper, PAPER)
    bought_by_hand(own, 50)
    start_at(paper, own)
    rounds(paper)
    assert paper.engine.waits_for("default") is None
    rebind(paper.store, "default", REAL, by="cli:ann")
    paper.broker = broker_of(paper, REAL)
    bought_by_hand(paper.broker, 50)
    new = paper.new_engine("watcher-9")
    paper.look(new)
    paper.hold(50)
    order = paper.post(MARKET_EXIT if execution else leg("BANKNIFTY"), **execution)[0]
    for _ in range(3):
        paper.engine.execute_next("default")
    assert own.placed == []
    assert paper.order(order.command_id).phase is Phase.REGISTERED
    assert Part.ACCOUNT in paper.engine.missing("default")
    paper.clock.advance(6)
    assert new.execute_next("default")
    assert len(paper.broker.placed) == 1


@pytest.mark.parametrize("read", ["read_book", "read_positions"])
def test_what_was_read_at_the_old_account_while_it_was_rebound_is_not_kept(paper, read, monkeypatch):
    own = broker_of(paper, PAPER)
    start_at(paper, own)
    rounds(paper)
    bought_by_hand(own, 70)
    reading = getattr(own, read)

    def rebound_meanwhile(*args: object, **options: object) -> object:
        found = reading(*args, **options)
        rebind(paper.store, "default", REAL, by="cli:ann")
        return found

    monkeypatch.setattr(own, read, rebound_meanwhile)
    paper.engine.nudge("default")
    if read == "read_book":
        paper.engine.reconcile("default")
    else:
        assert paper.engine.refresh("default", force=True) is False
    for table in ("external_orders", "positions", "position_differences", "holdings"):
        assert paper.rows(f"SELECT * FROM {table}") == []
    assert paper.store.saved_positions("default") is None


def test_the_times_of_a_read_do_not_lose_whose_the_rows_are(paper):
    start_at(paper, broker_of(paper, PAPER))
    rounds(paper)
    paper.store.save_read_error("default", paper.clock.now(), "502")
    paper.engine.refresh("default", force=True)
    assert paper.store.account("default") == PAPER
    assert paper.rows("SELECT read_error, read_error_at FROM accounts") == [(None, None)]


def test_the_case_of_a_users_letters_makes_no_other_account():
    one, other = BrokerAccount("shoonya", "fa1"), BrokerAccount("shoonya", "FA1")
    assert one == other and hash(one) == hash(other)
    assert one != BrokerAccount("zebu", "fa1") and one != BrokerAccount("shoonya", "fa2") and one != "fa1"
