"""Alpaca as the registry knows it."""

from broker.alpaca.adapter import TRAITS, AlpacaBroker
from broker.alpaca.settings import AlpacaAccount
from broker.budgets import Budgets, budget_of
from broker.description import BrokerDescription, BrokerSetup
from broker.http_calls import Timeouts
from broker.rate_limit.limiter import Rate
from config.brokers import SharedSettings
from domain.broker_capabilities import BrokerLimits, Capability
from domain.ports import ClientBroker

_PER_SECOND = 10  # bursts beyond that have been told to be refused
_PER_MINUTE = 200  # of one account, all calls together; prices are counted apart
_SHARE_OF_DEADLINE = 0.55  # an order whose id is in use is read too, and both calls end before the deadline
_KEPT_FOR_EXITS = 5  # one in five of our calls


def _build(setup: BrokerSetup[AlpacaAccount, SharedSettings]) -> ClientBroker:
    broker = AlpacaBroker(
        setup.account.credentials(),
        setup.clock,
        budgets=_budgets(setup),
        timeouts=Timeouts.within(setup.deadline_seconds * _SHARE_OF_DEADLINE),
        acceptance_horizon=setup.acceptance_horizon_seconds,
    )
    return ClientBroker(broker, look_up=broker, quotes=broker, equity=broker)


def _budgets(setup: BrokerSetup[AlpacaAccount, SharedSettings]) -> Budgets:
    per_minute = setup.account.calls_per_minute
    calls = budget_of(setup, Rate(_PER_SECOND, per_minute=per_minute, kept=per_minute // _KEPT_FOR_EXITS))
    return Budgets(calls, calls, budget_of(setup, Rate(_PER_SECOND, per_minute=per_minute), "~quotes"))


ALPACA = BrokerDescription(
    traits=TRAITS,
    capabilities=frozenset({Capability.EQUITY, Capability.LOOK_UP, Capability.QUOTES}),
    limits=BrokerLimits(_PER_SECOND, _PER_MINUTE),
    account=AlpacaAccount,
    shared=SharedSettings,
    build=_build,
)
"""The broker Alpaca."""
