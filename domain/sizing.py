"""Sizes that are not asked for in units: money, percent of equity, risk, lots. What they become is computed once.

Everything is exact: a size is rounded down to whole lots, and to nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import NamedTuple

from domain.enums import Side
from domain.instruments.venues import is_venue
from domain.money import ZERO, decimal_text
from domain.protection_terms import LevelUnit, level_of
from domain.reason_codes import Reason

_HUNDRED = Decimal(100)
_DIGITS = 80  # of an intermediate result; the figures that come in have 28 at most


class SizeMode(StrEnum):
    """What a size counts."""

    UNITS = "units"
    LOTS = "lots"
    NOTIONAL = "notional"  # what the order is worth, in money
    EQUITY_PERCENT = "percent_of_equity"  # what the order is worth, in percent of the account's equity
    RISK = "risk"  # what is lost at the stop, in money
    RISK_PERCENT = "risk_percent"  # what is lost at the stop, in percent of the account's equity

    @property
    def is_percent(self) -> bool:
        """True where the account's equity is needed."""
        return self in (SizeMode.EQUITY_PERCENT, SizeMode.RISK_PERCENT)

    @property
    def is_risk(self) -> bool:
        """True where the distance to the stop counts."""
        return self in (SizeMode.RISK, SizeMode.RISK_PERCENT)

    @property
    def is_money(self) -> bool:
        """True where an amount of money is divided by a price or a distance."""
        return self not in (SizeMode.UNITS, SizeMode.LOTS)


@dataclass(frozen=True, slots=True)
class SizeAsk:
    """A size as it was asked for.

    - `currency`: that of an amount of money; None: that of the instrument's own prices.
    - `quoted_in`: the currency of the instrument's prices, as the strategies file says; None: it does not say.
    """

    mode: SizeMode
    value: Decimal
    currency: str | None = None
    quoted_in: str | None = None

    @property
    def text(self) -> str:
        """The same for people, and for comparing two alerts."""
        value = decimal_text(self.value)
        match self.mode:
            case SizeMode.UNITS | SizeMode.LOTS:
                return f"{value} {self.mode}"
            case SizeMode.NOTIONAL:
                return f"{value}{self._money} worth"
            case SizeMode.RISK:
                return f"{value}{self._money} at risk"
            case SizeMode.EQUITY_PERCENT:
                return f"{value}% of the equity"
            case SizeMode.RISK_PERCENT:
                return f"{value}% of the equity at risk"

    @property
    def _money(self) -> str:
        return f" {self.currency}" if self.currency else ""


class SizePrice(NamedTuple):
    """A price that a size is computed by. `source`: whose it is, with its age, for people."""

    value: Decimal
    source: str


class Equity(NamedTuple):
    """What an account is worth, or what its broker says is left to trade with: `source` says which."""

    amount: Decimal
    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class SizeFacts:
    """What a size is computed from.

    - `side`, `exchange`, `symbol`: of the order.
    - `lot`: quantities are multiples of it; None: the master does not say, so that it is whole units.
    - `unit`: units of the underlying in one unit of quantity; None: it is not known.
    - `price`: what one unit costs, or why that is not known.
    - `equity`: the account's, or why it is not known.
    - `stop`: the text of the level at which the entry exits; None: it has none.
    - `multiplier`: of the client.
    """

    side: Side
    exchange: str
    symbol: str
    lot: Decimal | None
    unit: Decimal | None
    price: SizePrice | str
    equity: tuple[Decimal, str] | str
    stop: str | None
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Sized:
    """What became of a size: the quantity, 0 where it was refused, and every number that led to it.

    `detail`: the computation in words, or why it was refused.
    """

    ask: SizeAsk
    quantity: Decimal
    detail: str
    refusal: Reason | None = None
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def story(self) -> dict[str, str]:
        """What is kept of it."""
        told = {"asked": self.ask.text, "quantity": decimal_text(self.quantity), **dict(self.facts)}
        return told | ({"refused": self.detail} if self.refusal else {"how": self.detail})


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def needs_price(ask: SizeAsk) -> bool:
    """Whether a price is needed for it."""
    return ask.mode.is_money


def size_of(ask: SizeAsk, facts: SizeFacts) -> Sized:
    """Compute the quantity. At the price that is used it never costs or risks more than what was asked for."""
    told: dict[str, str] = {}
    try:
        with localcontext() as context:
            context.prec = _DIGITS
            quantity, detail = _computed(ask, facts, told)
    except _Refused as refused:
        return Sized(ask, ZERO, refused.detail, refused.reason, tuple(told.items()))
    return Sized(ask, quantity, detail, None, tuple(told.items()))


