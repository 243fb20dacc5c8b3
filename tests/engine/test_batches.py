"""Entries that are claimed together: each is judged, sent and recorded as it would be alone."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from domain.broker_capabilities import BrokerTraits, IdClass
from domain.commands import UniversalOrderCommand
from domain.enums import TestMode
from domain.errors import NotSent, OutcomeUnknown, Refused, StoreFull, StoreUnavailable
from domain.limits import LimitBook, Limits
from domain.order import Order
from domain.ports import Halt
from domain.states import Phase, Status
from tests.engine.promises import check_durable_truths, check_told
from tests.support import EXIT, INDEPENDENT, MARKET_EXIT, Desk, leg


class Killed(BaseException):
    """The process is gone."""


def a_desk(folder: Path, **changes: object) -> Desk:
    return Desk(folder, id_class=IdClass.C4, **{"together": 8, **changes})  # type: ignore[arg-type]


def entries(desk: Desk, count: int) -> list[Order]:
    return [desk.post(leg(f"S{number}"), strategy_name=f"T{number}")[0] for number in range(count)]


def phases(desk: Desk, orders: list[Order]) -> list[str]:
    return [str(desk.order(order.command_id).phase) for order in orders]


def commits(desk: Desk, work: Callable[[], object]) -> int:
    store: Any = desk.store
    before = store._commits._guard.commits
    work()
    return int(store._commits._guard.commits - before)


def drain(desk: Desk) -> None:
    while desk.engine.execute_next("default"):
        pass


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return a_desk(tmp_path)


# claims -------------------------------------------------------------------------------------------------------


def test_claims_are_committed_before_the_first_call_and_outcomes_with_the_next_claims(desk):
    orders = entries(desk, 20)
    seen = []
    desk.broker.before_place = lambda command: seen.append(phases(desk, orders))
    assert commits(desk, lambda: desk.engine.execute_next("default")) == 4, "8, 8, 4, and the last outcomes"
    assert phases(desk, orders) == ["WORKING"] * 20
    assert seen[0] == ["SUBMITTING"] * 8 + ["REGISTERED"] * 12
    assert seen[8] == ["WORKING"] * 8 + ["SUBMITTING"] * 8 + ["REGISTERED"] * 4
    assert len(desk.broker.placed) == 20
    desk.settle()
    assert phases(desk, orders) == ["FILLED"] * 20
    check_durable_truths(desk)
    for order in orders:
        check_told(desk, desk.order(order.command_id))


def test_no_batch_is_claimed_while_an_exit_may_be_sent(desk):
    held = entries(desk, 1)
    desk.settle()
    assert phases(desk, held) == ["FILLED"]
    waiting = [desk.post(leg(f"W{number}"), strategy_name="W")[0] for number in range(3)]
    (exit_,) = desk.post(replace(MARKET_EXIT, symbol="S0"), strategy_name="T0", **EXIT)
    first = []
    desk.broker.before_place = lambda command: first.append(command.symbol)
    desk.engine.execute_next("default")
    assert first == ["S0"]
    drain(desk)
    assert first == ["S0", "W0", "W1", "W2"]
    assert phases(desk, [exit_, *waiting]) == ["WORKING"] * 4


def test_an_exit_that_comes_before_the_lock_is_taken_goes_first(desk, monkeypatch):
    held = entries(desk, 1)
    desk.settle()
    waiting = [desk.post(leg(f"W{number}"), strategy_name="W")[0] for number in range(3)]
    claimable, exits = desk.store.claimable, []

    def then_an_exit(*args, **kwargs):
        found = claimable(*args, **kwargs)
        if not exits:
            exits.extend(desk.post(replace(MARKET_EXIT, symbol="S0"), strategy_name="T0", **EXIT))
        return found

    monkeypatch.setattr(desk.store, "claimable", then_an_exit)
    sent = []
    desk.broker.before_place = lambda command: sent.append(command.symbol)
    desk.engine.execute_next("default")
    assert sent == ["S0"]
    assert phases(desk, [*held, *exits, *waiting]) == ["FILLED", "WORKING"] + ["REGISTERED"] * 3


def test_what_a_rule_stops_is_stopped_alone_and_the_others_go(desk):
    orders = entries(desk, 5)
    desk.store.write(lambda tx: tx.set_halt(Halt("default", "T2", desk.clock.now(), "ann", "why")))
    drain(desk)
    assert phases(desk, orders) == ["WORKING", "WORKING", "BLOCKED", "WORKING", "WORKING"]


def test_an_order_that_another_watcher_has_moved_stops_no_other(desk, monkeypatch):
    orders = entries(desk, 5)
    claimable = desk.store.claimable

    def moved_after(*args, **kwargs):
        found = claimable(*args, **kwargs)
        monkeypatch.setattr(desk.store, "claimable", claimable)
        desk.commands.cancel(orders[1].command_id, by="op")
        return found

    monkeypatch.setattr(desk.store, "claimable", moved_after)
    drain(desk)
    assert phases(desk, orders) == ["WORKING", "LAPSED", "WORKING", "WORKING", "WORKING"]
    check_durable_truths(desk)


def test_two_entries_in_one_symbol_are_no_batch(desk):
    first = desk.post(leg("S0"), strategy_name="A")[0]
    second = desk.post(leg("S0"), strategy_name="B")[0]
    desk.broker.script = [OutcomeUnknown("timed out")]
    drain(desk)
    assert phases(desk, [first, second]) == ["UNKNOWN", "BLOCKED"]
    assert desk.order(second.command_id).tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"


def test_the_next_claims_are_judged_by_the_outcomes_that_are_recorded_with_them(tmp_path):
    desk = a_desk(tmp_path, together=2)
    first = entries(desk, 2)
    behind = [desk.post(leg(f"S{number}"), strategy_name="B")[0] for number in range(2)]
    desk.broker.script = [OutcomeUnknown("timed out"), None]
    drain(desk)
    assert phases(desk, [*first, *behind]) == ["UNKNOWN", "WORKING", "BLOCKED", "WORKING"]


def test_a_limit_counts_the_entries_of_its_own_batch(desk):
    orders = entries(desk, 5)
    policy = desk.policies["default"]
    desk.policies["default"] = replace(policy, limits=LimitBook(Limits(max_open_orders=2)))
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    drain(desk)
    assert phases(desk, orders) == ["BLOCKED"] * 3 + ["WORKING"] * 2


def test_outcomes_are_kept_when_the_next_claims_are_not(tmp_path, monkeypatch):
    desk = a_desk(tmp_path, together=2)
    orders = entries(desk, 4)
    claimable, calls = desk.store.claimable, []

    def moved_after(*args, **kwargs):
        calls.append(args)
        found = claimable(*args, **kwargs)
        if len(calls) == 2:
            desk.commands.cancel(orders[2].command_id, by="op")
        return found

    monkeypatch.setattr(desk.store, "claimable", moved_after)
    desk.engine.execute_next("default")
    assert phases(desk, orders) == ["WORKING", "WORKING", "LAPSED", "WORKING"]


def test_an_order_in_test_mode_goes_alone(desk):
    tested = desk.post(leg("S9"), test_mode=TestMode.SUCCESS)[0]
    orders = entries(desk, 2)
    drain(desk)
    assert phases(desk, [tested, *orders]) == ["WORKING"] * 3
    assert {command.symbol for command in desk.broker.placed} == {"S0", "S1"}


def test_while_one_thread_claims_batches_another_leaves_them_to_it(desk):
    entries(desk, 3)
    found = []
    desk.broker.before_place = lambda command: found.append(desk.engine.execute_next("default"))
    desk.engine.execute_next("default")
    assert found == [False, False, False]


def test_a_thread_that_hangs_in_a_batch_holds_up_no_other(desk):
    entries(desk, 3)
    found = []

    def hang(command: UniversalOrderCommand) -> None:
        desk.broker.before_place = lambda command: None
        desk.clock.advance(5)
        found.extend(desk.post(leg("LATE"), strategy_name="LATE"))
        desk.engine.execute_next("default")
        found[:] = [desk.order(order.command_id) for order in found]

    desk.broker.before_place = hang
    desk.engine.execute_next("default")
    assert [order.phase for order in found] == [Phase.WORKING]


def test_where_entries_wait_no_batch_is_claimed(desk):
    desk.replace_watcher()
    orders = entries(desk, 3)
    assert desk.engine.execute_next("default") is False
    assert phases(desk, orders) == ["REGISTERED"] * 3


@pytest.mark.parametrize("id_class", [IdClass.C0, IdClass.C1, IdClass.C2, IdClass.C3])
def test_only_where_an_id_is_unique_for_ever_orders_may_be_claimed_together(id_class):
    with pytest.raises(ValueError, match="claims_together"):
        BrokerTraits(name="x", is_real=True, id_class=id_class, claims_together=2)


# outcomes -----------------------------------------------------------------------------------------------------


def test_each_outcome_is_recorded_for_its_own_order(desk):
    orders = entries(desk, 5)
    desk.broker.script = [
        None,
        Refused("Insufficient margin", "RMS7"),
        NotSent("no connection"),
        OutcomeUnknown("timed out"),
        None,
    ]
    desk.engine.execute_next("default")
    assert phases(desk, orders) == ["WORKING", "REFUSED", "REGISTERED", "UNKNOWN", "WORKING"]
    desk.settle()
    assert phases(desk, [orders[0], orders[4]]) == ["FILLED", "FILLED"]
    check_durable_truths(desk)


def test_a_leg_that_is_refused_stops_the_legs_behind_it(desk):
    legs = list(desk.post(*(leg(f"S{number}") for number in range(4))))
    other = desk.post(leg("OTHER"), strategy_name="OTHER")[0]
    desk.broker.script = [None, Refused("Insufficient margin", "RMS7")]
    drain(desk)
    assert phases(desk, [*legs, other]) == ["WORKING", "REFUSED", "BLOCKED", "BLOCKED", "WORKING"]
    assert [desk.order(o.command_id).tag for o in legs[2:]] == ["GUARD_BLOCKED:GROUP_INCOMPLETE"] * 2
    assert [command.symbol for command in desk.broker.placed] == ["S0", "OTHER"]


def test_a_leg_that_a_rule_stops_stops_the_legs_behind_it(desk):
    """One leg of a batch goes alone, and is blocked: the leg behind it must not be at the broker by then."""
    first = desk.post(leg("S0"), strategy_name="A")[0]
    legs = list(desk.post(leg("S0"), leg("S1"), strategy_name="B"))
    other = desk.post(leg("OTHER"), strategy_name="OTHER")[0]
    desk.broker.script = [OutcomeUnknown("timed out")]
    drain(desk)
    assert phases(desk, [first, *legs, other]) == ["UNKNOWN", "BLOCKED", "BLOCKED", "WORKING"]


def test_where_legs_are_independent_the_others_go(tmp_path):
    desk = a_desk(tmp_path, strategy=INDEPENDENT)
    legs = list(desk.post(*(leg(f"S{number}") for number in range(3))))
    desk.broker.script = [Refused("Insufficient margin", "RMS7")]
    drain(desk)
    assert phases(desk, legs) == ["REFUSED", "WORKING", "WORKING"]


def test_an_exit_that_came_during_the_batch_takes_its_entry_back(desk):
    desk.broker.fill_at_once = False
    orders = entries(desk, 3)

    def exit_comes(command: UniversalOrderCommand) -> None:
        desk.broker.before_place = lambda command: None
        desk.post(replace(MARKET_EXIT, symbol="S1"), strategy_name="T1", **EXIT)

    desk.broker.before_place = exit_comes
    drain(desk)
    assert desk.order(orders[1].command_id).cancel_requested_at is not None
    assert desk.order(orders[0].command_id).cancel_requested_at is None


def test_a_number_that_two_answers_name_is_believed_of_one(desk):
    orders = entries(desk, 2)
    take = desk.broker._take
    desk.broker._take = lambda command: take(command) and "B00001"
    desk.engine.execute_next("default")
    assert phases(desk, orders) == ["WORKING", "UNKNOWN"]


def test_an_adapter_that_fails_leaves_all_outcomes_unknown(desk):
    orders = entries(desk, 3)
    desk.broker.place_together = lambda groups: [[]]
    desk.engine.execute_next("default")
    assert phases(desk, orders) == ["UNKNOWN"] * 3


def test_a_full_disk_at_the_commit_of_the_claims_sends_nothing(desk, monkeypatch):
    orders = entries(desk, 3)

    def full(work: object) -> object:
        raise StoreFull("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "write", full)
        with pytest.raises(StoreUnavailable):
            desk.engine.execute_next("default")
    assert desk.broker.placed == []
    assert phases(desk, orders) == ["REGISTERED"] * 3
    drain(desk)
    assert phases(desk, orders) == ["WORKING"] * 3


def test_outcomes_that_the_database_cannot_take_are_kept_and_recorded_later(tmp_path, monkeypatch):
    desk = a_desk(tmp_path, together=2)
    orders = entries(desk, 4)
    write, calls = desk.store.write, []

    def full_the_second_time(work):
        calls.append(work)
        if len(calls) > 1:
            raise StoreFull("disk full")
        return write(work)

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "write", full_the_second_time)
        with pytest.raises(StoreUnavailable):
            desk.engine.execute_next("default")
    assert phases(desk, orders) == ["SUBMITTING"] * 2 + ["REGISTERED"] * 2
    desk.engine.reconcile("default")
    assert phases(desk, orders)[:2] == ["FILLED"] * 2
    assert desk.rows("SELECT 1 FROM order_events WHERE to_phase = 'UNKNOWN'") == []
    desk.settle()
    assert phases(desk, orders) == ["FILLED"] * 4
    check_durable_truths(desk)


def test_a_batch_whose_process_slept_is_not_sent(desk):
    orders = entries(desk, 3)
    write = desk.store.write

    def sleep(work):
        result = write(work)
        desk.clock.advance(60)
        return result

    desk.store.write = sleep
    desk.engine.execute_next("default")
    assert desk.broker.placed == []
    assert {desk.order(order.command_id).status for order in orders} == {Status.CREATED}


# deaths -------------------------------------------------------------------------------------------------------


class Boundaries:
    """Counts what is crossed, and kills at the one that was chosen."""

    def __init__(self, fatal: int | None) -> None:
        self.crossed = 0
        self.fatal = fatal

    def around(self, owner: object, method: str) -> None:
        original = getattr(owner, method)

        def bounded(*args: object, **kwargs: object) -> object:
            self.cross()
            result = original(*args, **kwargs)
            self.cross()
            return result

        setattr(owner, method, bounded)

    def cross(self) -> None:
        if self.fatal is not None and self.crossed >= self.fatal:
            raise Killed
        self.crossed += 1


def live(folder: Path, fatal: int | None) -> tuple[int, Desk]:
    """Six entries in batches of four; the first watcher dies at that boundary."""
    desk = a_desk(folder, together=4)
    orders = entries(desk, 6)
    desk.broker.script = [None, None, ("after", OutcomeUnknown("timed out")), None, Refused("margin", "RMS7")]
    boundaries = Boundaries(fatal)
    boundaries.around(desk.store, "write")
    boundaries.around(desk.broker, "place")
    try:
        desk.settle()
    except Killed:
        pass
    for name in ("write", "place"):
        owner = desk.store if name == "write" else desk.broker
        delattr(owner, name)
    desk.replace_watcher()
    desk.look()
    for pause in (0.3, 0.3, 2.0, 2.0, 25.0, 25.0, 60.0, 120.0):
        desk.clock.advance(pause)
        desk.settle()
    check_durable_truths(desk)
    tags = [command.client_order_id for command in desk.broker.placed]
    for order in (desk.order(each.command_id) for each in orders):
        assert (order.status is Status.EXECUTED) == (order.client_order_id in tags), (fatal, order.phase)
        assert order.status in (Status.EXECUTED, Status.FAILED)
        check_told(desk, order)
    return boundaries.crossed, desk


def test_death_at_every_boundary_of_a_batch_sends_no_order_twice():
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with TemporaryDirectory(dir=memory) as folder:
        whole, _ = live(Path(folder) / "whole", None)
        assert whole > 15
        for fatal in range(whole):
            here = Path(folder) / str(fatal)
            live(here, fatal)
            shutil.rmtree(here)


def test_what_was_claimed_and_not_sent_is_unknown_after_a_death_and_settled_by_the_book(desk):
    orders = entries(desk, 4)

    def die(command: UniversalOrderCommand) -> None:
        if len(desk.broker.placed) == 2:
            raise Killed

    desk.broker.before_place = die
    with pytest.raises(Killed):
        desk.engine.execute_next("default")
    assert phases(desk, orders) == ["SUBMITTING"] * 4
    desk.broker.before_place = lambda command: None
    desk.replace_watcher()
    desk.settle(8)
    assert phases(desk, orders) == ["FILLED"] * 4
    assert sorted(command.symbol for command in desk.broker.placed) == ["S0", "S1", "S2", "S3"]
