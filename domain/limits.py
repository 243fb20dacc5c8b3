"""The limits a client has set; nothing set means no limit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on entries. Exits are never held back by any of them."""

    max_daily_loss: Decimal | None = None  # account currency, positive
    max_order_quantity: Decimal | None = None  # units of the symbol, one order
    max_order_value: Decimal | None = None  # notional (quantity × price), one order
    max_orders_per_minute: int | None = None  # entries registered in a sliding minute
    max_open_orders: int | None = None  # entries that are created or at the broker
    max_entries: int = 1  # open orders plus positions of one strategy in one symbol
    positions_max_age_seconds: float = 60.0  # older positions block entries


@dataclass(frozen=True, slots=True)
class LimitBook:
    """A client's limits, and what single strategies have instead."""

    default: Limits = field(default_factory=Limits)
    by_strategy: Mapping[str, Limits] = field(default_factory=dict)

    def for_strategy(self, strategy_name: str) -> Limits:
        """The limits that bind this strategy."""
        return self.by_strategy.get(strategy_name, self.default)


class ExitScope(StrEnum):
    """What an exit closes."""

    OWN = "own"  # what its strategy holds by its own fills
    POSITION = "position"  # the whole position, less what other strategies hold


@dataclass(frozen=True, slots=True)
class StrategyPolicy:
    """What is set for one strategy."""

    exit_scope: ExitScope = ExitScope.OWN


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """What binds one client's orders. `live_allowed` is False for a real broker while LIVE_TRADING is false."""

    client_id: str
    limits: LimitBook
    live_allowed: bool
    default_strategy: StrategyPolicy = field(default_factory=StrategyPolicy)
    strategies: Mapping[str, StrategyPolicy] = field(default_factory=dict)

    def strategy(self, name: str) -> StrategyPolicy:
        """What is set for the strategy of that name."""
        return self.strategies.get(name, self.default_strategy)
