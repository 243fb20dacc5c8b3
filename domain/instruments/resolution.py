"""Resolve a name to one instrument of a master, or to the reason why not. Nothing is guessed.

A name is read to fields in every way that it may be meant, and the fields are looked up. One instrument that the master
holds is the answer; several are ambiguous, whatever is more likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.instruments.instrument import Instrument, Kind, folded, key_of
from domain.instruments.names import Front, Month, Reading, parted_name, readings_of
from domain.instruments.venues import INDEXES, are_one_venue, exchange_name, is_venue, may_be_at, usual_root
from domain.money import ZERO
from domain.ports.instruments import Master
from domain.reason_codes import Reason

_CURRENCIES = frozenset(("CDS", "BCD"))
_SHOWN = 6  # candidates that are listed
_ALONE = frozenset(("", "BE", "BZ", "SM", "ST", "SZ", "IV", "RR", "GS", "GB", "SG", "TB"))
"""Series of NSE that a name without one may mean where there is no EQ: shares, trusts, and the state's own bonds."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name was resolved to.

    - `found`: the instrument; None where there is a `reason` why not, whose figures are in `detail`.
    - `candidates`: what else the name may mean.
    - `notes`: each choice, in words.
    """

    found: Instrument | None = None
    reason: Reason | None = None
    detail: str = ""
    candidates: tuple[Instrument, ...] = ()
    notes: tuple[str, ...] = ()


def resolve(
    name: str,
    exchange: str,
    master: Master,
    today: date,
    *,
    roll_days: int | None = None,
    is_exact: bool = False,
) -> Resolution:
    """Resolve a name as an alert writes it.

    Args:
        exchange: as the alert or its strategy's settings name it; one that charts use for all segments means any.
        today: the date by the market's clock.
        roll_days: the rule for continuous futures, days before the expiry at which the next contract is meant. None:
            there is no rule, so that they are refused.
        is_exact: the name is the broker's own for certain, so that it is read in no other way.
    """
    prefix, text = parted_name(name)
    if prefix is not None and is_venue(prefix):
        if not are_one_venue(prefix, exchange):
            return Resolution(
                reason=Reason.INSTRUMENT_UNKNOWN, detail=f"{name} is named at two exchanges: {exchange}"
            )
        exchange = prefix if may_be_at(exchange, exchange_name(prefix)) else exchange
    elif prefix is not None:
        text = name.strip().upper()
    readings = () if is_exact else readings_of(text, master.roots)
    front = next((each for each in readings if isinstance(each.expiry, Front)), None)
    if front is not None:
        return _continuous(front, exchange, master, today, roll_days)
    own = master.named(text)
    own_here = [each for each in own if may_be_at(exchange, each.exchange)]
    unsure = [each for each in readings if not any(_is_of(one, each) for one in own_here)]
    candidates = _unique([*own, *_held(unsure, master)])
    return _judged(name, exchange, readings, candidates, master, today)


def _is_of(instrument: Instrument, reading: Reading) -> bool:
    """True where the broker's own name for it is read as what it is: then the reading needs no look for others."""
    expiry = reading.expiry
    same = (instrument.root, instrument.kind, instrument.strike) == (
        reading.root,
        reading.kind,
        reading.strike,
    )
    if isinstance(expiry, Month):
        return same and instrument.expiry is not None and expiry.holds(instrument.expiry)
    return same and instrument.kind.expires and instrument.expiry == expiry


def _held(readings: Sequence[Reading], master: Master) -> list[Instrument]:
    """What the master holds of these readings."""
    keys: dict[str, None] = {}
    series: dict[str, str] = {}  # by key, of shares
    for reading in readings:
        for day in _days(reading, master):
            key = key_of(reading.root, reading.kind, day, reading.strike)
            if reading.kind is Kind.EQUITY:
                series[key] = reading.series
            keys[key] = None
    found = master.keyed(list(keys)) if keys else []
    return _shares(found, series)


def _days(reading: Reading, master: Master) -> list[date | None]:
    """The dates on which the reading's contract may expire."""
    expiry = reading.expiry
    if not isinstance(expiry, Month):
        return [expiry if isinstance(expiry, date) else None]
    listed = master.expiries.get((reading.root, reading.kind.is_option), ())
    days: dict[str, list[date]] = {}
    for day, exchange in listed:
        if expiry.holds(day):
            days.setdefault(exchange, []).append(day)
    found: list[date | None] = []
    for exchange, each in days.items():
        # Several expiries of the last month that is listed: the one that is named by the month may be missing.
        is_whole = len(each) == 1 or any(at == exchange and day > each[-1] for day, at in listed)
        found += each[-1:] if expiry.is_last and is_whole else each
    return found


