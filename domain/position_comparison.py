"""What our strategies hold, beside what the broker says: pure, and never a guess.

A difference is judged only when nothing under way could still explain it. It never leads to an order: it is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from domain.broker_reports import PositionsSnapshot
from domain.money import ZERO
from domain.order import Order
from domain.risk_facts import Holding
from domain.states import Phase

Place = tuple[str, str, str]
"""Exchange, symbol, product."""

LAGS_AT_MOST = timedelta(seconds=30)
"""A read that began sooner than that after a fill of ours was recorded may not show it yet: books lag by seconds."""

_UNSETTLED = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True)
class Difference:
    """One position as we know it and as the broker does; quantities in units, positive long.

    `held` is the sum over our strategies, by their own fills. `is_external`: none of them holds anything there.
    `savings`: of what the broker has more, shares that were delivered on earlier days. Nobody has traded: they were
    somebody's all along.
    """

    exchange: str
    symbol: str
    product: str
    held: Decimal
    at_broker: Decimal
    is_external: bool
    savings: Decimal = ZERO

    @property
    def where(self) -> Place:
        """Where it is."""
        return self.exchange, self.symbol, self.product

    @property
    def amount(self) -> Decimal:
        """What the broker has more than we do; zero where both agree."""
        return self.at_broker - self.held

    @property
    def unexplained(self) -> Decimal:
        """What is left of the amount, and is to be told."""
        return self.amount - self.savings

    @property
    def is_kept(self) -> bool:
        """True while exits and entries must know of it; savings where no strategy holds any concern nobody here."""
        return bool(self.unexplained) or (bool(self.amount) and not self.is_external)

    @property
    def adds(self) -> bool:
        """True where the broker has more than we hold, on the same side: that takes nothing from anybody here."""
        return self.amount * (self.held or self.at_broker) > 0


class Judgement(Enum):
    """Whether a comparison can be believed."""

    NOT_YET = "not yet"  # something under way may change either side
    PERHAPS = "perhaps"  # a resting order of ours, filled a moment ago, would explain it
    SETTLED = "settled"


def compared(snapshot: PositionsSnapshot, holdings: Iterable[Holding]) -> dict[Place, Difference]:
    """Every place where we or the broker have something, and what both say of it.

    Left out is what could not be read, and shares that were delivered on earlier days where no strategy holds any:
    those are somebody's savings, and not news.
    """
    held: dict[Place, Decimal] = {}
    for h in holdings:
        place = (h.exchange, h.symbol, h.product)
        held[place] = held.get(place, ZERO) + h.net_quantity
    traded = [p for p in snapshot.positions if not p.delivered or p.net_quantity != p.delivered]
    listed = ((p.exchange, p.symbol, p.product) for p in traded)
    places = [place for place in dict.fromkeys([*held, *listed]) if snapshot.is_readable(*place)]
    return {
        place: _difference(snapshot, place, held.get(place, ZERO), is_external=place not in held)
        for place in places
    }


def gone(snapshot: PositionsSnapshot, told: Place) -> Difference | None:
    """What is to be said of a place that was told and is compared no more; None while it cannot be read."""
    return _difference(snapshot, told, ZERO, is_external=True) if snapshot.is_readable(*told) else None


def _difference(snapshot: PositionsSnapshot, place: Place, held: Decimal, *, is_external: bool) -> Difference:
    net = snapshot.net(*place)
    savings = max(min(net - held, snapshot.delivered(*place)), ZERO)
    return Difference(*place, held, net, is_external=is_external, savings=savings)


def judge(
    difference: Difference,
    *,
    open_orders: Iterable[Order],
    last_fill_at: datetime | None,
    settled_before: datetime,
) -> Judgement:
    """Whether the difference can be believed.

    Args:
        open_orders: those of the client that may be live at the broker, read after the holdings were.
        last_fill_at: when a fill in the symbol was last recorded, read after the holdings were.
        settled_before: a fill recorded at or after it may not show in the broker's positions yet.
    """
    if last_fill_at is not None and last_fill_at >= settled_before:
        return Judgement.NOT_YET
    here = [o for o in open_orders if _is_on_symbol(o, difference)]
    if any(o.phase in _UNSETTLED or o.look_first for o in here):
        return Judgement.NOT_YET
    resting = [o.open_quantity * o.side.sign for o in here if o.product == difference.product]
    sold = sum((quantity for quantity in resting if quantity < 0), ZERO)
    bought = sum((quantity for quantity in resting if quantity > 0), ZERO)
    if difference.amount and sold <= difference.amount <= bought:
        return Judgement.PERHAPS
    return Judgement.SETTLED


def settled_before(snapshot: PositionsSnapshot, horizon: timedelta) -> datetime:
    """Fills recorded before then show in this read, by what the broker promises."""
    return snapshot.read_started_at - horizon


def _is_on_symbol(order: Order, difference: Difference) -> bool:
    same = (order.exchange, order.symbol) == (difference.exchange, difference.symbol)
    return same and order.test_mode is None
