"""All rules in their order: risk, execution guard, duplicates. The first no is the answer."""

from datetime import datetime

from blockers import duplicates
from blockers.execution_guard import ExecutionGuard
from blockers.risk import RiskManager
from blockers.rules import Block, Rule
from domain.alert import ExecutionType
from domain.daily_loss import latch_name
from domain.limits import ClientPolicy
from domain.order import Order
from domain.ports import ExposureQuery, Transaction
from domain.risk_facts import Facts

ALWAYS: tuple[Rule, ...] = ExecutionGuard.always
"""Asked of every order, exits too."""

ENTRY_RULES: tuple[Rule, ...] = (*RiskManager.rules, *ExecutionGuard.rules, *duplicates.RULES)


def first_block(order: Order, facts: Facts) -> Block | None:
    """The first rule that says no, or None: the order may go."""
    rules = ALWAYS if order.execution_type is ExecutionType.EXIT else (*ALWAYS, *ENTRY_RULES)
    for rule in rules:
        block = rule(order, facts)
        if block is not None:
            return block
    return None


def blocked_by(tx: Transaction, order: Order, policy: ClientPolicy, now: datetime) -> Block | None:
    """What stops this order now, by facts read in the very transaction that acts on the answer."""
    query = ExposureQuery(
        order.client_id,
        order.strategy_name,
        order.exchange,
        order.symbol,
        order.side.sign,
        order.command_id,
        product=order.product or None,
        limits_of=latch_name(policy.limits, order.strategy_name),
    )
    facts = tx.facts(
        query,
        now=now,
        limits=policy.limits.for_strategy(order.strategy_name),
        live_allowed=policy.live_allowed or order.test_mode is not None,
    )
    return first_block(order, facts)
