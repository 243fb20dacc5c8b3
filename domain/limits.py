"""The limits of a client's orders, where nothing set means no limit, and the handling of each strategy."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from domain.account_state import AccountState
from domain.combined import CombinedTerms
from domain.protection_terms import Terms


class ExitScope(StrEnum):
    """What an exit closes."""

    OWN = "own"  # what its strategy holds by its own fills
    POSITION = "position"  # the whole position, less what other strategies hold


class LimitAction(StrEnum):
    """What is done when a limit on the day's profit or loss is reached. Entries stop with either."""

    BLOCK = "block"
    FLATTEN = "flatten"  # and what strategies hold is exited


class CooldownAfter(StrEnum):
    """After which exits a cooldown begins."""

    ANY = "any"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What one strategy's own table limits: its own result, orders and positions, and nobody else's.

    The fields mean for the strategy what those of `Limits` of the same names mean for the whole client.
    """

    max_daily_loss: Decimal | None = None
    max_daily_profit: Decimal | None = None
    trailing_loss: Decimal | None = None
    trail_step: Decimal | None = None
    max_trades_per_day: int | None = None
    max_open_positions: int | None = None
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None
    stop_streak: int | None = None
    max_losing_days: int | None = None
    max_drawdown: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SymbolLimits:
    """What the table of a symbol limits, whoever trades it for the client.

    - `name`: a symbol, or several by `*` and `?` (`BANKNIFTY*`: the underlying with all of its contracts).
    - `of_orders`: fields of `Limits` that hold for an order there, where they are the tighter ones.
    - The rest are sums over all symbols of that name, and mean what those of `Limits` of the same names mean.
    """

    name: str
    of_orders: Mapping[str, Any] = field(default_factory=dict)
    max_trades_per_day: int | None = None
    max_open_positions: int | None = None
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None

    def covers(self, symbol: str) -> bool:
        """Return True for a symbol that the table is about."""
        return is_named(symbol, self.name)


def is_named(symbol: str, name: str) -> bool:
    """Return True where the name is the symbol's, or its `*` and `?` fit it; capitals do not matter."""
    return fnmatchcase(symbol.upper(), name.upper())


_NO_OWN = OwnLimits()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on entries. None of them holds back an exit."""

    max_daily_loss: Decimal | None = None  # account currency, positive
    max_daily_profit: Decimal | None = None  # account currency, positive
    on_daily_loss: LimitAction = LimitAction.BLOCK
    on_daily_profit: LimitAction = LimitAction.BLOCK
    trailing_loss: Decimal | None = (
        None  # account currency, positive; rises by `trail_step` with the best profit
    )
    trail_step: Decimal | None = None  # account currency; None: it does not rise
    warn_at: Decimal = Decimal("0.8")  # the share of a limit at which people are warned
    max_trades_per_day: int | None = None  # entries that were sent, in a trading day
    max_open_positions: int | None = None  # symbols that are held or being entered
    max_gross_exposure: Decimal | None = None  # the sum of all notional values, long and short
    max_net_exposure: Decimal | None = None  # long less short, whichever way
    cooldown_minutes: Decimal | None = None  # in the strategy's symbol after its exit was filled
    cooldown_after: CooldownAfter = CooldownAfter.ANY
    stop_streak: int | None = None  # stops met within `stop_streak_minutes`, after which entries pause
    stop_streak_minutes: Decimal = Decimal(60)
    stop_streak_pause_minutes: Decimal = Decimal(30)
    pnl_tolerance: Decimal = Decimal(500)  # by how much our own figure may differ from the broker's, untold
    flatten_scope: ExitScope = ExitScope.OWN  # POSITION: what nobody's fills explain is exited too
    own: OwnLimits = _NO_OWN
    max_order_quantity: Decimal | None = None  # units of the symbol, one order
    max_order_value: Decimal | None = None  # notional (quantity × price), one order
    max_orders_per_minute: int | None = None  # entries registered in a sliding minute
    max_open_orders: int | None = None  # entries that are created or at the broker
    max_entries: int = 1  # open orders plus positions of one strategy in one symbol
    positions_max_age_seconds: float = 60.0  # a read of the positions older than this blocks entries
    max_losing_days: int | None = (
        None  # closed days with a loss one after the other, then none until next week
    )
    max_drawdown: Decimal | None = (
        None  # account currency, positive; below the best of the last `drawdown_days`
    )
    drawdown_days: int = 30  # trading days by the calendar, today with them
    price_collar_percent: Decimal | None = None  # how far a price of the order may lie from the last price
    restricted_symbols: tuple[str, ...] = ()  # symbols that nobody enters; `*` and `?` as in a symbol's table
    products: tuple[str, ...] | None = None  # those that may be entered; None: all
    reducing_from: time | None = None  # by the client's clock: until the trading day ends entries only reduce
    halted_from: time | None = None  # the same, and none is let through
    of_symbols: tuple[SymbolLimits, ...] = ()  # the tables that are about the order's symbol
    scheduled: AccountState = AccountState.ACTIVE  # what the two times above ask for now

    @property
    def counts_orders(self) -> bool:
        """True where an order's neighbours decide about it, so that each is judged after the one before is written."""
        counted = (
            self.max_orders_per_minute,
            self.max_open_orders,
            self.max_trades_per_day,
            self.max_open_positions,
            self.max_gross_exposure,
            self.max_net_exposure,
        )
        own = self.own
        of_strategy = (
            own.max_trades_per_day,
            own.max_open_positions,
            own.max_gross_exposure,
            own.max_net_exposure,
        )
        of_symbols = (self.limits_trades, self.limits_positions, self.limits_exposure)
        return any(each is not None for each in (*counted, *of_strategy)) or any(of_symbols)

    @property
    def has_schedule(self) -> bool:
        """True where the clock decides what may be entered."""
        return (self.reducing_from, self.halted_from) != (None, None)

    @property
    def limits_trades(self) -> bool:
        """True where the entries of a day are limited."""
        own = (self.max_trades_per_day, self.own.max_trades_per_day)
        return own != (None, None) or self.limits_trades_of_symbols

    @property
    def limits_trades_of_symbols(self) -> bool:
        """True where the entries of a day in single symbols are limited."""
        return any(table.max_trades_per_day is not None for table in self.of_symbols)

    @property
    def limits_positions(self) -> bool:
        """True where the symbols that are held are limited."""
        own = (self.max_open_positions, self.own.max_open_positions)
        return own != (None, None) or any(each.max_open_positions is not None for each in self.of_symbols)

    @property
    def limits_stops(self) -> bool:
        """True where stops that are met one after the other make entries pause."""
        return (self.stop_streak, self.own.stop_streak) != (None, None)

    @property
    def limits_exposure(self) -> bool:
        """True where the value of what is held is limited."""
        own = (self.own.max_gross_exposure, self.own.max_net_exposure)
        of_symbols = ((t.max_gross_exposure, t.max_net_exposure) for t in self.of_symbols)
        return (self.max_gross_exposure, self.max_net_exposure, *own) != (None, None, None, None) or any(
            each != (None, None) for each in of_symbols
        )


