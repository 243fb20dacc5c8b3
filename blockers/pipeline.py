"""Apply all rules in their order: risk, execution guard, duplicates. The first block is the answer."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from blockers import duplicates, limits, order_shape, protection
from blockers.execution_guard import ExecutionGuard, halted, opposite_side_held, positions_stale
from blockers.risk import RiskManager
from blockers.rules import Block, Rule
from blockers.sequence import exit_first
from domain.account_state import AccountState
from domain.daily_loss import latch_name
from domain.entry_waits import Wait
from domain.enums import ExecutionType
from domain.limits import ClientPolicy
from domain.order import Order
from domain.ports import ExposureQuery, FactsQuestion, Transaction
from domain.risk_facts import Facts
from domain.risk_stops import RiskRule
from domain.schedule import at_this_time
from domain.tighter import limits_of
from domain.times import day_start, trading_day

ALWAYS: tuple[Rule, ...] = ExecutionGuard.always
"""Applied to every order, exits too."""

_SHAPE_AND_STOPS: tuple[Rule, ...] = (
    *protection.RULES,
    *order_shape.RULES,
    *RiskManager.rules,
    *limits.STOPS,
)
_BEFORE_DUPLICATES: tuple[Rule, ...] = (*_SHAPE_AND_STOPS, *limits.COUNTS, *ExecutionGuard.rules)

ENTRY_RULES: tuple[Rule, ...] = (*_BEFORE_DUPLICATES, *duplicates.RULES)

WHILE_WAITING: tuple[Rule, ...] = (
    *_SHAPE_AND_STOPS,
    halted,
    positions_stale,
    opposite_side_held,
)
"""Applied to an entry that waits for its strategy's exit: what these block now, they would block after the exit too."""


def first_block(order: Order, facts: Facts, only: Sequence[Rule] = ()) -> Block | None:
    """Return the first rule's block, or None: the order may go. Without `only`, all rules for the order apply."""
    rules = ALWAYS if order.execution_type is ExecutionType.EXIT else (*ALWAYS, *ENTRY_RULES)
    for rule in only or rules:
        block = rule(order, facts)
        if block is not None:
            return block
    return None


def blocked_by(tx: Transaction, order: Order, policy: ClientPolicy, now: datetime) -> Block | None:
    """Return what stops this order now, by facts read in the very transaction that acts on the answer."""
    return first_block(order, _facts(tx, order, policy, now))


def judged(
    tx: Transaction, order: Order, policy: ClientPolicy, now: datetime, *, completes_group: bool = False
) -> Block | Wait | None:
    """Judge an order as `blocked_by` does, and also whether an entry has to wait for its strategy's exit.

    While the entry waits, only those rules apply whose answer the exit does not change.

    Args:
        completes_group: it may go although entries may only reduce.
    """
    return judge(order, policy, _facts(tx, order, policy, now), completes_group=completes_group)


def judge(
    order: Order, policy: ClientPolicy, facts: Facts, *, completes_group: bool = False
) -> Block | Wait | None:
    """Return the answer of `judged` for these facts."""
    if order.execution_type is ExecutionType.EXIT:
        return first_block(order, facts)
    if completes_group:
        standing = tuple(stop for stop in facts.stops if stop.key.rule is not RiskRule.REDUCING)
        bound = facts.limits
        if bound.scheduled is AccountState.REDUCING:
            bound = replace(bound, scheduled=AccountState.ACTIVE)
        facts = replace(facts, stops=standing, limits=bound)
    answer = exit_first(order, facts, policy.strategy(order.strategy_name).settling)
    if isinstance(answer, Wait):
        return first_block(order, facts, (*ALWAYS, *WHILE_WAITING)) or answer
    return (
        first_block(order, facts, (*ALWAYS, *_BEFORE_DUPLICATES))
        or answer
        or first_block(order, facts, duplicates.RULES)
    )


def _facts(tx: Transaction, order: Order, policy: ClientPolicy, now: datetime) -> Facts:
    asked = question(order, policy, now)
    return tx.facts(asked.query, now=now, limits=asked.limits, live_allowed=asked.live_allowed)


def _day_start(policy: ClientPolicy, now: datetime) -> datetime:
    return day_start(trading_day(now, policy.zone, policy.day_starts), policy.zone, policy.day_starts)


def question(order: Order, policy: ClientPolicy, now: datetime) -> FactsQuestion:
    """Return what facts the rules need about the order."""
    bound = limits_of(policy.limits, order.strategy_name, order.symbol)
    bound = at_this_time(bound, policy, now) if bound.has_schedule else bound
    query = ExposureQuery(
        order.client_id,
        order.strategy_name,
        order.exchange,
        order.symbol,
        order.side.sign,
        order.command_id,
        product=order.product or None,
        limits_of=latch_name(policy.limits, order.strategy_name),
        created_at=order.created_at,
        day_starts_at=_day_start(policy, now) if bound.limits_trades else None,
    )
    return FactsQuestion(
        query,
        now,
        bound,
        policy.live_allowed or order.test_mode is not None,
    )
