"""Decide whether units of the account may become a strategy's holding, and what that changes. Pure.

The decision compares a read of the broker's positions with what all strategies hold. Whatever is not certain is
refused, because each adopted unit will be sold or bought back by an exit:

- A read that is missing, old, failed or unreadable says nothing. It never counts as zero, nor as what was there before.
- Units that an order of ours may have bought or sold, or may still take, are not free.
- Units that a strategy holds in another product may have been converted. All products of the symbol count together.

So strategies never hold more of a symbol in total than the account has.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from domain.adoption import Adoption, AdoptionFacts, AdoptionRequest, KnownDifference, check_request
from domain.broker_reports import Position, PositionsSnapshot
from domain.enums import ExecutionType
from domain.errors import AdoptionNotPossible, InvalidAdoption
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.position_comparison import LAGS_AT_MOST
from domain.risk_facts import Holding
from domain.states import Phase, Status
from domain.times import is_within

_RESTING = frozenset({Phase.WORKING, Phase.PARTIALLY_FILLED})
_UNSETTLED = frozenset({Phase.SUBMITTING, Phase.UNKNOWN, Phase.ABSENT})


def adopted(request: AdoptionRequest, facts: AdoptionFacts, *, now: datetime, max_age: float) -> Adoption:
    """Decide on an adoption request; returns the adoption.

    Args:
        max_age: seconds after which a read of the positions is stale.

    Raises:
        InvalidAdoption: the request is wrong or ambiguous as it is; names the field.
        AdoptionNotPossible: the request is not possible at present; names the field, and what to do.
    """
    check_request(request)
    snapshot = _trusted_read(facts, now, max_age)
    position = _place_of(request, snapshot)
    here = _Here(request, facts, snapshot, position)
    here.refuse_unreadable()
    here.refuse_unsettled(now)
    here.refuse_disputed()
    here.refuse_more_than_free()
    return here.adoption(now)


def _trusted_read(facts: AdoptionFacts, now: datetime, max_age: float) -> PositionsSnapshot:
    snapshot = facts.snapshot
    if snapshot is None:
        raise AdoptionNotPossible(
            "client_id",
            "its positions were never read, so nobody knows what is there: start the service first",
        )
    if facts.read_error is not None:
        raise AdoptionNotPossible(
            "client_id",
            f"the last read of its positions failed ({facts.read_error}): what is there is not known, and that is not "
            "zero. Try again once they can be read",
        )
    if not is_within(snapshot.read_started_at, now, timedelta(seconds=max_age)):
        age = abs((now - snapshot.read_started_at).total_seconds())
        raise AdoptionNotPossible(
            "client_id",
            f"its positions were read {age:.0f} s ago, {max_age:.0f} s are allowed: see that a watcher runs and that "
            "the broker can be read, then try again",
        )
    return snapshot


def _place_of(request: AdoptionRequest, snapshot: PositionsSnapshot) -> Position:
    """Return the one position that the request means."""
    there = [
        p for p in snapshot.positions if p.net_quantity and p.symbol.casefold() == request.symbol.casefold()
    ]
    found = [p for p in there if request.exchange in (None, p.exchange)]
    exchanges = sorted({p.exchange for p in found})
    if len(exchanges) > 1:
        raise InvalidAdoption(
            "exchange", f"{request.symbol} is held on several exchanges: name one of {_list(exchanges)}"
        )
    chosen = [p for p in found if request.product in (None, p.product)]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise InvalidAdoption(
            "product", f"{request.symbol} is held in several products: name one of {_units(chosen)}"
        )
    hidden = [row for row in snapshot.unreadable if _may_be(row.exchange, row.symbol, request)]
    if hidden:
        raise AdoptionNotPossible("symbol", _not_readable(request.symbol, hidden[0].text))
    has = f"; it has {_units(there)}" if there else ""
    wanted = " ".join(filter(None, (request.exchange, request.symbol, request.product)))
    raise AdoptionNotPossible("symbol", f"the account had no {wanted} when its positions were last read{has}")


def _may_be(exchange: str | None, symbol: str | None, request: AdoptionRequest) -> bool:
    same_exchange = None in (exchange, request.exchange) or exchange == request.exchange
    return same_exchange and (symbol is None or symbol.casefold() == request.symbol.casefold())


class _Here:
    """One symbol on one exchange, seen from the side of the position that the request means."""

    def __init__(
        self, request: AdoptionRequest, facts: AdoptionFacts, snapshot: PositionsSnapshot, position: Position
    ) -> None:
        self.request = request
        self.snapshot = snapshot
        self.position = position
        self.exchange = position.exchange
        self.sign = 1 if position.net_quantity > 0 else -1
        self.nets = snapshot.by_product(position.exchange, position.symbol)
        self.holdings = tuple(h for h in facts.holdings if h.exchange == self.exchange)
        self.orders = tuple(o for o in facts.orders if o.exchange == self.exchange)
        self.differences = tuple(d for d in facts.differences if d.where[0] == self.exchange)
        self.by_hand = facts.by_hand.get(self.exchange, ZERO)
        self.last_fill_at = facts.last_fill_at

    @property
    def known(self) -> Decimal:
        """The units without a strategy that external orders or believed differences account for."""
        return (sum((d.believed for d in self.differences), ZERO) + self.by_hand) * self.sign

    @property
    def unheld(self) -> Decimal:
        """What the account has of the symbol beyond the strategies' holdings, all products together."""
        held = sum((h.net_quantity for h in self.holdings), ZERO)
        return (sum(self.nets.values(), ZERO) - held) * self.sign

    def refuse_unreadable(self) -> None:
        for product in (None, self.position.product):
            row = self.snapshot.unreadable_at(self.exchange, self.position.symbol, product)
            if row is not None:
                raise AdoptionNotPossible("symbol", _not_readable(self.request.symbol, row.text))

    def refuse_unsettled(self, now: datetime) -> None:
        for order in self.orders:
            if order.phase in _UNSETTLED or order.look_first:
                raise AdoptionNotPossible(
                    "symbol",
                    f"{order.execution_type} {order.short_id} of {order.strategy_name} there is {order.phase}: what it "
                    "brings or takes is not known yet. Wait until it is settled, or settle it with cli.py resolve",
                )
        early = [h for h in self.holdings if not h.entries]
        if early:
            raise AdoptionNotPossible(
                "symbol",
                f"an exit of {early[0].strategy_name} was filled before its entry: wait for the entry's end",
            )
        lag = LAGS_AT_MOST
        if self.last_fill_at is not None and self.snapshot.read_started_at < self.last_fill_at + lag:
            wait = (self.last_fill_at + lag - min(now, self.snapshot.read_started_at)).total_seconds()
            raise AdoptionNotPossible(
                "symbol",
                f"an order of ours there was filled a moment ago and may not show in the positions yet: try again in "
                f"{max(wait, 1):.0f} s",
            )

    def refuse_disputed(self) -> None:
        told = any(not d.is_external and d.amount != d.believed for d in self.differences)
        if told or self.known > max(self.unheld, ZERO):
            raise AdoptionNotPossible(
                "symbol",
                "the position is disputed: the broker shows less there than our own records say. See the page Review, "
                "and try again once both agree, or after the difference has stood for some minutes",
            )

    def refuse_more_than_free(self) -> None:
        asked, free, there = self.request.quantity, self.free(), self.position
        has = f"{decimal_text(there.net_quantity)} {there.product}"
        if asked * self.sign < 0:
            side = "long" if self.sign > 0 else "short"
            raise InvalidAdoption(
                "quantity",
                f"the position is {side} ({has}): expected units {'above' if self.sign > 0 else 'below'} 0",
            )
        opposite = [h for h in self._of(self.request.strategy_name) if h.net_quantity * self.sign < 0]
        if opposite:
            raise AdoptionNotPossible(
                "strategy_name",
                f"{self.request.strategy_name} holds {decimal_text(opposite[0].net_quantity)} there, on the other side",
            )
        if abs(asked) > free:
            count = f"only {decimal_text(free * self.sign)}" if free else "none"
            raise AdoptionNotPossible("quantity", f"of the {has} there {count} can be adopted{self._why()}")
        _, rest = self._difference_left()
        if self.known - (abs(asked) - rest) - self._by_hand_explained(rest) > self.unheld - abs(asked):
            raise AdoptionNotPossible(
                "symbol",
                "what was told of the position is of another product than it has now: try again in a minute",
            )

    def free(self) -> Decimal:
        """Return how many units can be adopted, unsigned."""
        there, nets = self.position, self.nets.values()
        in_product = there.net_quantity * self.sign - _same_side(self.holdings, self.sign, there.product)
        in_all = sum((max(n * self.sign, ZERO) for n in nets), ZERO) - _same_side(self.holdings, self.sign)
        free = min(in_product, in_all, self.unheld) - sum(self._promised().values(), ZERO)
        if self._resting():
            free = min(free, self.known)
        return max(free, ZERO)

    def _promised(self) -> dict[str, Decimal]:
        """Return what exits at the broker may take beyond what their strategies hold, by strategy."""
        taking: dict[str, Decimal] = {}
        for o in self.orders:
            at_broker = o.execution_type is ExecutionType.EXIT and o.status is Status.SENT_TO_BROKER
            if at_broker and o.side.sign == -self.sign:
                taking[o.strategy_name] = taking.get(o.strategy_name, ZERO) + o.open_quantity
        beyond = {name: units - _same_side(self._of(name), self.sign) for name, units in taking.items()}
        return {name: units for name, units in beyond.items() if units > 0}

    def _resting(self) -> list[Order]:
        """List orders of ours that may have been filled a moment ago: those units belong to their strategies."""
        return [o for o in self.orders if o.phase in _RESTING and o.side.sign == self.sign]

    def _of(self, strategy_name: str) -> tuple[Holding, ...]:
        return tuple(h for h in self.holdings if h.strategy_name == strategy_name)

    def _why(self) -> str:
        held = [f"{h.strategy_name} holds {decimal_text(h.net_quantity)} {h.product}" for h in self.holdings]
        taken = [
            f"an exit of {name} may take {decimal_text(units)}" for name, units in self._promised().items()
        ]
        filled = [f"{o.strategy_name}'s order {o.short_id} may have brought some" for o in self._resting()]
        other = [f"{decimal_text(n)} {p} are there too" for p, n in self.nets.items() if n * self.sign < 0]
        why = "; ".join(sorted(held) + taken + filled + other)
        return f": {why}" if why else ""

    def adoption(self, now: datetime) -> Adoption:
        """Build the adoption; everything was checked before."""
        r, there = self.request, self.position
        mine = next((h for h in self._of(r.strategy_name) if h.product == there.product), None)
        symbol = r.symbol.upper()
        before = mine or Holding(r.client_id, r.strategy_name, there.exchange, symbol, there.product)
        after = before.net_quantity + r.quantity
        holding = Holding(
            r.client_id, r.strategy_name, there.exchange, symbol, there.product, after, before.entries + 1
        )
        difference, rest = self._difference_left()
        return Adoption(
            client_id=r.client_id,
            exchange=there.exchange,
            symbol=symbol,
            product=there.product,
            strategy_name=r.strategy_name,
            quantity=r.quantity,
            average_price=there.average_price,
            at=now,
            by=r.by,
            reason=r.reason,
            read_at=self.snapshot.read_started_at,
            at_broker=there.net_quantity,
            holding=holding,
            difference=difference,
            explained=self._by_hand_explained(rest),
        )

    def _by_hand_explained(self, units: Decimal) -> Decimal:
        return max(min(units, self.by_hand * self.sign), ZERO)

    def _difference_left(self) -> tuple[KnownDifference | None, Decimal]:
        """Return what is left of the notified difference there, and how many of the units it did not explain."""
        units = abs(self.request.quantity)
        place = (self.exchange, self.position.symbol.casefold(), self.position.product)
        told = next(
            (d for d in self.differences if (d.where[0], d.where[1].casefold(), d.where[2]) == place), None
        )
        if told is None:
            return None, units
        amount = _less(told.amount, units, self.sign)
        believed = _less(told.believed, units, self.sign)
        rest = units - abs(told.believed - believed)
        return KnownDifference(told.where, amount, believed, is_external=False), rest


def _less(amount: Decimal, units: Decimal, sign: int) -> Decimal:
    """Move the amount towards zero by so many units, where it has that sign."""
    return amount - sign * min(units, max(amount * sign, ZERO))


def _same_side(holdings: Iterable[Holding], sign: int, product: str | None = None) -> Decimal:
    """Return what these strategies hold on that side, unsigned."""
    chosen = (h.net_quantity * sign for h in holdings if product in (None, h.product))
    return sum((max(units, ZERO) for units in chosen), ZERO)


# texts for people -------------------------------------------------------------------------------------------


def _not_readable(symbol: str, row: str) -> str:
    return (
        f"a row of the positions cannot be read ({row}), so what the account has of {symbol} is not known, and that is "
        "not zero. Try again once it can be read"
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _units(positions: Iterable[Position]) -> str:
    return _list(f"{p.exchange} {p.product} ({decimal_text(p.net_quantity)})" for p in positions)
