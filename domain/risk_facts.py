"""The facts that the blockers decide by, read inside the transaction that will act on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from domain.enums import Side
from domain.limits import Limits
from domain.marks import Mark
from domain.money import ZERO
from domain.order import Order
from domain.risk_stops import Stop


class Exposed(NamedTuple):
    """Units that are held, or may be by open entries. `price` None: no price is known. `strategy` empty: nobody's."""

    strategy: str
    exchange: str
    symbol: str
    units: Decimal
    price: Decimal | None
    waits: bool = False  # an entry that waits for an exit: limits judge it when it is sent


def places_of(exposed: Iterable[Exposed]) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """Return the symbols (exchange, symbol) of these, and those in which nothing is but entries that wait."""
    kept = list(exposed)
    places = frozenset((e.exchange, e.symbol) for e in kept)
    return places, places - {(e.exchange, e.symbol) for e in kept if not e.waits}


class LastExit(NamedTuple):
    """The strategy's last exit in the symbol. `realized`: of what it closed; None: not counted yet."""

    at: datetime
    realized: Decimal | None


class StopMet(NamedTuple):
    """A stop of a protection that was met, at a loss."""

    strategy: str
    at: datetime


def pauses_until(
    times: Iterable[datetime], streak: int, window: timedelta, pause: timedelta
) -> datetime | None:
    """Return until when entries pause after a streak of stops within a window; None: there was no such streak."""
    met = sorted(times)
    ends = [last for first, last in zip(met, met[streak - 1 :], strict=False) if last - first <= window]
    return ends[-1] + pause if ends else None


def streak_since(limits: Limits, now: datetime) -> datetime:
    """Return since when stops that were met may still make entries pause."""
    minutes = limits.stop_streak_minutes + limits.stop_streak_pause_minutes
    return now - timedelta(microseconds=int(minutes * 60_000_000))


def is_loss(side: Side, average: Decimal | None, price: Decimal | None) -> bool:
    """Return True where a position of this side was left at a worse price; a price that is not known is one."""
    return average is None or price is None or (price - average) * side.sign < 0


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What single limits need to know. Only what a limit that is set asks for is read; the rest is left as it is.

    - `trades`, `own_trades`: entries of the trading day that were sent or may be, of the client and of the strategy.
    - `places`, `own_places`: the symbols (exchange, symbol) that are held or being entered.
    - `waiting`, `own_waiting`: those of them in which nothing is but entries that wait for an exit, or that came after
      this order and are not sent.
    - `exposed`: what is held and what open entries may bring.
    - `stops_met`: the stops of the client's strategies that were met lately.
    - `trades_in`: the trades of the client by symbol.
    - `last_mark`: the youngest last price of the order's symbol that is stored, however old it is.
    - `reducible`: how many units an entry of this side may take off the account's net position; None: not known.
    """

    trades: int = 0
    own_trades: int = 0
    places: frozenset[tuple[str, str]] = frozenset()
    own_places: frozenset[tuple[str, str]] = frozenset()
    waiting: frozenset[tuple[str, str]] = frozenset()
    own_waiting: frozenset[tuple[str, str]] = frozenset()
    exposed: tuple[Exposed, ...] = ()
    last_exit: LastExit | None = None
    reducible: Decimal | None = None
    stops_met: tuple[StopMet, ...] = ()
    trades_in: tuple[tuple[str, int], ...] = ()
    last_mark: Mark | None = None


_NOTHING_COUNTED = LimitFacts()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the rules may use, about one order at one instant.

    Times are aware UTC, quantities in units, money in account currency. `None` means "not known", never zero.
    """

    now: datetime
    limits: Limits
    live_allowed: bool  # False: a real broker while LIVE_TRADING is false
    halt: str | None = None  # why the client or the strategy is halted
    positions_read_at: datetime | None = None  # the last successful read of the broker's positions
    unreadable_row: str | None = None  # of the last read; hides this symbol or a limited loss
    pnl: Decimal | None = None  # of the trading day, as last read
    lowest_pnl: Decimal | None = None  # the worst of the trading day so far that two reads confirm
    loss_counts_from: Decimal = ZERO  # where the loss limit counts from: the loss at which it was lifted
    # The limit was hit today and no operator has lifted it. Limits may have changed since.
    loss_latched: bool = False
    entries_last_minute: int = 0
    open_orders: int = 0  # of the client, this one not counted
    unknown_on_symbol: int = 0
    # The broker's position contradicts our fills, and the difference is not believed yet.
    position_disputed: bool = False
    own_open_entries: int = 0  # of this strategy in this symbol without a fill, this one not counted
    own_held_entries: int = 0  # entries that make up the strategy's position in this symbol
    own_net: Decimal = ZERO  # what this strategy holds in this symbol, positive long
    # External orders or believed differences have closed what is held in this symbol, and no read of the positions has
    # shown it flat yet.
    closed_by_hand: bool = False
    turns_own_entry: bool = False  # an open entry of this strategy ahead of this one has the other side
    exit_ahead: bool = False  # an older exit of this strategy in this symbol is outstanding and does not rest
    exit_open: bool = False  # any exit of this strategy in this symbol is outstanding, resting ones too
    opposite_holders: tuple[str, ...] = ()  # other strategies on the other side of this symbol
    last_price: Decimal | None = None
    stops: tuple[Stop, ...] = ()  # of the client and of the strategy
    of_limits: LimitFacts = _NOTHING_COUNTED


@dataclass(frozen=True, slots=True)
class Holding:
    """What one strategy holds of one symbol, by its own fills. `net_quantity` in units, positive long."""

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

    - `holdings`: what all strategies hold at its exchange in its symbol, by their recorded fills. A holding without
      entries comes from an exit whose fill was recorded before the fill of its entry.
    - `orders`: the other orders there that have not ended: created, at the broker, or absent but perhaps accepted late.
    - `by_hand`: the effect of external orders on the position, by the broker's own rows of them; signed.
    - `believed`: the part of the difference between holdings and broker that is believed, because it lasted long enough
      or is a surplus that was believed at once; signed.
    - `known`: the units, by product, that differences and external orders put there before ours went missing in another
      product. No strategy holds them, and they are no conversion of ours.
    - `disputed`: the part of the difference that was told and that nothing explains yet; signed.
    - `last_fills`: when a fill of ours in the symbol was last recorded, by side.
    - `elsewhere`: what strategies hold of the symbol at other exchanges, which this exit cannot close.
    """

    holdings: tuple[Holding, ...] = ()
    orders: tuple[Order, ...] = ()
    by_hand: Decimal = ZERO
    believed: Decimal = ZERO
    known: Mapping[str, Decimal] = field(default_factory=dict)
    disputed: Decimal = ZERO
    last_fills: Mapping[Side, datetime] = field(default_factory=dict)
    elsewhere: tuple[Holding, ...] = ()

    @property
    def last_fill_at(self) -> datetime | None:
        """When a fill of ours in the symbol was last recorded, of either side."""
        return max(self.last_fills.values(), default=None)
