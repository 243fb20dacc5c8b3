"""What an entry may be: symbols, products, prices beside the market, and the time of day. Exits pass all of it."""

from dataclasses import replace
from datetime import time
from decimal import Decimal

import pytest

from blockers.order_shape import RULES, halted_by_schedule, price_collar, product_allowed, restricted
from blockers.pipeline import first_block
from domain.account_state import AccountState
from domain.limits import ClientPolicy, LimitBook, Limits
from domain.marks import Mark
from domain.reason_codes import Reason
from domain.risk_facts import LimitFacts
from domain.schedule import at_this_time
from domain.times import day_start, trading_day
from tests.blockers.test_rules import ENTRY, EXIT, NOW, ago, facts

COLLAR = Limits(price_collar_percent=Decimal(5), positions_max_age_seconds=60)
SENT = replace(ENTRY, event_hash="x", price=Decimal(105), trigger_price=None, reference_price=None)


def at(price: object, seconds: float = 1) -> LimitFacts:
    return LimitFacts(last_mark=Mark(ENTRY.exchange, ENTRY.symbol, Decimal(str(price)), ago(seconds), "test"))


SEEN = replace(SENT, price=None, reference_price=Decimal(9))
SHAPES = [
    (restricted, ENTRY, facts(Limits(restricted_symbols=("OTHER", "OTH*"))), None),
    (restricted, ENTRY, facts(Limits(restricted_symbols=(ENTRY.symbol.lower(),))), Reason.SYMBOL_RESTRICTED),
    (restricted, ENTRY, facts(Limits(restricted_symbols=("X", f"{ENTRY.symbol[:3]}*"))), Reason.SYMBOL_RESTRICTED),
    (product_allowed, ENTRY, facts(Limits(products=("CNC", ENTRY.product))), None),
    (product_allowed, ENTRY, facts(Limits(products=("CNC",))), Reason.PRODUCT_NOT_ALLOWED),
    (product_allowed, ENTRY, facts(Limits(products=())), Reason.PRODUCT_NOT_ALLOWED),
    (halted_by_schedule, ENTRY, facts(Limits(halted_from=time(15, 20))), None),
    (
        halted_by_schedule,
        ENTRY,
        facts(Limits(halted_from=time(15, 20), scheduled=AccountState.HALTED)),
        Reason.TRADING_HALTED,
    ),
    (price_collar, SENT, facts(COLLAR, of_limits=at(100)), None),
    (price_collar, SENT, facts(COLLAR, of_limits=at("99.99")), Reason.PRICE_COLLAR),
    (price_collar, replace(SENT, price=Decimal("94.99")), facts(COLLAR, of_limits=at(100)), Reason.PRICE_COLLAR),
    (price_collar, replace(SENT, trigger_price=Decimal(120)), facts(COLLAR, of_limits=at(101)), Reason.PRICE_COLLAR),
    (price_collar, SEEN, facts(COLLAR, of_limits=at(100)), Reason.PRICE_COLLAR),
    (price_collar, replace(SENT, price=None), facts(COLLAR), None),
    (price_collar, SENT, facts(COLLAR), Reason.MARK_UNKNOWN),
    (price_collar, SENT, facts(COLLAR, of_limits=at(100, 61)), Reason.MARK_UNKNOWN),
    (price_collar, SENT, facts(COLLAR, of_limits=at(100, -9)), Reason.MARK_UNKNOWN),
    (price_collar, SENT, facts(COLLAR, of_limits=at(0)), Reason.MARK_UNKNOWN),
    (price_collar, replace(SENT, event_hash=""), facts(COLLAR), None),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "order", "known", "reason"), SHAPES)
def test_each_rule_at_and_beside_its_figure(rule, order, known, reason):
    block = rule(order, known)
    assert (None if block is None else block.reason) == reason
    found = first_block(order, known)
    assert (None if found is None else found.reason) == reason
    assert first_block(EXIT, known) is None, "nothing holds an exit back"


def test_each_rule_is_tried_here():
    assert {rule for rule, *_ in SHAPES} == set(RULES)


def test_a_far_price_is_told_with_its_figures():
    block = price_collar(SENT, facts(COLLAR, of_limits=at(50)))
    assert block is not None
    assert (
        block.detail.startswith("price 105, last price 50 of ")
        and "110 percent apart, limit 5" in block.detail
    )


@pytest.mark.parametrize(
    ("clock", "state"),
    [
        (time(6), AccountState.ACTIVE),
        (time(15, 9, 59), AccountState.ACTIVE),
        (time(15, 10), AccountState.REDUCING),
        (time(15, 20), AccountState.HALTED),
        (time(23, 59), AccountState.HALTED),
        (time(5, 59), AccountState.HALTED),
    ],
)
def test_the_state_follows_the_client_s_clock_until_the_trading_day_ends(clock, state):
    policy = ClientPolicy("c", LimitBook(), live_allowed=True)
    day = trading_day(NOW, policy.zone, policy.day_starts)
    night = clock < policy.day_starts
    now = day_start(day.replace(day=day.day + 1) if night else day, policy.zone, clock)
    limits = Limits(reducing_from=time(15, 10), halted_from=time(15, 20))
    assert at_this_time(limits, policy, now).scheduled is state
