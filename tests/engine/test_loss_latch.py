"""The daily loss limit from the broker's positions to a blocked entry, through restarts, and lifted by a person."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.broker_reports import Position, PositionsSnapshot
from domain.errors import NotFound, NothingToLift
from domain.limits import ClientPolicy, LimitBook, Limits
from domain.notices import NoticeKind
from engine.loss_latch import lift
from tests.support import EXIT, MARKET_EXIT, Desk, leg

LIMITS = Limits(max_daily_loss=Decimal(5000), positions_max_age_seconds=600)
HIT, ONCE = "RISK_BLOCKED:DAILY_LOSS_HIT", "RISK_BLOCKED:DAILY_LOSS_UNCONFIRMED"


class Account:
    """What the broker shows as the day's profit and loss; rows of others' faults are added by the test."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.pnl, self._posted = desk, Decimal(0), 0
        desk.broker.read_positions = self.read  # type: ignore[method-assign]

    def read(self, *, urgent: bool = False) -> PositionsSnapshot:
        row = Position("NFO", "ELSEWHERE", "MIS", Decimal(0), realized_pnl=self.pnl)
        return PositionsSnapshot(self.desk.clock.now(), (row,))

    def shows(self, pnl: int, *, reads: int = 2) -> None:
        """So many reads, two seconds apart, then a moment more."""
        self.pnl = Decimal(pnl)
        for _ in range(reads):
            self.desk.clock.advance(4)
            self.desk.engine.refresh("default", force=True)

    def entry(self) -> str | None:
        """The tag of a new entry; the alert is a new one each time."""
        self._posted += 1
        return self.desk.post(leg(f"S{self._posted}"))[0].tag


@pytest.fixture
def account(make_desk) -> Account:
    return Account(make_desk(limits=LIMITS))


def at(account: Account, hour: int, minute: int, day: int = 20) -> None:
    account.desk.clock.at = datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def lifting(account: Account, reason: str = "yesterday's") -> object:
    desk = account.desk
    return lift(desk.store, desk.policies, "default", at=desk.clock.now(), by="cli:ann", reason=reason)


def test_yesterdays_loss_does_not_block_today(account):
    at(account, 9, 0, day=19)
    account.shows(-6000)
    assert account.entry() == HIT
    at(account, 18, 31, day=19)
    account.shows(-6000)
    assert account.entry() == HIT, "after midnight the trading day is still the same"
    at(account, 0, 31)
    account.shows(-6000)
    assert account.entry() is None, "the broker has not begun its day: what it shows is yesterday's"
    at(account, 3, 46)
    account.shows(0)
    assert account.entry() is None
    account.shows(-5000)
    assert account.entry() == HIT, "its own loss stops it all the same"


def test_a_loss_seen_once_makes_entries_wait_and_is_forgotten_with_the_next_read(account):
    account.shows(-99_999, reads=1)
    assert account.entry() == ONCE
    account.shows(-10, reads=1)
    assert account.entry() is None
    assert account.desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    assert NoticeKind.LOSS_LIMIT_HIT not in [n.kind for n in account.desk.notices]


def test_a_figure_that_repeats_yesterdays_counts_once_the_session_may_be_open_and_is_told_as_that(account):
    at(account, 9, 0, day=19)
    account.shows(-6000)
    at(account, 3, 30)
    account.shows(-6000)
    assert account.entry() == HIT
    told = [n.detail for n in account.desk.notices if n.kind is NoticeKind.LOSS_LIMIT_HIT]
    assert len(told) == 2 and "exactly this on the day before" in told[-1]


def test_own_fills_of_today_make_it_todays(account):
    desk = account.desk
    at(account, 9, 0, day=19)
    account.shows(-6000)
    at(account, 0, 31)
    account.shows(-6000)
    assert account.entry() is None
    desk.settle()
    account.shows(-6000)
    assert account.entry() == HIT


def test_a_restart_between_two_reads_and_after_them_changes_nothing(account):
    account.shows(-6000, reads=1)
    account.desk.replace_watcher()
    account.desk.look()
    account.shows(-5500, reads=1)
    assert account.entry() == HIT
    account.shows(0)
    account.desk.kill("watcher-2")
    account.desk.engine = account.desk.new_engine("watcher-3")
    account.desk.look()
    assert account.entry() == HIT
    told = [n for n in account.desk.notices if n.kind is NoticeKind.LOSS_LIMIT_HIT]
    assert len(told) == 1, "told once"


