"""The keys `sizing` and `legs` of the strategies file: how much an entry is of, and what an underlying stands for."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from config.checking import Problems, unknown
from domain.enums import Side
from domain.instruments.instrument import Kind
from domain.leg_templates import MOST_STRIKES, ExpiryWord, LegRule, LegTemplate, StrikeRule
from domain.sizing import SizeAsk, SizeMode

_MOST = Decimal(10) ** 15
_STEP = Decimal("1E-8")
_MOST_LEGS = 8
_HUNDRED = Decimal(100)
_STRIKE = re.compile(r"ATM|(ITM|OTM)([1-9]\d?)", re.ASCII)
_NAME = re.compile(r"[A-Z0-9&_.:!/ -]{1,64}", re.ASCII)
_EXCHANGE = re.compile(r"[A-Z0-9_-]{1,20}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3,5}", re.ASCII)
_RIGHTS = {"CE": Kind.CALL, "PE": Kind.PUT, "FUT": Kind.FUTURE}

_TABLE_KEYS = ("underlying", "names", "exchange", "expiry", "reference", "buy", "sell")
_LEG_KEYS = ("right", "side", "strike", "lots", "expiry")


def sizing(given: object, name: str, problems: Problems) -> SizeAsk | None:
    """Read `{ mode = "…", value = … }`. Whatever does not fit is recorded, and None returned."""
    if not isinstance(given, Mapping):
        problems.add(name, 'expected { mode = "…", value = … }')
        return None
    for key in sorted(given.keys() - {"mode", "value", "currency"}):
        problems.add(f"{name} {key}", unknown(key, ["mode", "value", "currency"]))
    modes = {str(mode): mode for mode in SizeMode}
    mode = modes.get(given.get("mode", ""))
    if mode is None:
        problems.add(f"{name} mode", f"got {given.get('mode')!r}, expected one of {', '.join(modes)}")
        return None
    most = _HUNDRED if mode.is_percent else _MOST
    value = _number(given.get("value"), most)
    if value is None or (mode is SizeMode.LOTS and value != value.to_integral_value()):
        expected = f"a percentage above 0, of {most} at most" if mode.is_percent else "a number above 0"
        expected = "a whole number of lots" if mode is SizeMode.LOTS else expected
        problems.add(f"{name} value", f"got {given.get('value')!r}, expected {expected}")
        return None
    money = given.get("currency")
    if money is not None and (currency(money, f"{name} currency", problems) is None or mode.is_percent):
        problems.add(f"{name} currency", f"expected none with {mode}")
        return None
    return SizeAsk(mode, value, money)


def currency(given: object, name: str, problems: Problems) -> str | None:
    """Read the code of a currency."""
    if isinstance(given, str) and _CURRENCY.fullmatch(given):
        return given
    problems.add(name, f'got {given!r}, expected a code such as "USD"')
    return None


def prices_of(given: object, name: str, problems: Problems) -> frozenset[tuple[str, str]] | None:
    """Read a list of `EXCHANGE:SYMBOL`, as the broker calls them."""
    places = [_upper(each).partition(":") for each in given] if isinstance(given, list) else []
    if places and all(_EXCHANGE.fullmatch(at) and _NAME.fullmatch(symbol) for at, _, symbol in places):
        return frozenset((at, symbol) for at, _, symbol in places)
    problems.add(name, 'expected a list of "EXCHANGE:SYMBOL"')
    return None


def legs(given: object, name: str, problems: Problems) -> LegTemplate | None:
    """Read the table `legs`. Whatever does not fit is recorded with its key, and None returned."""
    if not isinstance(given, Mapping):
        problems.add(name, "expected a table")
        return None
    for key in sorted(given.keys() - set(_TABLE_KEYS)):
        problems.add(f"{name} {key}", unknown(key, _TABLE_KEYS))
    underlying = _text(
        given.get("underlying"), _NAME, f"{name} underlying", "the name of an underlying", problems
    )
    exchange = _text(
        given.get("exchange"),
        _EXCHANGE,
        f"{name} exchange",
        'where its contracts are, such as "NFO"',
        problems,
    )
    expiry = _expiry(given.get("expiry"), f"{name} expiry", problems)
    names = _names(given.get("names", []), f"{name} names", problems)
    reference = _reference(given.get("reference"), f"{name} reference", problems)
    sides = {
        side: _rules(given.get(side), f"{name} {side}", problems) for side in ("buy", "sell") if side in given
    }
    if not sides:
        problems.add(f"{name} buy", "not set, expected the legs of an alert to buy, or `sell`, or both")
    if underlying is None or exchange is None or expiry is None or not sides or None in sides.values():
        return None
    buy, sell = sides.get("buy") or (), sides.get("sell") or ()
    return LegTemplate(underlying, frozenset({underlying, *names}), exchange, expiry, buy, sell, reference)


def _rules(given: object, name: str, problems: Problems) -> tuple[LegRule, ...] | None:
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_LEGS:
        problems.add(name, f"expected a list of 1 to {_MOST_LEGS} legs")
        return None
    rules = [_rule(each, f"{name} leg {number}", problems) for number, each in enumerate(given, 1)]
    found = tuple(each for each in rules if each is not None)
    if len({each[:2] + each[3:] for each in found}) != len(found):
        problems.add(name, "expected each leg once: raise its lots instead")
        return None
    return found if len(found) == len(rules) else None


def _rule(given: object, name: str, problems: Problems) -> LegRule | None:
    if not isinstance(given, Mapping):
        problems.add(name, 'expected { right = "CE", side = "SELL", strike = "ATM", lots = 1 }')
        return None
    for key in sorted(given.keys() - set(_LEG_KEYS)):
        problems.add(f"{name} {key}", unknown(key, _LEG_KEYS))
    right = _RIGHTS.get(_upper(given.get("right")))
    if right is None:
        problems.add(f"{name} right", f"got {given.get('right')!r}, expected CE, PE or FUT")
    side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(_upper(given.get("side")))
    if side is None:
        problems.add(f"{name} side", f"got {given.get('side')!r}, expected BUY or SELL")
    lots = _number(given.get("lots"), Decimal(10_000))
    if lots is None or lots != lots.to_integral_value():
        problems.add(f"{name} lots", f"got {given.get('lots')!r}, expected a whole number of lots")
        lots = None
    strike = _strike(given.get("strike"), right, f"{name} strike", problems)
    expiry = None if "expiry" not in given else _expiry(given["expiry"], f"{name} expiry", problems)
    if right is None or side is None or lots is None or ("expiry" in given and expiry is None):
        return None
    if (strike is None) is not (right is Kind.FUTURE):
        return None
    return LegRule(right, side, lots, strike, expiry)


def _strike(given: object, right: Kind | None, name: str, problems: Problems) -> StrikeRule | None:
    if right is Kind.FUTURE:
        if given is not None:
            problems.add(name, "expected none: a future has no strike")
        return None
    found = _STRIKE.fullmatch(_upper(given))
    if found is None or (found[2] is not None and int(found[2]) > MOST_STRIKES):
        expected = f"ATM, or ITM1 to ITM{MOST_STRIKES}, or OTM1 to OTM{MOST_STRIKES}"
        problems.add(
            name, f"got {given!r}, expected {expected}; strikes by premium or delta are not built yet"
        )
        return None
    if found[1] is None:
        return StrikeRule(0)
    return StrikeRule(int(found[2]) * (1 if found[1] == "OTM" else -1))


def _expiry(given: object, name: str, problems: Problems) -> ExpiryWord | date | None:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    words = {str(word): word for word in ExpiryWord}
    if isinstance(given, str) and given.lower() in words:
        return words[given.lower()]
    problems.add(name, f"got {given!r}, expected {', '.join(words)}, or a date without quotes")
    return None


def _names(given: object, name: str, problems: Problems) -> list[str]:
    if isinstance(given, list) and all(_NAME.fullmatch(_upper(each)) for each in given):
        return [_upper(each) for each in given]
    problems.add(name, "expected a list of what alerts call the underlying")
    return []


def _reference(given: object, name: str, problems: Problems) -> tuple[str, str] | None:
    if given is None:
        return None
    if isinstance(given, Mapping) and given.keys() == {"exchange", "symbol"}:
        exchange, symbol = _upper(given["exchange"]), _upper(given["symbol"])
        if _EXCHANGE.fullmatch(exchange) and _NAME.fullmatch(symbol):
            return exchange, symbol
    problems.add(name, 'expected { exchange = "…", symbol = "…" }, whose price chooses strikes')
    return None


def _text(
    given: object, pattern: re.Pattern[str], name: str, expected: str, problems: Problems
) -> str | None:
    if pattern.fullmatch(_upper(given)):
        return _upper(given)
    problems.add(
        name, f"got {given!r}, expected {expected}" if given is not None else f"not set, expected {expected}"
    )
    return None


def _upper(value: object) -> str:
    return value.strip().upper() if isinstance(value, str) else ""


def _number(value: object, most: Decimal) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number: Any = Decimal(value)
    if not number.is_finite() or not 0 < number <= most or number % _STEP:
        return None
    return Decimal(number)
