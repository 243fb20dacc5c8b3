"""Dhan as the registry knows it."""

from broker.budgets import Budgets, budgets_of
from broker.description import BrokerDescription, BrokerSetup
from broker.dhan.adapter import TRAITS, DhanBroker
from broker.dhan.settings import DhanAccount
from broker.http_calls import Timeouts
from broker.known_order_numbers import ZONE
from broker.rate_limit.limiter import Rate
from config.brokers import SharedSettings
from domain.broker_capabilities import BrokerLimits, Capability
from domain.ports import ClientBroker

_PER_SECOND = 10  # order calls, since the retail-algo rules; of other calls it takes 20, of quotes one
_ORDERS_PER_MINUTE = 250
_KEPT_FOR_EXITS = 5  # one in five of our calls


def _build(setup: BrokerSetup[DhanAccount, SharedSettings]) -> ClientBroker:
    broker = DhanBroker(
        setup.account.credentials(),
        setup.clock,
        setup.master,
        budgets=_budgets(setup),
        timeouts=Timeouts.within(setup.deadline_seconds),
        protection_percent=setup.market_protection_percent,
        acceptance_horizon=setup.acceptance_horizon_seconds,
        has_prices=setup.account.data_plan,
    )
    quotes = broker if setup.account.data_plan else None
    return ClientBroker(broker, modify=broker, look_up=broker, quotes=quotes, equity=broker)


def _budgets(setup: BrokerSetup[DhanAccount, SharedSettings]) -> Budgets:
    account = setup.account
    orders = Rate(
        _PER_SECOND,
        per_minute=account.orders_per_minute,
        kept=account.orders_per_minute // _KEPT_FOR_EXITS,
        per_hour=account.orders_per_hour,
        kept_of_hour=account.orders_per_hour // _KEPT_FOR_EXITS,
        per_day=account.orders_per_day,
        kept_of_day=account.orders_per_day // _KEPT_FOR_EXITS,
        zone=ZONE,
    )
    return budgets_of(setup, orders=orders, reads=Rate(_PER_SECOND), quotes=Rate(1))


DHAN = BrokerDescription(
    traits=TRAITS,
    capabilities=frozenset({Capability.EQUITY, Capability.MODIFY, Capability.LOOK_UP, Capability.QUOTES}),
    limits=BrokerLimits(_PER_SECOND, _ORDERS_PER_MINUTE),
    account=DhanAccount,
    shared=SharedSettings,
    build=_build,
)
"""The broker Dhan."""
