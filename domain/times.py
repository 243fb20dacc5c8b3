"""Times are aware UTC; their text sorts as they do, because its width never changes."""

from datetime import UTC, date, datetime
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


def trading_day(at: datetime, zone: ZoneInfo) -> date:
    """The calendar day of the market at that instant: daily limits begin anew with it."""
    return at.astimezone(zone).date()
