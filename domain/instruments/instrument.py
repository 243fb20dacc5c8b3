"""An instrument as fields, as a broker's master lists it; and the master that it stands in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from domain.instruments.venues import usual_root
from domain.money import decimal_text


class Kind(StrEnum):
    """What an instrument is."""

    EQUITY = "EQ"
    INDEX = "IDX"  # a number: it cannot be traded by itself
    FUTURE = "FUT"
    CALL = "CE"
    PUT = "PE"
    PERPETUAL = "PERP"
    SPOT = "SPOT"

    @property
    def is_option(self) -> bool:
        """True for calls and puts."""
        return self in (Kind.CALL, Kind.PUT)

    @property
    def expires(self) -> bool:
        """True for contracts, which end at an expiry."""
        return self is Kind.FUTURE or self.is_option


_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[^A-Z0-9]")


def folded(name: str) -> str:
    """Return the name with each sign as `_`: charts write `M_M` for `M&M`, and `BAJAJ_AUTO` for `BAJAJ-AUTO`."""
    return _NEITHER_LETTER_NOR_DIGIT.sub("_", name.upper())


def key_of(root: str, kind: Kind, expiry: date | None = None, strike: Decimal | None = None) -> str:
    """Return the text under which a master finds the instruments of these fields.

    `root` is the folded name of the underlying, or of the share itself.
    """
    ends = "" if expiry is None else expiry.isoformat()
    return f"{root}|{kind}|{ends}|{'' if strike is None else decimal_text(strike)}"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of a master. Prices in the instrument's currency, quantities in units; None: the master does not say.

    - `exchange`, `symbol`, `token`: where and under which names the broker takes orders for it.
    - `underlying`: of a contract, as the exchange calls it; of a share its own name.
    - `lot`: quantities are multiples of it. Lots change by expiry, so it is this row's own.
    - `tick`: prices are multiples of it.
    - `freeze`: the largest quantity that the exchange takes in one order.
    - `multiplier`: units of the underlying in one unit of quantity.
    - `series`: of a share: EQ, BE and others.
    """

    exchange: str
    symbol: str
    token: str
    kind: Kind
    underlying: str
    expiry: date | None = None
    strike: Decimal | None = None
    lot: Decimal | None = None
    tick: Decimal | None = None
    freeze: Decimal | None = None
    multiplier: Decimal | None = None
    series: str = ""

    @property
    def root(self) -> str:
        """The folded name of the underlying; the usual one of an index that has several."""
        name = folded(self.underlying)
        return name if self.kind is Kind.EQUITY else usual_root(name)

    @property
    def key(self) -> str:
        """See `key_of`."""
        return key_of(self.root, self.kind, self.expiry, self.strike)

    @property
    def largest_order(self) -> Decimal | None:
        """The largest quantity of whole lots that the exchange takes in one order; None: the master does not say."""
        if self.freeze is None or self.freeze <= 0:
            return None
        lot = self.lot if self.lot is not None and self.lot > 0 else Decimal(1)
        return self.freeze // lot * lot or None

    @property
    def address(self) -> tuple[str, str]:
        """Its exchange and symbol at the broker."""
        return self.exchange, self.symbol

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from every other one: at some brokers contracts of several weeks share one symbol."""
        return self.exchange, self.symbol, self.token

    def __str__(self) -> str:
        """Return exchange and symbol, for people."""
        return f"{self.exchange} {self.symbol}"


@dataclass(frozen=True, slots=True)
class UnreadableListing:
    """A row of a master that could not be read: the file and line, and what was expected there."""

    where: str
    why: str

    def __str__(self) -> str:
        """Return both, for people."""
        return f"{self.where}: {self.why}"


@dataclass(frozen=True, slots=True)
class MasterFacts:
    """What is known of a master as a whole.

    - `day`: the date of its oldest file, by the market's clock.
    - `counts`: the rows of each exchange.
    - `unreadable`: rows that could not be read; `examples`: some of them, with what is wrong.
    - `source`: what tells the files that it was loaded from, from any other ones.
    """

    broker: str
    day: date
    loaded_at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    examples: tuple[str, ...] = ()
    source: str = ""

    @property
    def rows(self) -> int:
        """How many instruments it has."""
        return sum(self.counts.values())


OLDEST_DAYS = 3
"""Days by which a master may be older than today: yesterday's counts, and after a weekend Friday's."""

_FEW = 20  # rows of an exchange: too few to judge by


def is_stale(day: date, today: date) -> bool:
    """Return True for a master so old that entries have to wait; a day in the future is no master of ours either."""
    return not -1 <= (today - day).days <= OLDEST_DAYS


def shrunk(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return the exchanges that have less than half of the rows that they had, in words: their file is damaged.

    Even on the day after a monthly expiry more than half stays.
    """
    return [
        f"{exchange}: {after.get(exchange, 0)} rows, {rows} before"
        for exchange, rows in before.items()
        if rows >= _FEW and 2 * after.get(exchange, 0) < rows
    ]
