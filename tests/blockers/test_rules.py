"""Each rule at, below and above its limit; what is not known blocks; exits pass whatever limits risk."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockers import duplicates, limits, order_shape, protection
from blockers.execution_guard import (
    ExecutionGuard,
    halted,
    live_trading,
    opposite_side_held,
    outcome_unknown,
    position_disputed,
    positions_stale,
)
from blockers.pipeline import ALWAYS, ENTRY_RULES, first_block
from blockers.protection import exit_time_passed, stop_wrong_side
from blockers.risk import RiskManager, daily_loss, open_orders, order_quantity, order_value, orders_per_minute
from blockers.rules import Block
from domain.enums import ExecutionType
from domain.limits import Limits
from domain.reason_codes import Reason
from domain.risk_facts import Facts
from tests.domain.making import an_order

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
ENTRY = an_order(quantity=Decimal(50), price=Decimal(100))
EXIT = an_order(execution_type=ExecutionType.EXIT, quantity=Decimal(50), price=Decimal(100))


def facts(bound: Limits | None = None, **changes: object) -> Facts:
    """Everything known and nothing in the way."""
    values: dict[str, object] = {
        "now": NOW,
        "limits": bound or Limits(),
        "live_allowed": True,
        "positions_read_at": NOW,
        "pnl": Decimal(0),
        "lowest_pnl": Decimal(0),
    }
    return Facts(**(values | changes))  # type: ignore[arg-type]


def limit(**given: object) -> Limits:
    return Limits(**given)  # type: ignore[arg-type]


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


STOPS = [
    (Reason.ORDER_BLOCKED_LIVE_TRADING, live_trading, facts(live_allowed=False)),
    (Reason.DAILY_LOSS_HIT, daily_loss, facts(limit(max_daily_loss=Decimal(100)), lowest_pnl=Decimal(-100))),
    (Reason.DAILY_LOSS_UNCONFIRMED, daily_loss, facts(limit(max_daily_loss=Decimal(100)), pnl=Decimal(-100))),
    (Reason.MAX_ORDER_QUANTITY, order_quantity, facts(limit(max_order_quantity=Decimal(49)))),
    (Reason.MAX_ORDER_VALUE, order_value, facts(limit(max_order_value=Decimal(4999)))),
    (
        Reason.MAX_ORDERS_PER_MINUTE,
        orders_per_minute,
        facts(limit(max_orders_per_minute=2), entries_last_minute=2),
    ),
    (Reason.MAX_OPEN_ORDERS, open_orders, facts(limit(max_open_orders=2), open_orders=2)),
    (Reason.TRADING_HALTED, halted, facts(halt="news")),
    (Reason.POSITIONS_STALE, positions_stale, facts(positions_read_at=None)),
    (Reason.OUTCOME_UNKNOWN, outcome_unknown, facts(unknown_on_symbol=1)),
    (Reason.POSITION_DISPUTED, position_disputed, facts(position_disputed=True)),
    (Reason.OPPOSITE_SIDE_HELD, opposite_side_held, facts(opposite_holders=("OTHER",))),
    (Reason.DUPLICATE_ENTRY_BLOCKED, duplicates.duplicate_entry, facts(own_open_entries=1)),
]
"""Every rule in the order in which they are asked, with facts that make it alone say no."""

EDGES = [
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"lowest_pnl": Decimal("-99.99")}, None),
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"lowest_pnl": Decimal(-100)}, Reason.DAILY_LOSS_HIT),
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"lowest_pnl": Decimal(-101)}, Reason.DAILY_LOSS_HIT),
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"lowest_pnl": Decimal(100)}, None),
    (daily_loss, {}, {"lowest_pnl": Decimal(-(10**9))}, None),
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"lowest_pnl": None}, None),
    (
        daily_loss,
        {},
        {"loss_latched": True},
        Reason.DAILY_LOSS_HIT,
    ),  # a limit that was taken away lifts nothing
    (daily_loss, {"max_daily_loss": Decimal(900)}, {"loss_latched": True}, Reason.DAILY_LOSS_HIT),
    (daily_loss, {}, {"pnl": None}, None),
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"pnl": Decimal("-99.99")}, None),
    (daily_loss, {"max_daily_loss": Decimal(100)}, {"pnl": Decimal(-101)}, Reason.DAILY_LOSS_UNCONFIRMED),
    (
        daily_loss,
        {"max_daily_loss": Decimal(100)},
        {"lowest_pnl": Decimal("-159.99"), "pnl": Decimal(-60), "loss_counts_from": Decimal(-60)},
        None,
    ),
    (
        daily_loss,
        {"max_daily_loss": Decimal(100)},
        {"lowest_pnl": Decimal(-160), "loss_counts_from": Decimal(-60)},
        Reason.DAILY_LOSS_HIT,
    ),
    (positions_stale, {"max_daily_loss": Decimal(100)}, {"pnl": None}, Reason.POSITIONS_STALE),
    (positions_stale, {}, {"pnl": None}, None),
    (order_quantity, {"max_order_quantity": Decimal("50.0001")}, {}, None),
    (order_quantity, {"max_order_quantity": Decimal(50)}, {}, None),
    (order_quantity, {"max_order_quantity": Decimal("49.9999")}, {}, Reason.MAX_ORDER_QUANTITY),
    (order_quantity, {}, {}, None),
    (order_value, {"max_order_value": Decimal("5000.01")}, {}, None),
    (order_value, {"max_order_value": Decimal(5000)}, {}, None),
    (order_value, {"max_order_value": Decimal("4999.99")}, {}, Reason.MAX_ORDER_VALUE),
    (order_value, {"max_order_value": Decimal(5000)}, {"last_price": Decimal(99)}, None),
    (order_value, {"max_order_value": Decimal(5000)}, {"last_price": Decimal(101)}, Reason.MAX_ORDER_VALUE),
    (order_value, {}, {"last_price": Decimal(10**9)}, None),
    (orders_per_minute, {"max_orders_per_minute": 3}, {"entries_last_minute": 2}, None),
    (
        orders_per_minute,
        {"max_orders_per_minute": 3},
        {"entries_last_minute": 3},
        Reason.MAX_ORDERS_PER_MINUTE,
    ),
    (
        orders_per_minute,
        {"max_orders_per_minute": 3},
        {"entries_last_minute": 4},
        Reason.MAX_ORDERS_PER_MINUTE,
    ),
    (orders_per_minute, {"max_orders_per_minute": 0}, {}, Reason.MAX_ORDERS_PER_MINUTE),
    (orders_per_minute, {}, {"entries_last_minute": 10**6}, None),
    (open_orders, {"max_open_orders": 3}, {"open_orders": 2}, None),
    (open_orders, {"max_open_orders": 3}, {"open_orders": 3}, Reason.MAX_OPEN_ORDERS),
    (open_orders, {"max_open_orders": 3}, {"open_orders": 4}, Reason.MAX_OPEN_ORDERS),
    (open_orders, {}, {"open_orders": 10**6}, None),
    (positions_stale, {}, {"positions_read_at": ago(59.999999)}, None),
    (positions_stale, {}, {"positions_read_at": ago(60)}, None),
    (positions_stale, {}, {"positions_read_at": ago(60.000001)}, Reason.POSITIONS_STALE),
    (positions_stale, {}, {"positions_read_at": ago(-1)}, None),
    (
        positions_stale,
        {"positions_max_age_seconds": 5.0},
        {"positions_read_at": ago(5.1)},
        Reason.POSITIONS_STALE,
    ),
    (halted, {}, {}, None),
    (halted, {}, {"halt": ""}, Reason.TRADING_HALTED),
    (outcome_unknown, {}, {}, None),
    (opposite_side_held, {}, {}, None),
    (live_trading, {}, {}, None),
    (duplicates.duplicate_entry, {}, {}, None),
    (duplicates.duplicate_entry, {}, {"own_held_entries": 1}, Reason.DUPLICATE_ENTRY_BLOCKED),
    (duplicates.duplicate_entry, {"max_entries": 2}, {"own_held_entries": 1}, None),
    (
        duplicates.duplicate_entry,
        {"max_entries": 2},
        {"own_held_entries": 1, "own_open_entries": 1},
        Reason.DUPLICATE_ENTRY_BLOCKED,
    ),
    (duplicates.duplicate_entry, {"max_entries": 2}, {"own_open_entries": 3}, Reason.DUPLICATE_ENTRY_BLOCKED),
    (duplicates.duplicate_entry, {"max_entries": 0}, {}, Reason.DUPLICATE_ENTRY_BLOCKED),
]


@pytest.mark.parametrize(
    ("rule", "limits", "known", "reason"), EDGES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_rule_at_below_and_above_its_limit(rule, limits, known, reason):
    block = rule(ENTRY, facts(limit(**limits), **known))
    assert (None if block is None else block.reason) is reason


def test_nothing_set_and_nothing_in_the_way_lets_everything_pass():
    assert first_block(ENTRY, facts()) is None
    assert first_block(EXIT, facts()) is None


# what is not known ------------------------------------------------------------------------------------------


def test_positions_that_were_never_read_block_an_entry():
    nothing = Facts(now=NOW, limits=Limits(max_daily_loss=Decimal(1)), live_allowed=True)
    block = first_block(ENTRY, nothing)
    assert block is not None
    assert (block.reason, block.detail) == (Reason.POSITIONS_STALE, "never read")


def test_a_row_that_cannot_be_read_blocks_an_entry_with_its_text():
    block = first_block(ENTRY, facts(unreadable_row="netqty: '1,000'"))
    assert block is not None
    assert (block.reason, block.detail) == (
        Reason.POSITIONS_STALE,
        "a row cannot be read: netqty: '1,000'",
    )


def test_a_value_limit_without_any_price_blocks():
    market = an_order(price=None, trigger_price=None, reference_price=None)
    block = order_value(market, facts(limit(max_order_value=Decimal(10**9))))
    assert block is not None and block.reason is Reason.ORDER_VALUE_UNKNOWN
    assert order_value(market, facts()) is None


@pytest.mark.parametrize("name", ["price", "trigger_price", "reference_price", "last_price"])
def test_an_orders_value_is_reckoned_by_the_highest_price_that_is_known(name):
    prices = {
        "price": Decimal(1),
        "trigger_price": Decimal(1),
        "reference_price": Decimal(1),
        name: Decimal(101),
    }
    last = prices.pop("last_price", None)
    order = an_order(quantity=Decimal(50), **prices)
    block = order_value(order, facts(limit(max_order_value=Decimal(5000)), last_price=last))
    assert block is not None and (block.reason, block.detail) == (Reason.MAX_ORDER_VALUE, "5050, limit 5000")


# the pipeline -----------------------------------------------------------------------------------------------


def test_the_rules_stand_in_their_order():
    by_the_order_alone = (stop_wrong_side, exit_time_passed)
    assert by_the_order_alone == protection.RULES
    elsewhere = (*order_shape.RULES, *limits.STOPS, *limits.COUNTS)  # tried in tests of their own
    rest = [rule for rule in ENTRY_RULES[len(by_the_order_alone) :] if rule not in elsewhere]
    assert (*ALWAYS, *rest) == tuple(dict.fromkeys(rule for _, rule, _ in STOPS))
    assert ExecutionGuard.always == ALWAYS
    risk = (*order_shape.RULES, *RiskManager.rules, *limits.STOPS, *limits.COUNTS)
    assert (*protection.RULES, *risk, *ExecutionGuard.rules, *duplicates.RULES) == ENTRY_RULES


@pytest.mark.parametrize(("reason", "rule", "known"), STOPS, ids=[str(reason) for reason, _, _ in STOPS])
def test_each_rule_alone_stops_an_entry(reason, rule, known):
    block = first_block(ENTRY, known)
    assert block is not None and block.reason is reason
    assert block == rule(ENTRY, known)


@pytest.mark.parametrize(("reason", "rule", "known"), STOPS, ids=[str(reason) for reason, _, _ in STOPS])
def test_an_exit_passes_all_but_live_trading(reason, rule, known):
    block = first_block(EXIT, known)
    if reason is Reason.ORDER_BLOCKED_LIVE_TRADING:
        assert block is not None and block.reason is reason
    else:
        assert block is None


TOGETHER = [reason for reason, _, _ in STOPS if reason is not Reason.DAILY_LOSS_UNCONFIRMED]
"""It alone rests on positions that were read, as POSITIONS_STALE on some that were not."""

EVERYTHING_WRONG = facts(
    limit(
        max_daily_loss=Decimal(1),
        max_order_quantity=Decimal(1),
        max_order_value=Decimal(1),
        max_orders_per_minute=1,
        max_open_orders=1,
    ),
    live_allowed=False,
    pnl=None,
    lowest_pnl=Decimal(-1),
    entries_last_minute=1,
    open_orders=1,
    halt="news",
    positions_read_at=None,
    unknown_on_symbol=1,
    position_disputed=True,
    opposite_holders=("OTHER",),
    own_open_entries=1,
)
RIGHT = {
    Reason.ORDER_BLOCKED_LIVE_TRADING: {"live_allowed": True},
    Reason.DAILY_LOSS_HIT: {"lowest_pnl": Decimal(0)},
    Reason.MAX_ORDER_QUANTITY: {"max_order_quantity": None},
    Reason.MAX_ORDER_VALUE: {"max_order_value": None},
    Reason.MAX_ORDERS_PER_MINUTE: {"entries_last_minute": 0},
    Reason.MAX_OPEN_ORDERS: {"open_orders": 0},
    Reason.TRADING_HALTED: {"halt": None},
    Reason.POSITIONS_STALE: {"positions_read_at": NOW, "pnl": Decimal(0)},
    Reason.OUTCOME_UNKNOWN: {"unknown_on_symbol": 0},
    Reason.POSITION_DISPUTED: {"position_disputed": False},
    Reason.OPPOSITE_SIDE_HELD: {"opposite_holders": ()},
    Reason.DUPLICATE_ENTRY_BLOCKED: {"own_open_entries": 0},
}


def put_right(known: Facts, changes: dict) -> Facts:
    """These facts with something changed, be it a fact or a limit."""
    of_limits = {name: value for name, value in changes.items() if name in Limits.__slots__}
    values = {name: getattr(known, name) for name in Facts.__slots__}
    bound = Limits(**({name: getattr(known.limits, name) for name in Limits.__slots__} | of_limits))
    return Facts(**(values | {n: v for n, v in changes.items() if n not in of_limits} | {"limits": bound}))


def test_of_many_reasons_the_first_rules_is_the_answer():
    """With everything wrong the reasons come out in the order of the rules as one after another is put right."""
    known, given = EVERYTHING_WRONG, []
    while (block := first_block(ENTRY, known)) is not None:
        given.append(block.reason)
        known = put_right(known, RIGHT[block.reason])
    assert given == TOGETHER


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sets(st.sampled_from(TOGETHER)))
def test_whatever_is_wrong_an_entry_passes_only_when_nothing_is_and_an_exit_when_it_may_trade_live(right):
    known = EVERYTHING_WRONG
    for reason in right:
        known = put_right(known, RIGHT[reason])
    wrong = [reason for reason in TOGETHER if reason not in right]
    block = first_block(ENTRY, known)
    assert (block.reason if block else None) == (wrong[0] if wrong else None)
    assert (first_block(EXIT, known) is None) is (Reason.ORDER_BLOCKED_LIVE_TRADING in right)


# what people read -------------------------------------------------------------------------------------------


def test_a_block_says_why_with_its_figures():
    assert Block(Reason.TRADING_HALTED).message == "Trading is halted"
    assert Block(Reason.TRADING_HALTED, "news").message == "Trading is halted (news)"
    assert Block(Reason.TRADING_HALTED).tag == "GUARD_BLOCKED:TRADING_HALTED"


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (Reason.DAILY_LOSS_HIT, "-100 today, limit -100"),
        (Reason.MAX_ORDER_QUANTITY, "50, limit 49"),
        (Reason.MAX_ORDER_VALUE, "5000, limit 4999"),
        (Reason.MAX_ORDERS_PER_MINUTE, "limit 2"),
        (Reason.MAX_OPEN_ORDERS, "limit 2"),
        (Reason.TRADING_HALTED, "news"),
        (Reason.POSITIONS_STALE, "never read"),
        (Reason.OPPOSITE_SIDE_HELD, "OTHER"),
        (Reason.DUPLICATE_ENTRY_BLOCKED, "1 open, limit 1"),
    ],
)
def test_the_figures_are_those_that_stopped_it(reason, detail):
    (known,) = (known for r, _, known in STOPS if r is reason)
    block = first_block(ENTRY, known)
    assert block is not None and block.detail == detail


def test_an_age_is_told_with_its_limit():
    block = positions_stale(ENTRY, facts(positions_read_at=ago(75)))
    assert block is not None and block.detail == "75 s old, limit 60 s"
