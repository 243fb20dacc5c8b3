"""The day's course of profit and loss as a small line, drawn on the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.money import decimal_text

WIDTH, HEIGHT = 600, 120
_GAP_SECONDS = 300  # a line over a longer silence would show what nobody measured
_MARGIN = 6


class CoursePoint(NamedTuple):
    """A client's profit and loss of the trading day at a time. None: it was not known."""

    at: datetime
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class Chart:
    """A line in a picture of WIDTH by HEIGHT. `zero`: where nothing is won or lost. Amounts are decimal text."""

    path: str
    zero: str
    low: str
    high: str
    last: str
    since: str
    until: str
    has_gaps: bool


def chart_of(points: Sequence[CoursePoint]) -> Chart | None:
    """Draw the points, the oldest first, with gaps where none is known; None where fewer than two are known."""
    known = [(p.at, p.total) for p in points if p.total is not None]
    if len(known) < 2:
        return None
    totals = [total for _, total in known]
    low, high = min(*totals, Decimal(0)), max(*totals, Decimal(0))
    span, begin = (high - low) or Decimal(1), known[0][0]
    seconds = (known[-1][0] - begin).total_seconds() or 1

    def y(total: Decimal) -> str:
        return f"{Decimal(HEIGHT - _MARGIN) - (total - low) / span * (HEIGHT - 2 * _MARGIN):.1f}"

    steps, gaps, before = list[str](), 0, None
    for point in points:
        if point.total is None:
            before = None
            gaps += 1
            continue
        x = f"{(point.at - begin).total_seconds() / seconds * WIDTH:.1f}"
        joined = before is not None and (point.at - before).total_seconds() <= _GAP_SECONDS
        gaps += before is not None and not joined
        steps.append(f"{'L' if joined else 'M'}{x} {y(point.total)}")
        before = point.at
    return Chart(
        " ".join(steps),
        y(Decimal(0)),
        decimal_text(min(totals)),
        decimal_text(max(totals)),
        decimal_text(totals[-1]),
        known[0][0].isoformat(),
        known[-1][0].isoformat(),
        gaps > 0,
    )