@dataclass(frozen=True, slots=True)
class LimitBook:
    """A client's limits, and the limits that single strategies have instead."""

    default: Limits = field(default_factory=Limits)
    by_strategy: Mapping[str, Limits] = field(default_factory=dict)
    by_symbol: tuple[SymbolLimits, ...] = ()

    def for_strategy(self, strategy_name: str) -> Limits:
        """Return the limits that apply to this strategy."""
        return self.by_strategy.get(strategy_name, self.default)

    @property
    def always_limits_loss(self) -> bool:
        """True where every strategy has a daily loss limit, so that none enters while the day's loss is not known."""
        return all(each.max_daily_loss is not None for each in (self.default, *self.by_strategy.values()))


class GroupPolicy(StrEnum):
    """How the entries of one alert depend on each other.

    In every policy but INDEPENDENT a sold leg waits until the bought ones are filled, and is not sent where one fails.
    """

    INDEPENDENT = "independent"  # each leg on its own
    HEDGE_FIRST = "hedge_first"  # one blocked, all blocked
    ALL_OR_NONE = "all_or_none"  # so too, and what is not filled in time is given up as a whole
    BEST_EFFORT = "best_effort"  # a minimum of legs is enough


class WhenIncomplete(StrEnum):
    """What is done with a group that will not become what its alert wanted."""

    UNWIND = "unwind"  # the rest is cancelled, and what was filled is exited, sold legs first
    TELL = "tell"  # what was not sent is blocked, and a person decides


_USUAL_TIME = timedelta(seconds=60)
_USUAL_ANSWER = {
    GroupPolicy.ALL_OR_NONE: WhenIncomplete.UNWIND,
    GroupPolicy.BEST_EFFORT: WhenIncomplete.UNWIND,
}


@dataclass(frozen=True, slots=True)
class StrategyPolicy:
    """How one strategy's orders are handled.

    - `group`: None: hedge first where an alert has several entries.
    - `group_timeout`: how long after its alert a group may be incomplete; None: a minute where it is unwound, and as
      long as its orders live where people are told.
    - `group_minimum`: how many legs are enough for BEST_EFFORT.
    - `group_incomplete`: None: a group of HEDGE_FIRST, which is never naked, is told; others are unwound.
    - `group_exit_wait`: how long the sale of a bought leg waits for the sold legs that its alert buys back.
    - `combined`: what protects the groups of alerts that bring nothing for them.
    - `protection`: of entries that bring none themselves; `square_off`: when all entries of the day exit, as `15:10`.
    """

    exit_scope: ExitScope = ExitScope.OWN
    group: GroupPolicy | None = None
    settling: timedelta = timedelta(seconds=3)  # how long a reversal waits for its exit
    protection: Terms | None = None
    combined: CombinedTerms | None = None
    square_off: str | None = None
    group_timeout: timedelta | None = None
    group_minimum: int = 1
    group_incomplete: WhenIncomplete | None = None
    group_exit_wait: timedelta = timedelta(seconds=15)

    @property
    def is_grouped(self) -> bool:
        """True where the entries of one alert are judged together."""
        return self.group is not GroupPolicy.INDEPENDENT

    @property
    def grouping(self) -> GroupPolicy:
        """How entries of one alert depend on each other, as it is set or by default."""
        return self.group or GroupPolicy.HEDGE_FIRST

    @property
    def when_incomplete(self) -> WhenIncomplete:
        """What is done with an incomplete group, as it is set or by default."""
        return self.group_incomplete or _USUAL_ANSWER.get(self.grouping, WhenIncomplete.TELL)

    @property
    def time_to_complete(self) -> timedelta | None:
        """How long a group may be incomplete, as it is set or by default; None: as long as its orders live."""
        if self.group_timeout is not None or self.when_incomplete is WhenIncomplete.TELL:
            return self.group_timeout
        return _USUAL_TIME

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
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Kolkata"))
    day_starts: time = time(6)  # when a trading day begins in that zone

    def strategy(self, strategy_name: str) -> StrategyPolicy:
        """How this strategy's orders are handled."""
        return self.strategies.for_strategy(strategy_name)
