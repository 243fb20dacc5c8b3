"""Read the names that platforms and brokers give instruments, to fields.

A name is read in every way that any of the grammars allows; which of the readings exist, the master says. No name is
ever built from fields: what the broker calls an instrument stands in its row.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from domain.instruments.instrument import Kind, folded
from domain.instruments.venues import usual_root


@dataclass(frozen=True, slots=True)
class Month:
    """A contract's month where the name has no day.

    - `is_last`: True: the last expiry of that month, which alone is named by its month. False: any of them.
    """

    year: int
    month: int
    is_last: bool = True

    def holds(self, day: date) -> bool:
        """Return True for a day of the month."""
        return (day.year, day.month) == (self.year, self.month)


@dataclass(frozen=True, slots=True)
class Front:
    """The contract that is `number`th in line: `1!` is the current one. Which that is, a rule has to say."""

    number: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a name may mean. `root` is folded; `series` is of a share, empty where the name has none."""

    root: str
    kind: Kind
    expiry: date | Month | Front | None = None
    strike: Decimal | None = None
    series: str = ""


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LETTERS = "FGHJKMNQUVXZ"
_SERIES = (
    "EQ", "BE", "BZ", "BL", "SM", "ST", "SG", "SZ", "GB", "GS", "IV", "RR", "MF",
    "A", "B", "E", "F", "G", "M", "MS", "MT", "P", "R", "T", "TS", "W", "X", "XT", "Z", "ZP",
)  # fmt: skip

_MON = f"(?P<mon>{'|'.join(_MONTHS)})"
_DAY, _YEAR = r"(?P<day>\d\d)", r"(?P<year>\d\d)"
_STRIKE = r"(?P<strike>(?:0|[1-9]\d{0,8})(?:\.\d{1,4})?)"
_RIGHT, _SHORT = "(?P<right>CE|PE)", "(?P<right>C|P)"

_Tail = tuple[re.Pattern[str], Callable[[re.Match[str]], Reading | None]]


def _kind(text: str | None) -> Kind:
    return Kind.FUTURE if not text else Kind.CALL if text[0] == "C" else Kind.PUT


def _date(year: str | int, month: int, day: str | int) -> date | None:
    try:
        return date(2000 + int(year), month, int(day))
    except ValueError:
        return None


def _contract(found: re.Match[str], expiry: date | Month | None) -> Reading | None:
    """The reading without its root; None where the name has a day that no month has."""
    if expiry is None:
        return None
    given = found.groupdict()
    strike = given.get("strike")
    return Reading("", _kind(given.get("right")), expiry, None if strike is None else Decimal(strike))


def _by_date(found: re.Match[str]) -> Reading | None:
    """DDMONYY, or YYMMDD in digits."""
    given = found.groupdict()
    month = int(given["month"]) if given.get("month") else _MONTHS.index(given["mon"]) + 1
    return _contract(found, _date(given["year"], month, given["day"]))


def _by_week(found: re.Match[str]) -> Reading | None:
    """YY M DD, where the month is a digit, or the first letter of October, November and December."""
    code = found["code"]
    month = {"O": 10, "N": 11, "D": 12}.get(code) or int(code)
    return _contract(found, _date(found["year"], month, found["day"]))


def _by_month(found: re.Match[str]) -> Reading | None:
    return _contract(found, Month(2000 + int(found["year"]), _MONTHS.index(found["mon"]) + 1))


def _by_letter(found: re.Match[str]) -> Reading | None:
    return _contract(found, Month(int(found["year4"]), _LETTERS.index(found["code"]) + 1))


def _any_of_month(found: re.Match[str]) -> Reading | None:
    return _contract(found, Month(int(found["year4"]), _MONTHS.index(found["mon"]) + 1, is_last=False))


def _occ(found: re.Match[str]) -> Reading | None:
    day = _date(found["year"], int(found["month"]), found["day"])
    return (
        None if day is None else Reading("", _kind(found["right"]), day, Decimal(found["thousandths"]) / 1000)
    )


def _front(found: re.Match[str]) -> Reading | None:
    return Reading("", Kind.FUTURE, Front(int(found["number"])))


def _perpetual(found: re.Match[str]) -> Reading | None:
    return Reading("", Kind.PERPETUAL)


_CODE = "(?P<code>[1-9OND])"
_SIX = r"(?P<year>\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>\d\d)"
_QUOTE = r"/(?P<quote>[A-Z0-9]{2,10})"

