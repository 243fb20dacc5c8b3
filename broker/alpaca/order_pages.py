"""Read the day's orders page by page, so that none is missed between two pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from broker.alpaca.parsing import time_in
from broker.fields import Row, text_of

ZONE = ZoneInfo("America/New_York")  # the broker's days begin and end in this zone
PAGE = 500
"""The most rows that Alpaca returns in one answer."""

_MOST_PAGES = 20


def pages_of(read: Callable[[str], list[Row]], after: datetime) -> tuple[list[Row], bool]:
    """Return all orders that were submitted after that moment, each once, and whether those are certainly all.

    The newest come first. The next page begins where the last one ended, and a little above: orders may have the same
    time, and whether a bound itself is included is told in different ways.

    Args:
        read: returns the rows of one page by its query. Raises: ReadFailed.
    """
    found: dict[str, Row] = {}
    nameless: list[Row] = []
    query = {
        "status": "all",  # without it, the broker lists open orders alone
        "limit": str(PAGE),
        "direction": "desc",
        "nested": "false",
        "after": _text(after - timedelta(microseconds=1)),
    }
    until: datetime | None = None
    for _ in range(_MOST_PAGES):
        rows = read(urlencode({**query, **({} if until is None else {"until": _text(until)})}))
        new = [row for row in rows if text_of(row, "id") not in found]
        nameless += [row for row in new if not text_of(row, "id")]
        found |= {text_of(row, "id"): row for row in new if text_of(row, "id")}
        if len(rows) < PAGE:
            return [*found.values(), *nameless], True
        last = min((at for row in rows if (at := time_in(row, "submitted_at")) is not None), default=None)
        if not new or last is None:
            break
        until = last + timedelta(microseconds=2)
    return [*found.values(), *nameless], False


def day_began(at: datetime) -> datetime:
    """Return the midnight of New York at which the day of that moment began."""
    return at.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"