@pytest.mark.parametrize(
    "limits", [replace(LIMITS, max_daily_loss=Decimal(50_000)), replace(LIMITS, max_daily_loss=None)]
)
def test_another_limit_lifts_nothing_that_was_told(account, limits):
    account.shows(-6000)
    desk = account.desk
    desk.policies["default"] = ClientPolicy("default", LimitBook(limits), live_allowed=True)
    desk.replace_watcher()
    desk.look()
    assert account.entry() == HIT
    lifting(account)
    assert account.entry() is None


def test_a_row_that_cannot_be_read_makes_the_loss_unknown(account, monkeypatch):
    account.shows(0)
    monkeypatch.setattr(PositionsSnapshot, "day_pnl", property(lambda snapshot: None))
    account.shows(0)
    (order,) = account.desk.post(leg("A"))
    assert (order.tag, order.reason_message) == (
        "GUARD_BLOCKED:POSITIONS_STALE",
        "The broker's positions are not known: not read for too long, or a row of them cannot be read "
        "(a row cannot be read: the day's profit and loss is not known)",
    )
    assert account.desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    assert account.desk.rows("SELECT pnl, lowest_pnl FROM accounts") == [(None, "0")]


# lifting ----------------------------------------------------------------------------------------------------


def test_a_lift_is_recorded_told_and_counts_the_limit_from_the_loss_of_now(account):
    account.shows(-6000)
    lifting(account, "a manual hedge is not in these figures")
    assert account.entry() is None
    (row,) = account.desk.rows(
        "SELECT client_id, lifted_by, reason, trading_day, lowest_pnl, pnl, latched FROM lifts"
    )
    assert row == (
        "default", "cli:ann", "a manual hedge is not in these figures", "2026-11-20", "-6000", "-6000", json.dumps([""])
    )  # fmt: skip
    (told,) = [n for n in account.desk.notices if n.kind is NoticeKind.LOSS_LIMIT_LIFTED]
    assert (
        "-6000" in told.detail
        and "a manual hedge" in told.detail
        and "counts from the -6000 of now" in told.detail
    )
    account.shows(-10_999)
    assert account.entry() is None
    account.shows(-11_000)
    order = account.desk.post(leg("LAST"))[0]
    assert (order.tag, order.reason_message) == (
        HIT,
        "Daily loss limit hit: no new entries today (-11000 today, limit -11000: -5000 from the -6000 of the lift)",
    )
    at(account, 9, 0, day=21)
    account.shows(-5001)
    assert account.entry() == HIT, "a new day's limit is whole again"


def test_a_lift_survives_a_restart(account):
    account.shows(-6000)
    lifting(account)
    account.desk.replace_watcher()
    account.desk.look()
    account.shows(-6000)
    assert account.entry() is None


def test_there_may_be_nothing_to_lift(account, monkeypatch):
    account.shows(-10)
    with pytest.raises(NothingToLift, match="no daily loss limit of default is latched"):
        lifting(account)
    with pytest.raises(NotFound):
        lift(account.desk.store, {}, "default", at=account.desk.clock.now(), by="cli:ann", reason="x")
    account.shows(-6000)
    monkeypatch.setattr(PositionsSnapshot, "day_pnl", property(lambda snapshot: None))
    account.shows(-6000)
    with pytest.raises(NothingToLift, match="not known"):
        lifting(account)
    assert account.desk.rows("SELECT count(*) FROM lifts") == [(0,)]
    assert account.entry() == HIT


def test_a_strategy_with_a_smaller_limit_is_latched_alone(make_desk):
    desk = make_desk(limits=LIMITS)
    small = replace(LIMITS, max_daily_loss=Decimal(100))
    desk.policies["default"] = ClientPolicy("default", LimitBook(LIMITS, {"S1": small}), live_allowed=True)
    desk.replace_watcher()
    account = Account(desk)
    desk.look()
    account.shows(-200)
    account.shows(0)
    assert desk.post(leg("A"), strategy_name="S1")[0].tag == HIT
    assert desk.post(leg("B"))[0].tag is None


def test_orders_of_one_day_by_either_clock_are_of_one_day(make_desk):
    desk = make_desk()
    (order,) = desk.post(leg())

    def same(one: str, other: str) -> bool:
        rows = (
            replace(order, created_at=datetime.fromisoformat(f"2026-11-{text}+05:30"))
            for text in (one, other)
        )
        return desk.rules.same_day(*rows)

    assert same("20T23:50:00", "21T00:10:00") and same("21T00:10:00", "21T09:30:00")
    assert not same("20T15:00:00", "21T09:30:00")
    assert timedelta(hours=desk.rules.day_starts.hour) == timedelta(hours=6)
