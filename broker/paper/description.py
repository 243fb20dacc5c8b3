"""The paper broker, as the registry knows it."""

from broker.description import BrokerDescription, BrokerSetup
from broker.paper.adapter import TRAITS, PaperBroker, PaperMarket
from broker.paper.settings import PaperAccount, PaperSettings
from domain.broker_capabilities import BrokerLimits, Capability
from domain.ports import ClientBroker


def _build(setup: BrokerSetup[PaperAccount, PaperSettings]) -> ClientBroker:
    settings = setup.shared
    market = PaperMarket(
        zone=setup.zone,
        tick=settings.tick,
        slippage_ticks=settings.slippage_ticks,
        latency_seconds=settings.latency_ms / 1000,
        default_price=settings.default_price,
        equity=settings.equity,
    )
    broker = PaperBroker(settings.file(setup.orders_db), setup.client_id, setup.clock, market)
    return ClientBroker(broker, batches=broker, set_mark=broker, marks=broker, equity=broker)


PAPER = BrokerDescription(
    traits=TRAITS,
    capabilities=frozenset({Capability.BATCHES, Capability.EQUITY, Capability.MARKS, Capability.SET_MARK}),
    limits=BrokerLimits(),
    account=PaperAccount,
    shared=PaperSettings,
    build=_build,
)
