"""What describes a broker: its settings, promises, capabilities and limits, and how one account of it is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from broker.steady_reads import BrokerWithSteadyReads
from broker.test_mode import BrokerWithTestMode
from config.brokers import AccountSettings, SharedSettings
from domain.broker_capabilities import BrokerLimits, BrokerTraits, Capability
from domain.ports import ClientBroker, Clock, Steadiness
from domain.ports.instruments import Master

Account = TypeVar("Account", bound=AccountSettings)
Shared = TypeVar("Shared", bound=SharedSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSetup(Generic[Account, Shared]):
    """What one client's broker is made of: its own settings, and what of the service's concerns every broker.

    - `orders_db`: the orders database; an account's own files stand beside it.
    - `zone`: the market's time zone.
    - `deadline_seconds`: no call may take longer.
    - `acceptance_horizon_seconds`: how long after a lost answer a real broker may still accept the order.
    - `market_protection_percent`: how far beyond the market the limits lie that replace market orders.
    - `steadiness`: says since when the machine's clock was not set; None: nobody watches it.
    - `master`: returns the newest list of the broker's instruments; None: there is none. Raises: StoreUnavailable.
    - `exit_waits`: returns whether an exit of the client may be sent now, so that entries can let it go first.
    """

    client_id: str
    account: Account
    shared: Shared
    clock: Clock
    orders_db: Path
    zone: ZoneInfo
    deadline_seconds: float
    acceptance_horizon_seconds: float
    market_protection_percent: Decimal
    exit_waits: Callable[[], bool]
    steadiness: Steadiness | None = None
    master: Callable[[], Master | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerDescription(Generic[Account, Shared]):
    """All that the program knows of a broker. Nothing outside the broker's folder names it.

    - `traits`: what its adapter declares, before the account and the acceptance horizon are known.
    - `capabilities`: what an account of it can do when all its settings are set.
    - `account`, `shared`: the models of its settings; see `config.brokers`.
    - `build`: makes the adapter of one client's account. It calls nobody.
    """

    traits: BrokerTraits
    capabilities: frozenset[Capability]
    limits: BrokerLimits
    account: type[Account]
    shared: type[Shared]
    build: Callable[[BrokerSetup[Account, Shared]], ClientBroker]

    @property
    def name(self) -> str:
        """What BROKER says, in small letters."""
        return self.traits.name

    @property
    def is_real(self) -> bool:
        """True where orders can cost money."""
        return self.traits.is_real

    @property
    def knows_users(self) -> bool:
        """False where the broker knows an account by its client's id alone."""
        return self.account.user_field is not None

    def connect(self, setup: BrokerSetup[Account, Shared]) -> ClientBroker:
        """Make one client's broker, which answers for orders in test mode itself."""
        built = self.build(setup)
        port = built.port
        if setup.steadiness is not None:
            port = BrokerWithSteadyReads(port, setup.steadiness)
        return replace(built, port=BrokerWithTestMode(port, setup.clock))


AnyBroker = BrokerDescription[Any, Any]


def registered(*descriptions: AnyBroker) -> Mapping[str, AnyBroker]:
    """Return the descriptions by name, in this order.

    Raises:
        ValueError: two have the same name.
    """
    found = {each.name: each for each in descriptions}
    if len(found) != len(descriptions):
        raise ValueError(f"two brokers have one name: {[each.name for each in descriptions]}")
    return MappingProxyType(found)
