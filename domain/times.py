"""Times are aware UTC. Their texts sort in order of time, because the width never changes."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


def time_text(at: datetime) -> str:
    """Return ISO-8601 UTC text with microseconds and `Z`, of fixed width: `2026-11-21T09:15:00.000000Z`."""
    return _utc_text(at if at.tzinfo is UTC else at.astimezone(UTC))


@lru_cache(maxsize=64)  # one instant is written into several rows
def _utc_text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> datetime:
    """Read what `time_text` wrote (any ISO-8601 time with an offset is accepted).

    Raises:
        ValueError: the text is not a time, or has no UTC offset.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return at.astimezone(UTC)


def trading_day(at: datetime, zone: ZoneInfo, starts: time = time()) -> date:
    """Return the trading day of that instant. It begins at `starts` by the market's clock, and daily limits with it."""
    day = at.astimezone(zone).date()
    return day if at >= day_start(day, zone, starts) else day - timedelta(days=1)


def day_start(day: date, zone: ZoneInfo, starts: time = time()) -> datetime:
    """Return the instant at which that trading day begins; the first one where the clock shows the time twice."""
    return datetime.combine(day, starts, zone).astimezone(UTC)


def is_within(since: datetime, now: datetime, window: timedelta) -> bool:
    """Return True while less than the window has elapsed since a timestamp.

    A timestamp in the future was made before the clock was set back. How much time has elapsed since then is not known,
    so it does not count as recent. One exception: a timestamp less than the window ahead does, because two processes
    that read the clock one after the other may write their timestamps in the other order.
    """
    return abs(now - since) < window


def counted_from(at: datetime, steady_since: datetime | None) -> datetime:
    """Return from when the time that has elapsed since a timestamp can be counted.

    A clock that was set forward since then shows a longer time than has passed. Where a proof waits for time to pass,
    it is counted from the step.

    Args:
        steady_since: since when the clock is known not to have been set; None: nobody watches it.
    """
    return at if steady_since is None else max(at, steady_since)


def has_elapsed(since: datetime, now: datetime, window: timedelta) -> bool:
    """Return True when the window has elapsed since a timestamp.

    A timestamp far in the future counts as elapsed. Otherwise, after the clock was set back, a wait could last for
    hours.
    """
    return not is_within(since, now, window)
