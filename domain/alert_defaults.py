"""What the strategies file adds to alerts of platforms that name less than an order needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from domain.alert import ClientShare
from domain.enums import OrderType, Side
from domain.leg_templates import LegTemplate
from domain.sizing import SizeAsk


class Instrument(NamedTuple):
    """What a name in an alert stands for. `exchange` None: the alert's, or the default."""

    symbol: str
    exchange: str | None = None


@dataclass(frozen=True, slots=True)
class AlertDefaults:
    """Values for what an alert of one strategy does not name; None where it has to name them.

    - `side`: for screeners alone, whose alerts cannot name one.
    - `clients`: those that trade its alerts, each with its multiple; empty: the one whose secret an alert carries.
    - `symbols`: names as alerts write them, in capitals, and the instruments that they stand for.
    - `roll_days`: days before its expiry at which a continuous future stands for the next contract.
    - `sizing`: what the quantity is computed from where an alert names no size; never beside `quantity`.
    - `legs`: what an alert on an underlying becomes.
    - `prices_of`: exchange and symbol of what entries are sized by the last price of, which is read for that.
    - `currency`: of the prices of what it trades, where the exchange does not say it.
    """

    exchange: str | None = None
    product: str | None = None
    order_type: OrderType | None = None
    quantity: Decimal | None = None
    side: Side | None = None
    clients: tuple[ClientShare, ...] = ()
    symbols: Mapping[str, Instrument] = field(default_factory=dict)
    roll_days: int | None = None
    sizing: SizeAsk | None = None
    legs: LegTemplate | None = None
    currency: str | None = None
    prices_of: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class AlertDefaultsBook:
    """The defaults of all strategies, and the strategy of alerts that name none (`strategy_name`).

    `owner`: the strategy whose secret the alert carries. It is that strategy's, whatever it names.
    """

    default: AlertDefaults = field(default_factory=AlertDefaults)
    by_strategy: Mapping[str, AlertDefaults] = field(default_factory=dict)
    strategy_name: str | None = None
    owner: str | None = None

    def for_strategy(self, strategy_name: str) -> AlertDefaults:
        """The defaults of this strategy's alerts."""
        return self.by_strategy.get(strategy_name, self.default)

    def owned_by(self, strategy_name: str | None) -> "AlertDefaultsBook":
        """The defaults of an alert that carries the secret of this strategy; None: that of a client."""
        if strategy_name is None:
            return self
        own = self.for_strategy(strategy_name)
        return replace(self, default=own, by_strategy={}, strategy_name=strategy_name, owner=strategy_name)


NO_DEFAULTS = AlertDefaultsBook()
"""Alerts name everything themselves."""
