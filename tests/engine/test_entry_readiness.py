"""No entry goes before its client's broker has been read; exits need the positions alone; clients wait apart."""

from dataclasses import replace

import pytest

from domain.enums import TestMode
from domain.errors import OutcomeUnknown, ReadFailed, StoreUnavailable
from domain.first_reads import Part
from domain.limits import ClientPolicy, LimitBook
from domain.states import Phase, Status
from engine.client_context import ClientContext
from engine.entry_readiness import EntryReadiness
from engine.order_watcher import OrderWatcherEngine
from tests.support import EXIT, MARKET_EXIT, Desk, FakeBroker, entry, leg

DOWN = ReadFailed("502")


def told(desk: Desk) -> list[str]:
    return [notice.detail for notice in desk.notices if notice.kind == "SYSTEM"]


PARTS = [("book_error", "order book: 502"), ("positions_error", "positions: 502")]


@pytest.mark.parametrize(("broken", "why"), PARTS)
def test_entries_wait_until_both_book_and_positions_were_read_and_go_then(desk, broken, why):
    desk.post()
    desk.replace_watcher()
    setattr(desk.broker, broken, DOWN)
    for _ in range(4):
        desk.engine.tick()
        desk.clock.advance(3)
    assert desk.only().phase is Phase.REGISTERED
    assert desk.broker.placed == []
    assert desk.engine.waits_for("default") == why
    setattr(desk.broker, broken, None)
    desk.engine.tick()
    desk.engine.tick()
    assert desk.only().status is Status.EXECUTED
    assert desk.engine.waits_for("default") is None


@pytest.mark.parametrize(("broken", "why"), PARTS)
def test_the_wait_and_its_end_are_told_once_each(desk, broken, why):
    desk.replace_watcher()
    setattr(desk.broker, broken, DOWN)
    for _ in range(40):
        desk.engine.tick()
        desk.clock.advance(3)
    assert told(desk) == [f"no entry is sent until its broker has been read: {why}"]
    setattr(desk.broker, broken, None)
    for _ in range(5):
        desk.engine.tick()
        desk.clock.advance(3)
    assert told(desk)[1:] == ["the broker has been read: entries are sent again"]


def test_a_broker_that_cannot_be_read_at_all_is_told_once_not_once_for_each_part(desk):
    desk.replace_watcher()
    desk.broker.book_error = desk.broker.positions_error = DOWN
    for _ in range(30):
        desk.engine.tick()
        desk.clock.advance(3)
    assert len(told(desk)) == 1
    assert desk.engine.waits_for("default") == "order book: 502; positions: 502"


def test_a_broker_that_can_be_read_at_once_is_nothing_to_tell(desk):
    desk.replace_watcher()
    desk.engine.tick()
    assert told(desk) == []


def test_nothing_is_sent_by_a_watcher_that_was_never_asked_to_look(desk):
    desk.post()
    desk.replace_watcher()
    assert not desk.engine.execute_next("default")
    desk.engine.reconcile("default")
    assert not desk.engine.execute_next("default"), "positions were not read"
    desk.engine.refresh("default", force=True)
    assert desk.engine.execute_next("default")


def test_entries_in_test_mode_wait_as_all_others(desk):
    desk.post(test_mode=TestMode.SUCCESS)
    desk.replace_watcher()
    assert not desk.engine.execute_next("default")


def test_what_earlier_orders_became_is_known_before_the_first_entry(desk):
    """A filled entry that nobody had followed is a position by then: the strategy enters once."""
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    desk.post()
    desk.engine.execute_next("default")
    (second,) = desk.post(leg("OTHER"))
    desk.replace_watcher()
    seen = []
    desk.broker.before_place = lambda command: seen.append(desk.rows("SELECT phase FROM orders")[0][0])
    desk.engine.tick()
    assert desk.order(second.command_id).broker_order_id
    assert seen == ["FILLED"]


def test_an_exit_goes_as_soon_as_the_positions_can_be_read_whatever_the_book_does(desk):
    desk.post()
    desk.settle()
    desk.replace_watcher()
    desk.broker.book_error = DOWN
    desk.clock.advance(3)
    exit_, waiting = (
        desk.post(MARKET_EXIT, **EXIT)[0],
        desk.post(leg("OTHER"), strategy_name="B")[0],
    )
    desk.engine.tick()
    assert desk.order(exit_.command_id).broker_order_id, "an exit waited for the book"
    assert desk.order(waiting.command_id).phase is Phase.REGISTERED


