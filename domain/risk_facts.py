"""What the blockers are told: facts read inside the transaction that will act on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from domain.alert import Side
from domain.limits import Limits
from domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the rules may look at, about one order at one instant.

    Times are aware UTC, quantities in units, money in account currency. `None` means "not known", never zero.
    """

    now: datetime
    limits: Limits
    live_allowed: bool  # False: a real broker while LIVE_TRADING is false
    halt: str | None = None  # why the client or the strategy is halted
    positions_read_at: datetime | None = None  # the last successful read of the broker's positions
    lowest_pnl: Decimal | None = None  # the worst profit and loss of the trading day so far
    entries_last_minute: int = 0
    open_orders: int = 0  # of the client, this one not counted
    unknown_on_symbol: int = 0
    own_open_entries: int = 0  # of this strategy in this symbol, this one not counted
    own_held_entries: int = 0  # entries that make up the strategy's position in this symbol
    opposite_holders: tuple[str, ...] = ()  # other strategies on the other side of this symbol
    last_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What one strategy holds of one symbol, by its own fills. `net_quantity` positive long."""

    client_id: str
    strategy_name: str
    exchange: str
    symbol: str
    product: str
    net_quantity: Decimal = ZERO
    entries: int = 0


@dataclass(frozen=True, slots=True)
class ExitFacts:
    """What an exit must know about its symbol, read in the transaction that claims it.

    `held` is what the strategy itself holds there by its recorded fills, `held_by_others` what each other strategy
    does (signed); `resting_of_others` and `unknown_of_others` by how much their entries, those that the broker has and
    those of unknown outcome, may have been filled without our knowing yet, for each side; `exits_in_flight` what other
    exits may still take off the position (unknown outcomes counted in full); `entries_in_flight` how many older
    entries of the strategy are not settled yet; `last_fills` when a fill of each side in this symbol was last recorded.
    """

    held_by_others: Mapping[str, Decimal] = field(default_factory=dict)
    exits_in_flight: Decimal = ZERO
    entries_in_flight: int = 0
    last_fills: Mapping[Side, datetime] = field(default_factory=dict)
    held: Decimal = ZERO
    resting_of_others: Mapping[Side, Decimal] = field(default_factory=dict)
    unknown_of_others: Mapping[Side, Decimal] = field(default_factory=dict)