def _shares(found: Sequence[Instrument], asked: dict[str, str]) -> list[Instrument]:
    """Of a share's series the one that is named; without a name EQ where there is one, else those of shares.

    A company's bonds and rights have series of their own, and are never meant by its name alone.
    """
    exchanges_with_eq = {each.exchange for each in found if each.series == "EQ"}

    def is_meant(each: Instrument) -> bool:
        if each.kind is not Kind.EQUITY:
            return True
        named = asked.get(each.key, "")
        if named:
            return each.series == named
        if each.exchange in exchanges_with_eq:
            return each.series == "EQ"
        return each.exchange != "NSE" or each.series in _ALONE

    return [each for each in found if is_meant(each)]


def _unique(found: Sequence[Instrument]) -> list[Instrument]:
    return list({each.identity: each for each in found}.values())


def _judged(
    name: str,
    exchange: str,
    readings: Sequence[Reading],
    candidates: Sequence[Instrument],
    master: Master,
    today: date,
) -> Resolution:
    here = [each for each in candidates if may_be_at(exchange, each.exchange)]
    if len(here) > 1:
        return Resolution(
            reason=Reason.INSTRUMENT_AMBIGUOUS,
            detail=f"{name} at {exchange} may be {_listed(here)}",
            candidates=tuple(here),
        )
    if here:
        [found] = here
        if found.kind is Kind.INDEX:
            return _no_contract(name, found.root, master, today)
        if found.expiry is not None and found.expiry < today:
            return Resolution(found, Reason.INSTRUMENT_EXPIRED, f"{found} expired on {found.expiry}")
        return Resolution(found, notes=_notes(name, exchange, found))
    root = usual_root(folded(parted_name(name)[1].removesuffix("-INDEX")))
    if root in master.roots or root in INDEXES:
        return _no_contract(name, root, master, today)
    ended = _ended(readings, master, today)
    if ended is not None:
        return Resolution(reason=Reason.INSTRUMENT_EXPIRED, detail=f"{name}: {ended}")
    if candidates:
        elsewhere = f"{name} is not at {exchange}, but there is {_listed(candidates)}"
        return Resolution(reason=Reason.INSTRUMENT_UNKNOWN, detail=elsewhere)
    return Resolution(
        reason=Reason.INSTRUMENT_UNKNOWN, detail=_nearest(name, exchange, readings, master, today)
    )


def _notes(name: str, exchange: str, found: Instrument) -> tuple[str, ...]:
    notes = []
    if (name.strip().upper(), exchange.upper()) != (found.symbol, found.exchange):
        ends = "" if found.expiry is None else f", expires {found.expiry}"
        asked = name if parted_name(name)[0] else f"{exchange} {name}"
        notes.append(f"{asked} is {found}{ends}")
    if found.kind is Kind.EQUITY and found.exchange == "NSE" and found.series in ("BE", "BZ", "ST", "SZ"):
        notes.append(
            f"series {found.series} is for delivery alone: the exchange takes no intraday orders in it"
        )
    return tuple(notes)


def _ended(readings: Sequence[Reading], master: Master, today: date) -> str | None:
    """Say when the contract ended; None where a reading of its name may be of one that has not, listed or not."""
    ends: list[tuple[date, str]] = []
    for reading in readings:
        expiry = reading.expiry
        if not isinstance(expiry, date | Month):
            continue
        listed = master.expiries.get((reading.root, reading.kind.is_option), ())
        days = [day for day in _days(reading, master) if day is not None]
        if any(today <= day <= listed[-1][0] for day in days if listed):
            return None
        if isinstance(expiry, Month) and not days and (expiry.year, expiry.month) < (today.year, today.month):
            ends.append((date(expiry.year, expiry.month, 1), f"in {expiry.year}-{expiry.month:02}"))
        ends += [(day, f"on {day}") for day in days if day < today]
    return f"expired {max(ends)[1]}" if ends else None


# what is refused, and what there is instead --------------------------------------------------------------------


