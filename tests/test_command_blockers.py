"""What is blocked at registration and at the claim says why, and clients are kept apart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from command_service import CommandService
from domain.broker_reports import BrokerStatus, PositionsSnapshot
from domain.enums import Side, TestMode
from domain.errors import OutcomeUnknown
from domain.limits import ClientPolicy, LimitBook, Limits
from domain.states import Phase
from tests.commands_making import WINDOW, delivery, positions_read, service
from tests.support import EXIT, INDEPENDENT, MARKET_EXIT, START, Desk, SeededIds, entry, leg

# what is blocked --------------------------------------------------------------------------------------------


def test_a_daily_loss_stays_hit_after_a_recovery_and_is_gone_the_next_trading_day(make_desk):
    desk = make_desk(limits=Limits(max_daily_loss=Decimal(1000)))
    positions_read(desk, pnl=-999)
    assert desk.post(leg("A"))[0].tag is None
    positions_read(desk, pnl=-1000)
    assert desk.post(leg("B"))[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT"
    positions_read(desk, pnl=500)
    (blocked,) = desk.post(leg("C"))
    assert (blocked.tag, blocked.reason_message) == (
        "RISK_BLOCKED:DAILY_LOSS_HIT",
        "Daily loss limit hit: no new entries today (-1000 today, limit -1000)",
    )
    assert desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    desk.clock.at = datetime(2026, 11, 21, 0, 29, 59, tzinfo=UTC)
    positions_read(desk, pnl=500)
    assert desk.post(leg("D"))[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT", "a second before six in Kolkata"
    desk.clock.advance(2)
    positions_read(desk, pnl=0)
    assert desk.post(leg("E"))[0].tag is None


def test_a_daily_loss_is_hit_between_registration_and_claim_too(make_desk):
    desk = make_desk(limits=Limits(max_daily_loss=Decimal(1000)))
    desk.post()
    positions_read(desk, pnl=-1000)
    assert desk.engine.execute_next("default")
    assert desk.only().tag == "RISK_BLOCKED:DAILY_LOSS_HIT"
    assert desk.broker.placed == []


def test_positions_that_are_old_or_were_never_read_block_entries_only(desk):
    desk.clock.advance(61)
    (old,) = desk.post()
    assert (old.tag, old.reason_code) == ("GUARD_BLOCKED:POSITIONS_STALE", "POSITIONS_STALE")
    assert desk.post(MARKET_EXIT, **EXIT)[0].tag is None
    never = service(desk.store, desk.clock, 1, second=Limits())
    receipt = never.register(entry(client_id="second"), desk.delivery())
    assert receipt.legs[0].reason_message.endswith("(never read)")
    positions_read(desk)
    assert desk.post(leg(price=Decimal(99)))[0].tag is None


def test_a_failed_read_is_no_read(desk):
    commands = service(desk.store, desk.clock, 1, second=Limits())
    desk.store.save_read_error("second", desk.clock.now(), "502")
    receipt = commands.register(entry(client_id="second"), desk.delivery())
    assert receipt.legs[0].tag == "GUARD_BLOCKED:POSITIONS_STALE"


def test_entries_within_a_sliding_minute_are_counted_and_blocked_ones_are_not(make_desk):
    desk = make_desk(limits=Limits(max_orders_per_minute=2, positions_max_age_seconds=600))
    at = desk.clock.now()

    def tag_at(seconds: float) -> str | None:
        receipt = desk.commands.register(entry(leg(f"S{seconds}")), delivery(at + timedelta(seconds=seconds)))
        return receipt.legs[0].tag

    assert [tag_at(second) for second in (0, 30)] == [None, None]
    assert tag_at(59.999999) == "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE"
    assert tag_at(60) is None, "the first is a minute old, the blocked one is not counted"
    assert tag_at(60.000001) == "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE"


def test_the_legs_of_one_alert_count_against_its_limits(make_desk):
    desk = make_desk(limits=Limits(max_orders_per_minute=2), strategy=INDEPENDENT)
    assert [o.tag for o in desk.post(leg("A"), leg("B"), leg("C"))] == [
        None,
        None,
        "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE",
    ]
    desk = make_desk(limits=Limits(max_open_orders=2), strategy=INDEPENDENT)
    assert [o.tag for o in desk.post(leg("A"), leg("B"), leg("C"))] == [
        None,
        None,
        "RISK_BLOCKED:MAX_OPEN_ORDERS",
    ]
    desk.settle()
    assert desk.post(leg("D"))[0].tag is None, "what is filled is not open"


def test_exits_count_for_no_limit_of_entries_per_minute(make_desk):
    desk = make_desk(limits=Limits(max_orders_per_minute=1))
    for number in range(3):
        desk.post(replace(MARKET_EXIT, symbol=f"S{number}"), **EXIT)
    assert desk.post()[0].tag is None


def test_a_strategy_enters_a_symbol_once_until_it_is_out_again(desk):
    desk.post()
    (open_,) = desk.post(leg(price=Decimal(99)))
    desk.settle()
    (held,) = desk.post(leg(price=Decimal(98)))
    assert open_.reason_message.endswith("(1 open, limit 1)")
    assert held.reason_message.endswith("(1 held, limit 1)")
    (back,) = desk.post(leg(side=Side.SELL))
    desk.clock.advance(3)
    desk.settle()
    back = desk.order(back.command_id)
    assert back.tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED", "an entry is no way out"
    desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert desk.post(leg(price=Decimal(97)))[0].tag is None


def test_max_entries_allows_that_many(make_desk):
    desk = make_desk(limits=Limits(max_entries=2))
    assert desk.post(leg(price=Decimal(1)))[0].tag is None
    desk.settle()
    assert desk.post(leg(price=Decimal(2)))[0].tag is None
    assert desk.post(leg(price=Decimal(3)))[0].reason_message.endswith("(1 held, 1 open, limit 2)")
    desk.settle()
    assert desk.post(leg(price=Decimal(4)))[0].reason_message.endswith("(2 held, limit 2)")


def test_an_entry_that_is_partly_filled_is_one_entry(make_desk):
    desk = make_desk(limits=Limits(max_entries=2))
    desk.broker.fill_at_once = False
    desk.post(leg(price=Decimal(1)))
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    desk.settle()
    assert desk.only().phase is Phase.PARTIALLY_FILLED
    assert desk.post(leg(price=Decimal(2)))[0].tag is None


def test_the_other_side_of_an_open_entry_or_a_position_of_another_strategy_is_blocked(desk):
    desk.post()
    sell = leg(side=Side.SELL)
    assert desk.post(sell, strategy_name="OTHER")[0].tag == "GUARD_BLOCKED:OPPOSITE_SIDE_HELD"
    desk.settle()
    assert (
        desk.post(replace(sell, price=Decimal(1)), strategy_name="OTHER")[0].tag
        == "GUARD_BLOCKED:OPPOSITE_SIDE_HELD"
    )
    assert desk.post(replace(sell, exchange="BFO"), strategy_name="OTHER")[0].tag is None
    assert desk.post(strategy_name="THIRD")[0].tag is None


def test_a_strategy_may_have_limits_of_its_own(desk):
    book = LimitBook(Limits(max_order_quantity=Decimal(10)), {"BIG": Limits(max_order_quantity=Decimal(100))})
    commands = CommandService(
        desk.store,
        {"default": ClientPolicy("default", book, live_allowed=True)},
        clock=desk.clock,
        ids=SeededIds(1),
        dedup_window=WINDOW,
        alert_life=timedelta(seconds=300),
    )
    big = commands.register(entry(strategy_name="BIG"), desk.delivery())
    small = commands.register(entry(strategy_name="SMALL"), desk.delivery())
    assert (big.legs[0].tag, small.legs[0].tag) == (None, "RISK_BLOCKED:MAX_ORDER_QUANTITY")


def test_test_mode_is_checked_as_if_it_were_real_but_needs_no_live_trading(make_desk):
    desk = make_desk(is_real=True, live_allowed=False, limits=Limits(max_order_quantity=Decimal(50)))
    assert desk.post(test_mode=TestMode.SUCCESS)[0].tag is None
    (large,) = desk.post(leg(qty=51), test_mode=TestMode.SUCCESS)
    assert large.tag == "RISK_BLOCKED:MAX_ORDER_QUANTITY"


# clients ----------------------------------------------------------------------------------------------------


@pytest.fixture
def two_clients(desk: Desk) -> CommandService:
    positions_read(desk, "second")
    return service(
        desk.store,
        desk.clock,
        1,
        default=Limits(max_order_quantity=Decimal(50), max_orders_per_minute=2, max_open_orders=2),
        second=Limits(max_order_quantity=Decimal(100), max_orders_per_minute=2, max_open_orders=2),
    )


def posted(commands: CommandService, desk: Desk, client_id: str, *legs, **changes) -> tuple:
    return commands.register(entry(*legs, client_id=client_id, **changes), desk.delivery()).legs


def test_clients_have_limits_keys_and_counts_of_their_own(desk, two_clients):
    assert posted(two_clients, desk, "default", leg(qty=51))[0].tag == "RISK_BLOCKED:MAX_ORDER_QUANTITY"
    assert posted(two_clients, desk, "second", leg(qty=51))[0].tag is None
    for name in ("A", "B"):
        assert posted(two_clients, desk, "default", leg(name), signal_id=name)[0].tag is None
    assert posted(two_clients, desk, "default", leg("C"))[0].tag == "RISK_BLOCKED:MAX_ORDERS_PER_MINUTE"
    assert posted(two_clients, desk, "second", leg("A"), signal_id="A")[0].tag is None, "the same signal_id"


def test_clients_are_halted_apart(desk, two_clients):
    two_clients.halt("second", by="op", reason="news")
    assert posted(two_clients, desk, "second")[0].tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert posted(two_clients, desk, "default")[0].tag is None
    assert not two_clients.resume("default", by="op")
    assert two_clients.resume("second", by="op")
    assert posted(two_clients, desk, "second", leg("B"))[0].tag is None


def test_the_positions_of_one_client_are_not_anothers(desk, two_clients):
    posted(two_clients, desk, "default")
    desk.settle()
    assert posted(two_clients, desk, "second", leg(side=Side.SELL), strategy_name="OTHER")[0].tag is None
    desk.store.save_positions("second", PositionsSnapshot(desk.clock.now(), ()), START.date())
    (order,) = posted(two_clients, desk, "second", MARKET_EXIT, **EXIT)
    assert order.quantity == 0, "the first client's 50 are not the second's to close"


def test_the_loss_and_the_age_of_one_client_are_not_anothers(desk, make_desk):
    commands = service(
        desk.store,
        desk.clock,
        1,
        default=Limits(max_daily_loss=Decimal(9)),
        second=Limits(max_daily_loss=Decimal(9)),
    )
    positions_read(desk, "default", pnl=-10)
    positions_read(desk, "second", pnl=10)
    assert posted(commands, desk, "default")[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT"
    assert posted(commands, desk, "second")[0].tag is None
    desk.clock.advance(61)
    positions_read(desk, "default", pnl=-10)
    assert posted(commands, desk, "second", leg("B"))[0].tag == "GUARD_BLOCKED:POSITIONS_STALE"


def test_an_unknown_outcome_of_one_client_does_not_hold_up_another(desk, two_clients):
    desk.broker.script = [OutcomeUnknown("timeout")]
    posted(two_clients, desk, "default")
    desk.engine.execute_next("default")
    assert (
        posted(two_clients, desk, "default", strategy_name="OTHER")[0].tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    )
    assert posted(two_clients, desk, "second", strategy_name="OTHER")[0].tag is None
