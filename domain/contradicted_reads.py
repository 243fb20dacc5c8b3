"""Remember, in an exit's own row, the read of the positions that contradicted our fills.

Our fills may come to agree with such a read later, by another exit's fill, and another read with them by what a hand
traded. Whoever sizes the exit then, another watcher too, has to know what was read before. Pure.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain.broker_reports import PositionsSnapshot
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.position_comparison import LAGS_AT_MOST
from domain.risk_facts import ExitFacts
from domain.times import has_elapsed, parse_time, time_text

_KEY = "contradicted_read"
"""The key of this in an order's context."""
QUICK = timedelta(seconds=1)
"""Where positions are not late, they show a fill of ours so long after its recording."""


@dataclass(frozen=True, slots=True)
class ContradictedRead:
    """What an exit was last held for: a read that our fills contradicted.

    - `at`: when the exit was held for it.
    - `position`: units of the symbol in it, in all products; positive long.
    - `is_late`: it, or one before it, began more than `QUICK` after our last fill: this broker's positions lag, or
      others trade there.
    """

    at: datetime
    position: Decimal
    is_late: bool


def contradicted_read(order: Order) -> ContradictedRead | None:
    """Return the read that the exit was last held for, or None."""
    said = json.loads(order.context_json).get(_KEY) if order.context_json else None
    if said is None:
        return None
    return ContradictedRead(parse_time(said["at"]), Decimal(said["position"]), said["is_late"])


def with_contradicted_read(order: Order, snapshot: PositionsSnapshot, facts: ExitFacts, at: datetime) -> str:
    """Return the exit's context with this read in it."""
    known, filled_at = contradicted_read(order), facts.last_fill_at
    is_late = filled_at is not None and has_elapsed(
        snapshot.counted_from(filled_at), snapshot.read_started_at, QUICK
    )
    said = {
        "at": time_text(at),
        "position": decimal_text(_position(order, snapshot)),
        "is_late": is_late or (known is not None and known.is_late),
    }
    return json.dumps({**json.loads(order.context_json or "{}"), _KEY: said}, ensure_ascii=False)


def without_contradicted_read(context_json: str | None) -> str | None:
    """Return an order's context without it; None stays None."""
    if context_json is None:
        return None
    said = json.loads(context_json)
    return json.dumps(said, ensure_ascii=False) if said.pop(_KEY, None) else context_json


def agrees_by_chance(
    order: Order, closed_at: datetime | None, snapshot: PositionsSnapshot, *, now: datetime, lasts: timedelta
) -> bool:
    """Return True where a read has what our fills say, and may all the same be of before the last of them.

    An exit was held because our fills contradicted a read, and a fill that closes has been recorded since. If the
    position is read as before, our fills have come to agree with it, not it with them. If reads were late, this one may
    have in place of that fill what a hand traded. Either is believed once the read must show the fill.

    Args:
        closed_at: when the last fill on the exit's own side was recorded, of any order of the account; None: none was.
        lasts: how long a contradicted read is remembered: fills of others in the symbol may never cease.
    """
    seen = contradicted_read(order)
    if seen is None or closed_at is None or closed_at < seen.at:
        return False
    if has_elapsed(snapshot.counted_from(seen.at), now, lasts):
        return False
    if not seen.is_late and _position(order, snapshot) != seen.position:
        return False
    return not has_elapsed(snapshot.counted_from(closed_at), snapshot.read_started_at, LAGS_AT_MOST)


def _position(order: Order, snapshot: PositionsSnapshot) -> Decimal:
    return sum(snapshot.nets(order.exchange, order.symbol), ZERO)