def _no_contract(name: str, root: str, master: Master, today: date) -> Resolution:
    """The name of an index or another underlying, which cannot be traded by itself."""
    contracts = _futures(root, "", master, today)
    there_is = f"; there is {_listed(contracts)}" if contracts else ""
    return Resolution(
        reason=Reason.INSTRUMENT_NOT_TRADABLE,
        detail=f"{name} names no contract{there_is}: name one, or set it under symbols of config/strategies.toml",
        candidates=tuple(contracts),
    )


def _continuous(
    reading: Reading, exchange: str, master: Master, today: date, roll_days: int | None
) -> Resolution:
    assert isinstance(reading.expiry, Front)
    number = reading.expiry.number
    name = f"{reading.root}{number}!"
    listed = _futures(reading.root, exchange, master, today)
    if roll_days is None:
        there_is = f": {_listed(listed)}" if listed else ""
        return Resolution(
            reason=Reason.INSTRUMENT_AMBIGUOUS,
            detail=f"{name} says not which contract{there_is}; set roll_days of its strategy, or symbols",
            candidates=tuple(listed),
        )
    line = [
        each
        for each in _monthly(listed)
        if each.expiry is not None and each.expiry - timedelta(days=roll_days) >= today
    ]
    if len({each.exchange for each in line}) > 1:
        return Resolution(
            reason=Reason.INSTRUMENT_AMBIGUOUS,
            detail=f"{name} at {exchange} may be {_listed(line)}",
            candidates=tuple(listed),
        )
    if len(line) < number:
        detail = f"{name}: the master lists {len(line)} contracts that are not about to expire"
        return Resolution(reason=Reason.INSTRUMENT_UNKNOWN, detail=detail, candidates=tuple(listed))
    found = line[number - 1]
    note = f"{exchange} {name} is {found}, expires {found.expiry}, by roll_days = {roll_days}"
    return Resolution(found, candidates=tuple(each for each in listed if each != found), notes=(note,))


def _monthly(futures: Sequence[Instrument]) -> list[Instrument]:
    """Without the weekly contracts of currencies, which no continuous name means: a month's last expiry is monthly.

    Of several expiries of the last month that is listed the monthly one may be missing, so that none of them counts.
    """

    def is_meant(each: Instrument) -> bool:
        if each.exchange not in _CURRENCIES or each.expiry is None:
            return True
        days = [
            other.expiry for other in futures if other.exchange == each.exchange and other.expiry is not None
        ]
        month = [day for day in days if (day.year, day.month) == (each.expiry.year, each.expiry.month)]
        return each.expiry == max(month) and (len(month) == 1 or max(days) > each.expiry)

    return [each for each in futures if is_meant(each)]


def _futures(root: str, exchange: str, master: Master, today: date) -> list[Instrument]:
    """The living futures of an underlying, in the order of their expiries; of any exchange where none is named."""
    days = sorted({day for day, _ in master.expiries.get((root, False), ()) if day >= today})
    found = master.keyed([key_of(root, Kind.FUTURE, day) for day in days]) if days else []
    at = [each for each in found if not exchange or may_be_at(exchange, each.exchange)]
    return sorted(at, key=lambda each: (each.expiry or today, each.exchange))


def _nearest(name: str, exchange: str, readings: Sequence[Reading], master: Master, today: date) -> str:
    """Say what the master has instead of a name that it does not hold."""
    for reading in readings:
        if not reading.kind.expires:
            continue
        alive = [
            (day, at)
            for day, at in master.expiries.get((reading.root, reading.kind.is_option), ())
            if day >= today and may_be_at(exchange, at)
        ]
        days = [day for day, _ in alive]
        meant = [day for day in _days(reading, master) if day in days]
        if not meant:
            expiries = ", ".join(map(str, days[:_SHOWN])) or "none"
            return f"{name}: {reading.root} has no such expiry at {exchange}; its expiries: {expiries}"
        strikes = master.beginning(f"{reading.root}|{reading.kind}|{meant[0]}|", 500)
        near = sorted(
            (each for each in strikes if each.strike is not None),
            key=lambda each: abs((each.strike or ZERO) - (reading.strike or ZERO)),
        )
        return f"{name}: no such strike of {meant[0]}; nearest: {_listed(near[:2])}"
    alike = master.beginning(folded(parted_name(name)[1])[:6], _SHOWN)
    return f"{name} at {exchange}" + (f"; alike: {_listed(alike)}" if alike else "")


def _listed(found: Sequence[Instrument]) -> str:
    """Name instruments, a few of them where they are many."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(map(str, found[:_SHOWN])) + more
