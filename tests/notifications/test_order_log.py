"""The log of what befell orders: one line for each thing, and only of what is durable."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from app.container import build_services
from app.settings import load_settings
from domain.commands import OrderResult
from domain.enums import TestMode
from domain.errors import StoreUnavailable
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order_events import advance
from domain.ports import Halt
from domain.states import Phase
from domain.transitions import claimed, placed
from notifications.order_log import journaled, line_of
from tests.console.seeding import House

Logged = Callable[[], list[str]]
WHAT = "default STRADDLE ENTRY BUY 50 NIFTY26NOV24500CE"


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A database that is written as the service writes it."""
    made = House(tmp_path)
    environ = {"ORDERS_DB": str(made.path), "WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": "t" * 20}
    made.store = build_services(load_settings(environ, dotenv_path=None)).store
    return made


@pytest.fixture
def logged(house: House, caplog: pytest.LogCaptureFixture) -> Logged:
    """The lines that have come since this was last asked."""
    caplog.set_level(logging.INFO)

    def lines() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == "notifications.order_log"]
        caplog.clear()
        return found

    return lines


def test_an_order_that_is_filled_has_a_line_for_each_thing(house: House, logged: Logged):
    order = house.fill(house.alert()[0])
    id_ = order.command_id
    assert logged() == [
        f"order {id_} placed as {order.broker_order_id}: {WHAT}",
        f"order {id_} filled, 50 of 50 @ 112.45: {WHAT}",
    ]


def test_what_is_blocked_refused_or_fails_has_its_tag(house: House, logged: Logged):
    one, two, three = (house.alert()[0] for _ in range(3))
    house.block(one)
    house.refuse(two)
    lost = house.place(three)
    logged_before = logged()
    house.apply(advance(lost, Phase.EXPIRED, at=house.clock.now(), actor="w", tag="BROKER_EXPIRED"))
    assert logged_before[:2] == [
        f"order {one.command_id} blocked, RISK_BLOCKED:DAILY_LOSS_HIT: {WHAT}",
        f"order {two.command_id} rejected, BROKER_REJECTED:RMS: {WHAT}",
    ]
    assert logged() == [f"order {three.command_id} failed, BROKER_EXPIRED: {WHAT}"]


def test_a_test_order_is_called_one(house: House, logged: Logged):
    house.block(house.alert(test_mode=TestMode.SUCCESS)[0])
    assert logged()[0].endswith("NIFTY26NOV24500CE (test mode)")


def test_halts_have_their_line(house: House, logged: Logged):
    def halt(tx):
        tx.set_halt(Halt("default", None, house.clock.now(), "ann", "news"))
        tx.notify(Notice(NoticeKind.HALTED, "default", detail="all strategies, by ann: news"))

    house.store.write(halt)
    assert logged() == ["halted default: all strategies, by ann: news"]


def test_what_is_told_once_has_one_line(house: House, logged: Logged):
    notice = Notice(NoticeKind.HALTED, "default", detail="all strategies, by ann: news")
    for _ in range(2):
        house.store.write(lambda tx: tx.notify_once(NoticeKey(NoticeSubject.UNCONFIGURED_CLIENT), notice))
    assert logged() == ["halted default: all strategies, by ann: news"]


def test_changes_that_are_written_together_have_a_line_each(house: House, logged: Logged):
    orders = [house.store.get_by_id(order.command_id) for order in house.alert(legs=2)]
    claims = [claimed(order, at=house.clock.now(), claimant="w1") for order in orders if order]
    house.store.write(lambda tx: tx.attempt(lambda: tx.apply_all(claims)))
    sent = [
        placed(claim.after, OrderResult(f"B{n}"), at=house.clock.now(), actor="w1")
        for n, claim in enumerate(claims)
    ]
    house.store.write(lambda tx: tx.attempt(lambda: tx.apply_all(sent)))
    assert [line.split(":")[0].split(" ", 2)[2] for line in logged()] == ["placed as B0", "placed as B1"]
    house.store.write(lambda tx: tx.attempt(lambda: tx.apply_all(sent)))  # they have moved: undone
    assert logged() == []


def test_what_was_undone_is_not_logged(house: House, logged: Logged):
    [order] = house.alert()
    change = claimed(order, at=house.clock.now(), claimant="w")

    def undone(tx):
        moved = tx.apply(change)
        tx.apply(advance(moved, Phase.WORKING, at=house.clock.now(), actor="w", broker_order_id="B1"))
        raise RuntimeError("a later part fails")

    with pytest.raises(RuntimeError):
        house.store.write(undone)
    assert logged() == []


def test_a_work_that_ran_twice_is_logged_once_and_one_that_was_not_kept_never(caplog):
    caplog.set_level(logging.INFO)
    notice = Notice(NoticeKind.RESUMED, "default", detail="all strategies, by ann")

    class Taking:
        def notify(self, told: Notice) -> None:
            pass

    def twice(work):
        work(Taking())
        return work(Taking())

    def never(work):
        work(Taking())
        raise StoreUnavailable("disk full")

    journaled(twice, lambda tx: tx.notify(notice))
    assert [record.getMessage() for record in caplog.records] == ["resumed default: all strategies, by ann"]
    with pytest.raises(StoreUnavailable):
        journaled(never, lambda tx: tx.notify(notice))
    assert len(caplog.records) == 1


def test_others_words_make_no_second_line(house: House):
    [order] = house.alert(strategy_name="S\nERROR forged: \x1b[31m")
    line = line_of(Notice(NoticeKind.BLOCKED, "default", order))
    assert line is not None and line.isprintable()


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_has_a_line_or_none(house: House, kind: NoticeKind):
    line_of(Notice(kind, "default", house.alert()[0]))
    line_of(Notice(kind, "default", detail="x"))
