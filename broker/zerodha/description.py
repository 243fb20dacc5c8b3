"""Zerodha as the registry knows it."""

from broker.budgets import Budgets, budgets_of
from broker.description import BrokerDescription, BrokerSetup
from broker.http_calls import Timeouts
from broker.known_order_numbers import ZONE
from broker.rate_limit.limiter import Rate
from broker.zerodha.adapter import TRAITS, ZerodhaBroker
from broker.zerodha.requests import AUTOMATIC
from broker.zerodha.settings import ZerodhaAccount
from config.brokers import SharedSettings
from domain.broker_capabilities import BrokerLimits, Capability
from domain.ports import ClientBroker

_PER_SECOND = 10  # orders, and again as many other calls (documented); quotes: one
_ORDERS_PER_MINUTE = 200  # the smaller of the figures that the vendor has given: 200, later 400
_FOR_OTHER_PROGRAMS = 20  # of those, what a phone and the broker's own terminal may use
_KEPT_FOR_EXITS = 5  # one in five of our calls


def _build(setup: BrokerSetup[ZerodhaAccount, SharedSettings]) -> ClientBroker:
    automatic = setup.account.market_orders == "auto"
    broker = ZerodhaBroker(
        setup.account.credentials(),
        setup.clock,
        budgets=_budgets(setup),
        timeouts=Timeouts.within(setup.deadline_seconds),
        protection_percent=AUTOMATIC if automatic else setup.market_protection_percent,
        acceptance_horizon=setup.acceptance_horizon_seconds,
    )
    return ClientBroker(broker, modify=broker, look_up=broker, quotes=broker, equity=broker)


def _budgets(setup: BrokerSetup[ZerodhaAccount, SharedSettings]) -> Budgets:
    own = setup.account.orders_per_minute
    per_minute = _ORDERS_PER_MINUTE - _FOR_OTHER_PROGRAMS if own is None else own
    per_day = setup.account.orders_per_day
    orders = Rate(
        _PER_SECOND,
        per_minute=per_minute,
        kept=per_minute // _KEPT_FOR_EXITS,
        per_day=per_day,
        kept_of_day=per_day // _KEPT_FOR_EXITS,
        zone=ZONE,
    )
    return budgets_of(setup, orders=orders, reads=Rate(_PER_SECOND), quotes=Rate(1))


ZERODHA = BrokerDescription(
    traits=TRAITS,
    capabilities=frozenset({Capability.EQUITY, Capability.MODIFY, Capability.LOOK_UP, Capability.QUOTES}),
    limits=BrokerLimits(_PER_SECOND, _ORDERS_PER_MINUTE),
    account=ZerodhaAccount,
    shared=SharedSettings,
    build=_build,
)
"""The broker Zerodha."""
