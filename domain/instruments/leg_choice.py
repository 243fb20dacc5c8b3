"""Choose the contracts of a leg template over a master's own lists.

ATM is the listed strike nearest to the price, the lower one of two that are equally near. ITM and OTM count places in
that expiry's own list of strikes, because the steps between them differ. Expiry words count the master's own dates,
because holidays move expiries.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from domain.instruments.instrument import Instrument, Kind, key_of
from domain.leg_templates import ExpiryWord, LegRule, LegTemplate, StrikeRule
from domain.money import decimal_text
from domain.ports.instruments import Master

_ALL = 5000  # strikes of one expiry, at all exchanges; far more than there are
_SHOWN = 4
_WITHOUT_SPOT = frozenset(("MCX", "CDS", "BCD", "NCO", "NCDEX"))


class NotChosen(Exception):
    """A leg cannot be chosen for certain; the message says why, for people."""


class Chosen(NamedTuple):
    """A contract, and each choice that led to it in words."""

    instrument: Instrument
    notes: tuple[str, ...]


class Reference(NamedTuple):
    """The price by which strikes are chosen. `source`: whose it is and how old, for people."""

    price: Decimal
    source: str


def reference_of(template: LegTemplate, master: Master, today: date) -> tuple[str, str]:
    """Return the place whose price chooses strikes: the index or share; at exchanges without, the nearest future.

    Raises:
        NotChosen: there is none, or several.
    """
    if template.reference is not None:
        return template.reference
    root = template.root
    if template.exchange in _WITHOUT_SPOT:
        days = [day for day, at in _days(template, master, is_option=False) if day >= today]
        found = master.keyed([key_of(root, Kind.FUTURE, days[0])]) if days else []
        found = [each for each in found if each.exchange == template.exchange]
        what = "future"
    else:
        found = master.keyed([key_of(root, Kind.INDEX)]) or master.keyed([key_of(root, Kind.EQUITY)])
        at = "BSE" if template.exchange == "BFO" else "NSE"
        found = [each for each in found if each.exchange == at and each.series in ("", "EQ")] or [
            each for each in found if each.kind is Kind.INDEX
        ]
        what = "index or share"
    if len(found) != 1:
        listed = ", ".join(map(str, found[:_SHOWN])) or "none"
        raise NotChosen(
            f"expected one {what} {template.underlying} in the master, got {listed}: name it as `reference`"
        )
    return found[0].address


def choose(
    rule: LegRule, template: LegTemplate, master: Master, today: date, price: Reference | None
) -> Chosen:
    """Choose the contract of one leg. `price` may be None for a future.

    Raises:
        NotChosen: no such expiry or strike is listed, or more than one contract fits.
    """
    word = rule.expiry or template.expiry
    day = expiry_of(word, template, master, today, is_option=rule.kind.is_option)
    by_word = day.isoformat() if isinstance(word, date) else f"{word} is {day}"
    if rule.strike is None:
        found = master.keyed([key_of(template.root, rule.kind, day)])
        return _one([each for each in found if each.exchange == template.exchange], (by_word,), str(day))
    assert price is not None
    strikes = _strikes(rule.kind, template, master, day)
    atm, strike = strike_of(rule.strike, rule.kind, strikes, price.price)
    notes = (
        by_word,
        f"ATM is {decimal_text(atm)}: nearest of {len(strikes)} strikes to {decimal_text(price.price)}, {price.source}",
        f"{rule.strike.text} {rule.kind} is {decimal_text(strike)}",
    )
    found = master.keyed([key_of(template.root, rule.kind, day, strike)])
    return _one([each for each in found if each.exchange == template.exchange], notes, decimal_text(strike))


def _one(found: Sequence[Instrument], notes: tuple[str, ...], what: str) -> Chosen:
    if len(found) != 1:
        listed = ", ".join(map(str, found[:_SHOWN])) or "none"
        raise NotChosen(f"expected one contract of {what}, got {listed}")
    return Chosen(found[0], notes)


def strike_of(
    rule: StrikeRule, kind: Kind, strikes: Sequence[Decimal], price: Decimal
) -> tuple[Decimal, Decimal]:
    """Return the strike at the money and the one that the rule means, of strikes in rising order.

    Raises:
        NotChosen: the list is empty, does not reach around the price, or ends before the strike that is meant.
    """
    if not strikes or not strikes[0] <= price <= strikes[-1]:
        reach = f"from {decimal_text(strikes[0])} to {decimal_text(strikes[-1])}" if strikes else "none"
        raise NotChosen(f"expected strikes around {decimal_text(price)}, the master has {reach}")
    place = min(range(len(strikes)), key=lambda at: (abs(strikes[at] - price), at))
    upwards = 1 if kind is Kind.CALL else -1  # a call is out of the money above the price, a put below it
    meant = place + rule.steps * upwards
    if not 0 <= meant < len(strikes):
        have = len(strikes) - 1 - place if meant > place else place
        raise NotChosen(f"{rule.text} {kind}: the master lists only {have} strikes on that side of ATM")
    return strikes[place], strikes[meant]


def expiry_of(
    word: ExpiryWord | date, template: LegTemplate, master: Master, today: date, *, is_option: bool
) -> date:
    """Return the expiry that a word or a date means.

    Raises:
        NotChosen: the master lists no such date.
    """
    listed = [day for day, _ in _days(template, master, is_option=is_option)]
    ahead = [day for day in listed if day >= today]
    what = f"{template.underlying} at {template.exchange}"
    if isinstance(word, date):
        if word in ahead:
            return word
        raise NotChosen(f"{what} has no expiry on {word}; its expiries: {_shown(ahead)}")
    if word in (ExpiryWord.CURRENT_WEEK, ExpiryWord.NEXT_WEEK):
        place = 0 if word is ExpiryWord.CURRENT_WEEK else 1
        if len(ahead) > place:
            return ahead[place]
    else:
        place = 0 if word is ExpiryWord.CURRENT_MONTH else 1
        months = sorted({(day.year, day.month) for day in ahead})
        # The last month that is listed may have been cut off before its monthly expiry.
        if len(months) > place:
            days = [day for day in ahead if (day.year, day.month) == months[place]]
            if len(days) == 1 or place + 1 < len(months):
                return days[-1]
    raise NotChosen(f"{what} has no {word} for certain; its expiries: {_shown(ahead)}")


def _days(template: LegTemplate, master: Master, *, is_option: bool) -> list[tuple[date, str]]:
    listed = master.expiries.get((template.root, is_option), ())
    return [(day, at) for day, at in listed if at == template.exchange]


def _strikes(kind: Kind, template: LegTemplate, master: Master, day: date) -> list[Decimal]:
    rows = master.beginning(f"{template.root}|{kind}|{day.isoformat()}|", _ALL)
    return sorted(
        {each.strike for each in rows if each.strike is not None and each.exchange == template.exchange}
    )


def _shown(days: Sequence[date]) -> str:
    return ", ".join(map(str, days[:_SHOWN])) or "none"