def _computed(ask: SizeAsk, facts: SizeFacts, told: dict[str, str]) -> tuple[Decimal, str]:
    lot = facts.lot if facts.lot is not None and facts.lot > ZERO else Decimal(1)
    told["lot"] = decimal_text(lot) if facts.lot else "not known: whole units"
    times = "" if facts.multiplier == 1 else f" × {decimal_text(facts.multiplier)}"
    if times:
        told["multiplier"] = decimal_text(facts.multiplier)
    if ask.mode is SizeMode.LOTS and not facts.lot:
        raise _Refused(
            Reason.SIZE_LOT_UNKNOWN,
            f"{ask.text} of {facts.symbol}: the client has no master that says how many units a lot has; "
            "set INSTRUMENTS_DIR, or size in units",
        )
    if not ask.mode.is_money:
        wanted = ask.value * facts.multiplier * (lot if ask.mode is SizeMode.LOTS else 1)
        detail = f"{ask.text}{times}"
        detail += f" of {decimal_text(lot)}" if ask.mode is SizeMode.LOTS else ""
        return _rounded(wanted // lot, lot, detail, f"{decimal_text(wanted)} units")
    budget, said = _budget(ask, facts, told)
    cost, per = _cost(ask, facts, told)
    return _rounded(budget // (cost * lot), lot, f"{said}{times} ÷ {per}", _money_of(budget))


def _rounded(lots: Decimal, lot: Decimal, how: str, had: str) -> tuple[Decimal, str]:
    quantity = lots * lot
    by = "whole units" if lot == 1 else f"lots of {decimal_text(lot)}"
    if quantity <= ZERO:
        raise _Refused(Reason.SIZE_ROUNDS_TO_ZERO, f"{how}: {had} is less than one of {by}")
    return quantity, f"{how} = {decimal_text(quantity)}, rounded down to {by}"


def _money_of(amount: Decimal) -> str:
    return f"{decimal_text(amount)} of money"


def _budget(ask: SizeAsk, facts: SizeFacts, told: dict[str, str]) -> tuple[Decimal, str]:
    """The money that may be used or lost."""
    if ask.mode.is_percent:
        if isinstance(facts.equity, str):
            raise _Refused(Reason.SIZE_EQUITY_UNKNOWN, f"{ask.text}: {facts.equity}")
        amount, source = facts.equity
        told["equity"] = decimal_text(amount)
        told["equity_source"] = source
        if amount <= ZERO:
            raise _Refused(Reason.SIZE_ROUNDS_TO_ZERO, f"{ask.text}: the equity is {decimal_text(amount)}")
        budget = amount * ask.value / _HUNDRED * facts.multiplier
        return budget, f"{decimal_text(ask.value)}% of {decimal_text(amount)}"
    _refuse_currency(ask, facts)
    return ask.value * facts.multiplier, ask.text


def _refuse_currency(ask: SizeAsk, facts: SizeFacts) -> None:
    """Refuse money of another currency than that of the prices. At exchanges of India they are rupees."""
    if ask.currency is None:
        return
    quoted = "INR" if is_venue(facts.exchange) else ask.quoted_in
    if quoted == ask.currency:
        return
    known = "not known: set currency in config/strategies.toml" if quoted is None else quoted
    raise _Refused(
        Reason.SIZE_CURRENCY,
        f"{ask.text}: the currency of {facts.exchange} {facts.symbol} is {known}, and nothing is converted",
    )


def _cost(ask: SizeAsk, facts: SizeFacts, told: dict[str, str]) -> tuple[Decimal, str]:
    """What one unit of quantity costs, or loses at the stop."""
    if isinstance(facts.price, str):
        raise _Refused(Reason.SIZE_PRICE_UNKNOWN, f"{ask.text}: {facts.price}")
    if facts.unit is None or facts.unit <= ZERO:
        raise _Refused(
            Reason.SIZE_PRICE_UNKNOWN,
            f"{ask.text}: no master says how much of the underlying one unit of {facts.symbol} is",
        )
    price, source = facts.price
    told["price"] = decimal_text(price)
    told["price_source"] = source
    unit = facts.unit
    of_unit = "" if unit == 1 else f" × {decimal_text(unit)} in a unit"
    if unit != 1:
        told["unit"] = decimal_text(unit)
    if not ask.mode.is_risk:
        return price * unit, f"{decimal_text(price)}{of_unit}"
    stop, distance = _distance(ask, facts, price)
    told["stop"] = stop
    return distance * unit, f"{decimal_text(distance)} from {decimal_text(price)} to the stop {stop}{of_unit}"


def _distance(ask: SizeAsk, facts: SizeFacts, price: Decimal) -> tuple[str, Decimal]:
    if facts.stop is None:
        raise _Refused(
            Reason.SIZE_STOP_MISSING,
            f"{ask.text}: the entry has no stop_loss, so that what it may lose is not known",
        )
    level = level_of(facts.stop)
    if level.unit is not LevelUnit.PRICE:
        return level.text, level.points(price)
    distance = (price - level.value) * facts.side.sign
    if distance <= ZERO:
        raise _Refused(
            Reason.STOP_WRONG_SIDE,
            f"{ask.text}: the stop {level.text} is not on the losing side of {decimal_text(price)}, "
            f"{facts.price[1] if isinstance(facts.price, tuple) else ''}",
        )
    return level.text, distance
