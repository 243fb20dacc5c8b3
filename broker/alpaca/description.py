"""Alpaca as the registry knows it."""

from broker.account_calls import Budgets
from broker.alpaca.adapter import TRAITS, AlpacaBroker
from broker.alpaca.settings import AlpacaAccount
from broker.description import BrokerDescription, BrokerSetup
from broker.http_calls import Timeouts
from broker.rate_limit.limiter import Rate, RateBudget
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
    """The rate budgets of one account, shared by all processes of this machine. Its entries let exits go first."""
    per_minute = setup.account.calls_per_minute

    def budget(what: str, rate: Rate) -> RateBudget:
        path = setup.orders_db.with_name(f"{setup.client_id}{what}.budget")  # no client's id has a ~
        return RateBudget(path, setup.clock, rate, exit_waits=setup.exit_waits)

    calls = budget("", Rate(_PER_SECOND, per_minute=per_minute, kept=per_minute // _KEPT_FOR_EXITS))
    return Budgets(calls, calls, budget("~quotes", Rate(_PER_SECOND, per_minute=per_minute)))


ALPACA = BrokerDescription(
    traits=TRAITS,
    capabilities=frozenset({Capability.EQUITY, Capability.LOOK_UP, Capability.QUOTES}),
    limits=BrokerLimits(_PER_SECOND, _PER_MINUTE),
    account=AlpacaAccount,
    shared=SharedSettings,
    build=_build,
)
"""The broker Alpaca."""
