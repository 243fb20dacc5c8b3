"""What the blockers are told: facts read inside the transaction that will act on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from domain.limits import Limits
from domain.money import ZERO
from domain.order import Order


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
    unreadable_row: str | None = None  # of the last read, which hides this symbol or a limited loss
    pnl: Decimal | None = None  # of the trading day, as last read
    lowest_pnl: Decimal | None = None  # the worst of the trading day so far that two reads confirm
    loss_counts_from: Decimal = (
        ZERO  # where a loss limit counts from: the loss at which an operator lifted it
    )
    loss_latched: bool = (
        False  # the limit was hit today and nobody has lifted that; limits may have changed since
    )
    entries_last_minute: int = 0
    open_orders: int = 0  # of the client, this one not counted
    unknown_on_symbol: int = 0
    position_disputed: bool = (
        False  # the broker's position contradicts our fills, and that is not believed yet
    )
    own_open_entries: int = 0  # of this strategy in this symbol, this one not counted
    own_held_entries: int = 0  # entries that make up the strategy's position in this symbol
    own_net: Decimal = ZERO  # what this strategy holds in this symbol, positive long
    closed_by_hand: bool = (
        False  # orders that are not ours have closed what is held there; no read has shown it yet
    )
    turns_own_entry: bool = False  # an older open entry of this strategy has the other side
    exit_ahead: bool = False  # an older exit of this strategy in this symbol is under way and does not rest
    exit_open: bool = False  # any exit of this strategy in this symbol is under way, resting ones too
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

    `holdings` are all strategies' in its exchange and symbol, by their recorded fills; one without entries is a fill
    of an exit that was recorded before its entry's. `orders` are the other orders there that are not over: created, at
    the broker, or absent but perhaps accepted late. `by_hand` is what the broker's own rows of orders that are not ours
    did to the position, `believed` the part of the difference between holdings and broker that lasted long enough to be
    believed; both signed. `known` are, of those two, what was in a product before ours went missing in another one:
    that is nobody's here, and no conversion of ours. `last_fill_at`: when a fill of ours in the symbol was recorded.
    `elsewhere`: what strategies hold of the symbol at other exchanges, which this exit cannot close.
    """

    holdings: tuple[Holding, ...] = ()
    orders: tuple[Order, ...] = ()
    by_hand: Decimal = ZERO
    believed: Decimal = ZERO
    known: Mapping[str, Decimal] = field(default_factory=dict)
    last_fill_at: datetime | None = None
    elsewhere: tuple[Holding, ...] = ()
