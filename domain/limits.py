"""The limits of a client's orders, where nothing set means no limit, and the handling of each strategy."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from domain.protection_terms import Terms


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on entries. None of them holds back an exit."""

    max_daily_loss: Decimal | None = None  # account currency, positive
    max_order_quantity: Decimal | None = None  # units of the symbol, one order
    max_order_value: Decimal | None = None  # notional (quantity × price), one order
    max_orders_per_minute: int | None = None  # entries registered in a sliding minute
    max_open_orders: int | None = None  # entries that are created or at the broker
    max_entries: int = 1  # open orders plus positions of one strategy in one symbol
    positions_max_age_seconds: float = 60.0  # a read of the positions older than this blocks entries


@dataclass(frozen=True, slots=True)
class LimitBook:
    """A client's limits, and the limits that single strategies have instead."""

    default: Limits = field(default_factory=Limits)
    by_strategy: Mapping[str, Limits] = field(default_factory=dict)

    def for_strategy(self, strategy_name: str) -> Limits:
        """Return the limits that apply to this strategy."""
        return self.by_strategy.get(strategy_name, self.default)

    @property
    def always_limits_loss(self) -> bool:
        """True where every strategy has a daily loss limit, so that none enters while the day's loss is not known."""
        return all(each.max_daily_loss is not None for each in (self.default, *self.by_strategy.values()))


class ExitScope(StrEnum):
    """What an exit closes."""

    OWN = "own"  # what its strategy holds by its own fills
    POSITION = "position"  # the whole position, less what other strategies hold


class GroupPolicy(StrEnum):
    """How the entries of one alert depend on each other."""

    INDEPENDENT = "independent"  # each leg on its own
    HEDGE_FIRST = "hedge_first"  # one blocked, all blocked; a sold leg waits until the bought ones are filled


@dataclass(frozen=True, slots=True)
class StrategyPolicy:
    """How one strategy's orders are handled.

    - `group`: None: hedge first where an alert has several entries.
    - `protection`: of entries that bring none themselves; `square_off`: when all entries of the day exit, as `15:10`.
    """

    exit_scope: ExitScope = ExitScope.OWN
    group: GroupPolicy | None = None
    settling: timedelta = timedelta(seconds=3)  # how long a reversal waits for its exit
    protection: Terms | None = None
    square_off: str | None = None

    @property
    def is_grouped(self) -> bool:
        """True where the entries of one alert are judged together."""
        return self.group is not GroupPolicy.INDEPENDENT

    def protecting(self, own: Terms | None) -> Terms | None:
        """Return what protects an entry that brings this itself; None: nothing."""
        if own is None and self.protection is None and self.square_off is None:
            return None
        terms = own or self.protection or Terms()
        if self.square_off is not None:
            terms = replace(terms, exit_at=min(terms.exit_at or self.square_off, self.square_off))
        return None if terms == Terms() else terms


@dataclass(frozen=True, slots=True)
class StrategyBook:
    """How strategies are handled, and the policies that single strategies have instead."""

    default: StrategyPolicy = field(default_factory=StrategyPolicy)
    by_strategy: Mapping[str, StrategyPolicy] = field(default_factory=dict)

    def for_strategy(self, strategy_name: str) -> StrategyPolicy:
        """How this strategy is handled."""
        return self.by_strategy.get(strategy_name, self.default)


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """The policy for one client's orders. `live_allowed` is False for a real broker while LIVE_TRADING is false."""

    client_id: str
    limits: LimitBook
    live_allowed: bool
    strategies: StrategyBook = field(default_factory=StrategyBook)

    def strategy(self, strategy_name: str) -> StrategyPolicy:
        """How this strategy's orders are handled."""
        return self.strategies.for_strategy(strategy_name)
