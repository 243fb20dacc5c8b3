"""Compare what our strategies hold with the broker's positions: pure, without guessing.

A difference is judged only when nothing in progress could still explain it. It never leads to an order: people are
notified of it.
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

READS_APART_AT_MOST = timedelta(seconds=60)
"""Reads that are further apart do not show that a difference stood all the time between them."""
LAGS_AT_MOST = timedelta(seconds=30)
"""The longest time for which a read of the positions may not show a recorded fill of ours: brokers lag by seconds.

It is counted from the recording of the fill to the beginning of the read.
"""

_UNSETTLED = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True)
class Difference:
    """One position by our records and by the broker's; quantities in units, positive long.

    - `held`: the sum over our strategies, by their own fills.
    - `is_external`: none of our strategies holds anything there.
    - `savings`: the part of the broker's surplus that was delivered on earlier days. These shares come from no trade of
      today: somebody owned them before.
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
        """Exchange, symbol and product of the position."""
        return self.exchange, self.symbol, self.product

    @property
    def amount(self) -> Decimal:
        """How much more the broker has than our strategies hold, signed; zero where both agree."""
        return self.at_broker - self.held

    @property
    def unexplained(self) -> Decimal:
        """The amount without the delivered shares of earlier days: people are notified of this part."""
        return self.amount - self.savings

    @property
    def is_kept(self) -> bool:
        """True while exits and entries must know of the difference.

        Delivered shares of earlier days do not matter where no strategy holds anything.
        """
        return bool(self.unexplained) or (bool(self.amount) and not self.is_external)

    @property
    def adds(self) -> bool:
        """True where the broker has more than we hold, on the same side: no strategy lacks anything then."""
        return self.amount * (self.held or self.at_broker) > 0


class Judgement(Enum):
    """Whether a difference can be trusted."""

    NOT_YET = "not yet"  # something in progress may change either side
    PERHAPS = "perhaps"  # a resting order of ours, filled a moment ago, would explain it
    SETTLED = "settled"


def compared(snapshot: PositionsSnapshot, holdings: Iterable[Holding]) -> dict[Place, Difference]:
    """Compare every place where our strategies or the broker have something.

    Left out are:

    - places that could not be read;
    - shares delivered on earlier days where no strategy holds any: somebody owned them before, and they are not news.
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
    """Return the difference at a place that was notified and is no longer compared; None while it cannot be read."""
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
    """Judge whether the difference can be trusted.

    Args:
        open_orders: the client's orders that may be live at the broker, read after the holdings.
        last_fill_at: when a fill in the symbol was last recorded, read after the holdings.
        settled_before: a fill recorded at or after this time may not show in the broker's positions yet.
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
    """Return the time before which every recorded fill shows in this read, by the broker's promise."""
    return snapshot.read_started_at - horizon


def _is_on_symbol(order: Order, difference: Difference) -> bool:
    same = (order.exchange, order.symbol) == (difference.exchange, difference.symbol)
    return same and order.test_mode is None


def still_disputed(differences: Decimal, believed: Decimal, by_hand: Decimal) -> Decimal:
    """Return the part of a symbol's differences that is neither believed nor explained by external orders; signed."""
    left = differences - believed
    if left * by_hand > 0:
        left = max(abs(left) - abs(by_hand), ZERO).copy_sign(left)
    return left


def converted(differences: Iterable[tuple[str, Decimal, datetime]], product: str) -> Decimal:
    """Return the units, signed, that appeared in other products while some went missing in this one.

    They may be those, carried on under another product.

    Args:
        differences: the symbol's differences: product, amount, and since when it has stood.
    """
    there = list(differences)
    gone_at = {amount > 0: since for of, amount, since in there if of == product}
    return sum(
        (
            amount
            for of, amount, since in there
            if of != product and (amount < 0) in gone_at and since + LAGS_AT_MOST >= gone_at[amount < 0]
        ),
        ZERO,
    )


@dataclass(frozen=True, slots=True)
class ToldDifference:
    """A difference that was told: since when it has stood, and whether it is believed or may be believed now."""

    where: Place
    amount: Decimal
    since: datetime
    is_certain: bool


def certain_with_their_halves(told: Iterable[ToldDifference]) -> set[Place]:
    """Return the places of the certain differences, without those of which another half is not certain.

    Units missing in one product and units that appeared in another at about the same time may be a conversion. One half
    that is believed alone would close what the strategy holds, or make it somebody else's.
    """
    all_ = list(told)

    def is_half(a: ToldDifference, b: ToldDifference) -> bool:
        is_other_product = a.where[:2] == b.where[:2] and a.where[2] != b.where[2]
        return is_other_product and a.amount * b.amount < 0 and abs(a.since - b.since) <= LAGS_AT_MOST

    return {a.where for a in all_ if a.is_certain and all(b.is_certain for b in all_ if is_half(a, b))}


def known_elsewhere(
    differences: Iterable[tuple[str, Decimal, datetime]], by_hand: Iterable[tuple[str, Decimal]]
) -> dict[str, Decimal]:
    """Return the units of a symbol that belong to no strategy, by product.

    Units that appeared while ours went missing in another product are left out: they may be ours, converted.

    Args:
        differences: the symbol's differences: product, amount, and since when it has stood.
        by_hand: product and unexplained units of external orders, signed.
    """
    known = dict[str, Decimal]()
    there = list(differences)
    for product, amount, since in there:
        missing = [at for _, units, at in there if units * amount < 0]
        # The two sides of a conversion may show in different reads.
        if not missing or since + LAGS_AT_MOST < min(missing):
            known[product] = known.get(product, ZERO) + amount
    for product, units in by_hand:
        known[product] = known.get(product, ZERO) + units
    return known
