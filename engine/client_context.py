"""What the parts of the watcher share: a client's seat and the durations."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.limits import ClientPolicy
from domain.order import Order
from domain.ports import CANNOT_BE_READ_AFTER, Broker
from domain.times import trading_day


@dataclass(frozen=True, slots=True)
class ClientContext:
    """One client's place at the engine: its broker and what binds its orders."""

    client_id: str
    broker: Broker
    policy: ClientPolicy


@dataclass(frozen=True, slots=True)
class EngineTimings:
    """Durations of the engine. All of them bound a wait; none is a guess about an outcome."""

    broker_deadline: timedelta = timedelta(seconds=15)  # a call that takes longer has an unknown outcome
    submit_window: timedelta = timedelta(seconds=2)  # a claim that got no further within it is not sent
    exit_hold: timedelta = timedelta(seconds=10)  # an exit waits so long for older entries to settle
    exit_dispute: timedelta = timedelta(
        seconds=30
    )  # an exit whose size our fills and the broker's positions disagree on waits so long for them to agree
    difference_believed: timedelta = timedelta(
        minutes=3
    )  # so long must a difference stand until it is believed
    resend_after: timedelta = timedelta(
        seconds=2
    )  # between two sends of one id, where the broker allows them
    unknown_log: timedelta = CANNOT_BE_READ_AFTER
    unknown_tell: timedelta = timedelta(seconds=60)
    positions_refresh: timedelta = timedelta(seconds=2)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Kolkata"))
    day_starts: time = time(
        6
    )  # when a trading day begins there: after one session, before the broker's reset

    def same_day(self, one: Order, other: Order) -> bool:
        """True when both are of one day, within which no broker gives a number to two orders."""
        return self.is_one_day(one.created_at, other.created_at)

    def is_one_day(self, first: datetime, second: datetime) -> bool:
        """True when both moments are of one day of the broker's, as far as it can be told.

        Whether its numbers begin anew at midnight or at its own reset is not known, so either makes one day of them:
        a number that was taken for a repeated one would let a fill count twice.
        """
        return any(
            trading_day(first, self.zone, starts) == trading_day(second, self.zone, starts)
            for starts in (time(), self.day_starts)
        )

    @property
    def sending_ends(self) -> timedelta:
        """So long after a claim its call may still be on its way to the broker."""
        return self.submit_window + self.broker_deadline