def test_an_exit_waits_while_the_positions_cannot_be_read_and_goes_then(desk):
    desk.post()
    desk.settle()
    desk.replace_watcher()
    desk.broker.positions_error = DOWN
    desk.clock.advance(3)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    desk.engine.tick()
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    desk.broker.positions_error = None
    desk.clock.advance(5)
    desk.engine.tick()
    assert desk.order(exit_.command_id).broker_order_id


def test_an_entry_whose_life_ends_while_it_waits_is_ended_and_told(desk):
    (old,) = desk.post()
    desk.clock.advance(200)
    desk.engine.refresh("default", force=True)
    (young,) = desk.post(leg("OTHER"))
    desk.replace_watcher()
    desk.broker.book_error = DOWN
    desk.clock.advance(101)
    desk.engine.tick()
    assert desk.order(old.command_id).phase is Phase.LAPSED
    assert desk.order(young.command_id).phase is Phase.REGISTERED
    assert desk.broker.placed == []


def test_once_open_the_gate_stays_open(desk):
    """From then on the blockers judge the age of what was read."""
    desk.broker.book_error = DOWN
    desk.post()
    desk.engine.tick()
    assert desk.only().broker_order_id
    assert desk.engine.waits_for("default") is None


def test_with_nothing_open_the_book_is_tried_again_soon_not_with_the_next_sweep(desk):
    desk.replace_watcher()
    desk.broker.book_error = DOWN
    desk.engine.tick()
    desk.broker.book_error = None
    desk.clock.advance(1)
    desk.engine.tick()
    assert desk.engine.waits_for("default") is None


def test_a_first_look_that_the_database_spoilt_is_made_again_soon(desk, monkeypatch):
    desk.post()
    desk.settle()
    other = replace(desk.broker.orders["B00001"], broker_order_id="H1", client_order_id=None)
    desk.broker.orders["H1"], desk.broker.products["H1"] = other, "MIS"
    desk.replace_watcher()

    def full(work):
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(desk.store, "write", full)
        with pytest.raises(StoreUnavailable):
            desk.engine.reconcile("default")
    desk.clock.advance(1)
    desk.engine.tick()
    assert desk.engine.waits_for("default") is None


def test_one_clients_broker_keeps_no_other_client_waiting(desk):
    brokers = {"sick": FakeBroker(desk.clock), "well": FakeBroker(desk.clock)}
    desk.policies |= {name: ClientPolicy(name, LimitBook(), live_allowed=True) for name in brokers}
    desk.commands._clients |= desk.policies
    desk.store.claimants.enter("both")
    engine = OrderWatcherEngine(
        desk.store,
        {name: ClientContext(name, broker, desk.policies[name]) for name, broker in brokers.items()},
        clock=desk.clock,
        claimant="both",
        rules=desk.rules,
    )
    for name, broker in brokers.items():
        desk.store.save_positions(name, broker.read_positions(), desk.clock.at.date())
        desk.commands.register(entry(client_id=name), desk.delivery())
    brokers["sick"].book_error = DOWN
    for _ in range(3):
        engine.tick()
        desk.clock.advance(1)
    assert (len(brokers["sick"].placed), len(brokers["well"].placed)) == (0, 1)
    assert {n.client_id for n in desk.notices if n.kind == "SYSTEM"} == {"sick"}


def test_what_could_not_be_committed_is_told_the_next_time(desk, monkeypatch):
    gate, write = EntryReadiness(desk.store), desk.store.write

    def full(work):
        raise StoreUnavailable("disk full")

    def unable(say):
        monkeypatch.setattr(desk.store, "write", full)
        with pytest.raises(StoreUnavailable):
            say()
        monkeypatch.setattr(desk.store, "write", write)

    unable(lambda: gate.failed("default", Part.BOOK, "502"))
    assert gate.failed("default", Part.BOOK, "503")
    assert len(told(desk)) == 1
    gate.passed("default", Part.POSITIONS)
    unable(lambda: gate.passed("default", Part.BOOK))
    assert gate.is_open("default"), "a message keeps no entry waiting"
    for _ in range(2):
        gate.passed("default", Part.BOOK)
    assert len(told(desk)) == 2
