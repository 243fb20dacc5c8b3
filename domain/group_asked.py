"""The group policy that an alert names itself: it stands in the context of each of its orders. Pure."""

import json
from dataclasses import replace

from domain.limits import ClientPolicy, GroupPolicy, StrategyPolicy
from domain.order import Order

FIELD = "group"
"""The field of the alert, and the key in an order's context."""


def asked_group(order: Order) -> GroupPolicy | None:
    """Return the policy that the order's alert named; None: none, so that its strategy's holds."""
    if order.context_json is None or f'"{FIELD}"' not in order.context_json:
        return None
    said = json.loads(order.context_json).get(FIELD)
    return None if said is None else GroupPolicy(said)


def with_group(handling: StrategyPolicy, group: GroupPolicy | None) -> StrategyPolicy:
    """Return how a strategy's orders are handled where an alert names this policy; None: it names none."""
    return handling if group is None else replace(handling, group=group)


def handling_of(policy: ClientPolicy, order: Order) -> StrategyPolicy:
    """Return how an order is handled: as its strategy says, with the group policy that its alert names."""
    return with_group(policy.strategy(order.strategy_name), asked_group(order))
