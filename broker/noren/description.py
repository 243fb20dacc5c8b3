"""The brokers that use the Noren API, as the registry knows them."""

from broker.budgets import budget_of
from broker.description import BrokerDescription, BrokerSetup
from broker.http_calls import Timeouts
from broker.noren.adapter import NorenBroker, traits_of
from broker.noren.presets import PRESETS, Preset
from broker.noren.settings import AddressedAccount, LoginAccount, TokenAccount
from broker.rate_limit.limiter import Rate, RateBudget
from config.brokers import SharedSettings
from domain.broker_capabilities import BrokerLimits, Capability
from domain.ports import ClientBroker

_PER_SECOND = 10  # API orders, since the retail-algo rules
_FOR_OTHER_PROGRAMS = 20  # of the calls that a broker allows in a minute, those left to other programs
_KEPT_FOR_EXITS = 5  # one in five of our calls

_CAPABILITIES = frozenset(
    {Capability.EQUITY, Capability.MODIFY, Capability.LOOK_UP, Capability.QUOTES, Capability.STREAM}
)

_Setup = BrokerSetup[TokenAccount, SharedSettings]


def _described(
    preset: Preset, account: type[TokenAccount]
) -> BrokerDescription[TokenAccount, SharedSettings]:
    return BrokerDescription(
        traits=traits_of(preset),
        capabilities=_CAPABILITIES,
        limits=BrokerLimits(_PER_SECOND, preset.per_minute),
        account=account,
        shared=SharedSettings,
        build=lambda setup: _build(preset, setup),
    )


def _build(preset: Preset, setup: _Setup) -> ClientBroker:
    account = setup.account
    percent = setup.market_protection_percent if account.market_orders == "protected" else None
    broker = NorenBroker(
        account.credentials(),
        preset,
        setup.clock,
        budget=_budget(preset, setup),
        timeouts=Timeouts.within(setup.deadline_seconds),
        protection_percent=percent,
        acceptance_horizon=setup.acceptance_horizon_seconds,
    )
    stream = None if account.ws_url is None else broker
    return ClientBroker(broker, modify=broker, look_up=broker, quotes=broker, stream=stream, equity=broker)


def _budget(preset: Preset, setup: _Setup) -> RateBudget:
    per_minute = _calls_per_minute(preset, setup.account)
    return budget_of(setup, Rate(_PER_SECOND, per_minute=per_minute, kept=per_minute // _KEPT_FOR_EXITS))


def _calls_per_minute(preset: Preset, account: TokenAccount) -> int:
    """The calls per minute that the settings give, or else fewer than the broker allows.

    The broker also counts the calls of a phone and of its own terminal.
    """
    own = account.calls_per_minute
    return preset.per_minute - _FOR_OTHER_PROGRAMS if own is None else own


NOREN = (
    _described(PRESETS["shoonya"], AddressedAccount),
    _described(PRESETS["flattrade"], TokenAccount),
    _described(PRESETS["zebu"], LoginAccount),
)
