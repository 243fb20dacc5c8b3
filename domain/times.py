"""Times are aware UTC; their text sorts as they do, because its width never changes."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


def time_text(at: datetime) -> str:
    """ISO-8601 UTC with microseconds and `Z`, fixed width: `2026-11-21T09:15:00.000000Z`."""
    return _utc_text(at if at.tzinfo is UTC else at.astimezone(UTC))


@lru_cache(maxsize=64)  # one instant is written into several rows
def _utc_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> datetime:
    """Read what `time_text` wrote (any ISO-8601 time with an offset is accepted).

    Raises:
        ValueError: no time, or a naive one.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return at.astimezone(UTC)


def trading_day(at: datetime, zone: ZoneInfo, starts: time = time()) -> date:
    """The market's day at that instant, which begins at `starts` of its clock: daily limits begin anew with it."""
    day = at.astimezone(zone).date()
    return day if at >= day_start(day, zone, starts) else day - timedelta(days=1)


def day_start(day: date, zone: ZoneInfo, starts: time = time()) -> datetime:
    """The instant at which that trading day begins; where the clock shows the time twice, the first."""
    return datetime.combine(day, starts, zone).astimezone(UTC)


def is_within(since: datetime, now: datetime, window: timedelta) -> bool:
    """True while less than the window has elapsed since a stamp.

    A stamp that lies in the future was made before the clock was set back: how much has elapsed since then is not
    known. It is not young for that. Only as much as the window itself is passed over, since two processes that take
    the time in turn may write their stamps in the other order.
    """
    return abs(now - since) < window


def has_elapsed(since: datetime, now: datetime, window: timedelta) -> bool:
    """True when a wait of that length is over: whoever waits for a stamp of the future would wait for hours."""
    return not is_within(since, now, window)
