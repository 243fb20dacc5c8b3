"""What the parts of the watcher share: each client's context, and the engine's timings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.exit_chase import ChaseRules
from domain.instruments.instrument import Instrument
from domain.limits import ClientPolicy
from domain.order import Order
from domain.ports import CANNOT_BE_READ_AFTER, BatchPlacer, Broker, EquityReader, MarkReader, QuoteReader
from domain.times import trading_day


@dataclass(frozen=True, slots=True)
class ClientContext:
    """One client as the engine serves it: its broker, and the policy that binds its orders.

    - `batches`: places many orders at once; None: one after the other.
    - `marks`: tells last prices; None: only positions do.
    - `equity`: tells what the account is worth; None: its broker does not.
    - `quotes`: reads a price for a call.
    - `priced`: the places whose last prices are kept, so that entries can be sized by them, each with the instrument
      where a master lists it.
    - `largest`: the largest quantity of an exchange's symbol that one order may have, None where it is not known.
    """

    client_id: str
    broker: Broker
    policy: ClientPolicy
    batches: BatchPlacer | None = None
    marks: MarkReader | None = None
    equity: EquityReader | None = None
    quotes: QuoteReader | None = None
    priced: Callable[[], Mapping[tuple[str, str], Instrument | None]] = dict
    largest: Callable[[str, str], Decimal | None] = lambda exchange, symbol: None


@dataclass(frozen=True, slots=True)
class EngineTimings:
    """Durations of the engine. All of them bound a wait; none is a guess about an outcome."""

    # A call that takes longer has an unknown outcome.
    broker_deadline: timedelta = timedelta(seconds=15)
    # A claim that has not reached its broker call within it is not sent.
    submit_window: timedelta = timedelta(seconds=2)
    # How long an exit waits for a poll of the order book, and for resting exits to be cancelled.
    exit_hold: timedelta = timedelta(seconds=10)
    # How long an exit waits while our fills and the broker's positions disagree on its size.
    exit_dispute: timedelta = timedelta(seconds=30)
    # How long a position difference must stand until it is believed.
    difference_believed: timedelta = timedelta(minutes=3)
    # The time between two sends under one id, where the broker allows them.
    resend_after: timedelta = timedelta(seconds=2)
    unknown_log: timedelta = CANNOT_BE_READ_AFTER
    unknown_tell: timedelta = timedelta(seconds=60)
    positions_refresh: timedelta = timedelta(seconds=2)
    # How an exit that is to be filled at once is followed while it rests at the broker.
    chase: ChaseRules = field(default_factory=ChaseRules)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Kolkata"))
    # When a trading day begins in that zone: after one session, before the broker's reset.
    day_starts: time = time(6)

    def same_day(self, one: Order, other: Order) -> bool:
        """Return True when both orders are of one day. Within a day no broker gives one number to two orders."""
        return self.is_one_day(one.created_at, other.created_at)

    def is_one_day(self, first: datetime, second: datetime) -> bool:
        """Return True when both moments may fall within one day of the broker's.

        It is not known whether the broker's order numbers begin anew at midnight or at its own reset. So one day by
        either boundary is enough: if a number were wrongly taken for a reused one, its fill could count twice.
        """
        return any(
            trading_day(first, self.zone, starts) == trading_day(second, self.zone, starts)
            for starts in (time(), self.day_starts)
        )

    @property
    def sending_ends(self) -> timedelta:
        """How long after a claim its call may still be on its way to the broker."""
        return self.submit_window + self.broker_deadline