_TAILS: tuple[_Tail, ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (rf"{_SIX}{_SHORT}{_STRIKE}", _by_date),  # TradingView
        (rf"(?P<code>[{_LETTERS}])(?P<year4>20\d\d)", _by_letter),
        (r"(?P<number>[1-9])!", _front),
        (rf"{_DAY}{_MON}{_YEAR}{_SHORT}{_STRIKE}", _by_date),  # brokers of NSE, most commonly
        (rf"{_DAY}{_MON}{_YEAR}F?", _by_date),
        (rf"{_YEAR}{_CODE}{_DAY}{_STRIKE}{_RIGHT}", _by_week),  # Fyers, BSE and others
        (rf"{_YEAR}{_CODE}{_DAY}FUT", _by_week),
        (rf"{_YEAR}{_MON}{_STRIKE}{_RIGHT}", _by_month),
        (rf"{_YEAR}{_MON}FUT", _by_month),
        (rf"{_DAY}{_MON}{_YEAR}{_STRIKE}{_RIGHT}", _by_date),  # OpenAlgo
        (rf"{_DAY}{_MON}{_YEAR}FUT", _by_date),
        (rf"-{_MON}(?P<year4>20\d\d)-{_STRIKE}-{_RIGHT}", _any_of_month),  # a name without a day
        (rf"-{_MON}(?P<year4>20\d\d)-FUT", _any_of_month),
        (rf" {_STRIKE} {_RIGHT} {_DAY} {_MON} {_YEAR}", _by_date),  # Upstox
        (rf" FUT {_DAY} {_MON} {_YEAR}", _by_date),
        (rf" *{_SIX}{_SHORT}(?P<thousandths>\d{{8}})", _occ),
        (rf"-(?P<day>\d{{1,2}}){_MON}{_YEAR}-{_STRIKE}-{_SHORT}", _by_date),  # Deribit
        (rf"-(?P<day>\d{{1,2}}){_MON}{_YEAR}", _by_date),
        (r"-PERPETUAL|\.P", _perpetual),
    )
)  # fmt: skip

_PAIR = re.compile(
    rf"(?P<base>[A-Z0-9]{{1,15}}){_QUOTE}(?::[A-Z0-9]{{2,10}}(?:-{_SIX}(?:-{_STRIKE}-{_SHORT})?)?)?"
)
_SERIES_END = re.compile(rf"-({'|'.join(_SERIES)})")
_PREFIX = re.compile(r"([A-Z][A-Z0-9_]{1,19}):(?=.)")


def parted_name(name: str) -> tuple[str | None, str]:
    """Return the exchange that stands before a name, or None, and the name in capitals: `NSE:INFY` → NSE, INFY.

    In `BTC/USDT:USDT` the colon is the name's own.
    """
    text = name.strip().upper()
    found = _PREFIX.match(text)
    return (None, text) if found is None else (found[1], text[found.end() :])


@lru_cache(4096)  # alerts repeat the names of their charts
def readings_of(name: str, roots: frozenset[str]) -> tuple[Reading, ...]:
    """Return everything that a name without its exchange may mean, each once.

    Contracts are read where the name begins with one of the folded `roots` of the master, or another name of one.
    Nothing here depends on an order: roots that begin like others (GOLD, GOLDM) are told apart by what follows, which
    has to fit as a whole.
    """
    text = name.strip().upper()
    return tuple(dict.fromkeys([*_pairs(text), *_contracts(text, roots), *_plain(text)]))


def _contracts(text: str, roots: Collection[str]) -> Iterator[Reading]:
    name = folded(text)  # sign by sign, so that a beginning of it is the folded beginning
    for end in range(1, len(text)):
        root = usual_root(name[:end])
        if root not in roots:
            continue
        for pattern, read in _TAILS:
            found = pattern.fullmatch(text, end)
            reading = None if found is None else read(found)
            if reading is not None:
                yield Reading(root, reading.kind, reading.expiry, reading.strike)


def _pairs(text: str) -> Iterator[Reading]:
    """`BASE/QUOTE` is spot, with `:SETTLE` a perpetual, with a date a future, and with strike and right an option."""
    found = _PAIR.fullmatch(text)
    if found is None:
        return
    root = folded(f"{found['base']}/{found['quote']}")
    if ":" not in text:
        yield Reading(root, Kind.SPOT)
    elif found["year"] is None:
        yield Reading(root, Kind.PERPETUAL)
    elif (day := _date(found["year"], int(found["month"]), found["day"])) is not None:
        strike = found["strike"]
        yield Reading(root, _kind(found["right"]), day, None if strike is None else Decimal(strike))


def _plain(text: str) -> Iterator[Reading]:
    """A share or an index, by its name alone or with its series; the name itself may end like a series."""
    if text.endswith("-INDEX"):
        yield Reading(usual_root(folded(text.removesuffix("-INDEX"))), Kind.INDEX)
        return
    end = text.rfind("-")
    if end > 0 and (found := _SERIES_END.fullmatch(text, end)) is not None:
        yield Reading(folded(text[:end]), Kind.EQUITY, series=found[1])
    yield Reading(folded(text), Kind.EQUITY)
    yield Reading(usual_root(folded(text)), Kind.INDEX)
