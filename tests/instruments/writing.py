"""How platforms write the names of instruments. Written from their rules alone: nothing of the program is used."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from domain.instruments.instrument import Instrument, Kind

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
LETTERS = "FGHJKMNQUVXZ"
WHOLE = {"NFO": "NSE", "CDS": "NSE", "BFO": "BSE"}
CODES = {"SENSEX": "BSX", "BANKEX": "BKX"}

Named = tuple[str, str] | None
"""The exchange that the platform's alert names, and the name; None where it has none for this instrument."""


def number(value: Decimal | None) -> str:
    text = f"{value:f}" if value is not None else ""
    return text.rstrip("0").rstrip(".") if "." in text else text


def dated(day: date) -> str:
    return f"{day.day:02}{MONTHS[day.month - 1]}{day.year % 100:02}"


def tradingview(row: Instrument, *, is_last: bool) -> Named:
    root = "".join(sign if sign.isalnum() else "_" for sign in row.underlying)
    exchange = WHOLE.get(row.exchange, row.exchange)
    if row.kind is Kind.EQUITY:
        return (exchange, f"{exchange}:{root}") if row.series in ("EQ", "A", "B", "X") else None
    assert row.expiry is not None
    root = CODES.get(root, root) if exchange == "BSE" else root
    if row.kind is Kind.FUTURE:
        code = f"{exchange}:{root}{LETTERS[row.expiry.month - 1]}{row.expiry.year}"
        return (exchange, code) if is_last else None
    day = f"{row.expiry:%y%m%d}"
    return exchange, f"{exchange}:{root}{day}{'C' if row.kind is Kind.CALL else 'P'}{number(row.strike)}"


def zerodha(row: Instrument, *, is_last: bool) -> Named:
    if row.kind is Kind.EQUITY:
        return row.exchange, row.underlying + (
            f"-{row.series}" if row.exchange == "NSE" and row.series != "EQ" else ""
        )
    assert row.expiry is not None
    year, end = (
        f"{row.expiry.year % 100:02}",
        "FUT" if row.kind is Kind.FUTURE else f"{number(row.strike)}{row.kind}",
    )
    if is_last:
        return row.exchange, f"{row.underlying}{year}{MONTHS[row.expiry.month - 1]}{end}"
    return (
        row.exchange,
        f"{row.underlying}{year}{'123456789OND'[row.expiry.month - 1]}{row.expiry.day:02}{end}",
    )


def fyers(row: Instrument, *, is_last: bool) -> Named:
    named = zerodha(row, is_last=is_last)
    assert named is not None
    exchange = WHOLE.get(row.exchange, row.exchange)
    series = f"-{row.series}" if row.kind is Kind.EQUITY else ""
    return exchange, f"{exchange}:{row.underlying if series else named[1]}{series}"


def openalgo(row: Instrument, *, is_last: bool) -> Named:
    if row.kind is Kind.EQUITY:
        return (row.exchange, row.underlying) if row.series in ("EQ", "A", "B", "X") else None
    assert row.expiry is not None
    end = "FUT" if row.kind is Kind.FUTURE else f"{number(row.strike)}{row.kind}"
    return row.exchange, f"{row.underlying}{dated(row.expiry)}{end}"


def angel(row: Instrument, *, is_last: bool) -> Named:
    if row.kind is Kind.EQUITY and row.exchange == "NSE":
        return row.exchange, f"{row.underlying}-{row.series}"
    return openalgo(row, is_last=is_last)


def noren(row: Instrument, *, is_last: bool) -> Named:
    if row.exchange in ("BSE", "BFO"):  # the exchange's own names
        return zerodha(row, is_last=is_last)
    if row.kind is Kind.EQUITY:
        return row.exchange, f"{row.underlying}-{row.series}"
    assert row.expiry is not None
    end = "F" if row.kind is Kind.FUTURE else f"{'C' if row.kind is Kind.CALL else 'P'}{number(row.strike)}"
    if row.exchange == "MCX" and row.kind is Kind.FUTURE:
        end = ""
    return row.exchange, f"{row.underlying}{dated(row.expiry)}{end}"


def dhan(row: Instrument, *, is_last: bool) -> Named:
    if row.kind is Kind.EQUITY:
        return openalgo(row, is_last=is_last)
    assert row.expiry is not None
    month = f"{MONTHS[row.expiry.month - 1].title()}{row.expiry.year}"
    end = "FUT" if row.kind is Kind.FUTURE else f"{number(row.strike)}-{row.kind}"
    return row.exchange, f"{row.underlying}-{month}-{end}"


def upstox(row: Instrument, *, is_last: bool) -> Named:
    if row.kind is Kind.EQUITY:
        return openalgo(row, is_last=is_last)
    assert row.expiry is not None
    day = f"{row.expiry.day:02} {MONTHS[row.expiry.month - 1]} {row.expiry.year % 100:02}"
    what = "FUT" if row.kind is Kind.FUTURE else f"{number(row.strike)} {row.kind}"
    return row.exchange, f"{row.underlying} {what} {day}"


def occ(row: Instrument, *, is_last: bool) -> Named:
    if not row.kind.is_option or row.expiry is None or row.strike is None:
        return None
    day = f"{row.expiry:%y%m%d}"
    return (
        row.exchange,
        f"{row.underlying:<6}{day}{'C' if row.kind is Kind.CALL else 'P'}{int(row.strike * 1000):08}",
    )


def ccxt(row: Instrument, *, is_last: bool) -> Named:
    base, slash, quote = row.underlying.partition("/")
    if not slash:
        return None
    if row.kind is Kind.SPOT:
        return row.exchange, f"{base}/{quote}"
    name = f"{base}/{quote}:{quote}"
    if row.kind is Kind.PERPETUAL:
        return row.exchange, name
    assert row.expiry is not None
    end = "" if row.kind is Kind.FUTURE else f"-{number(row.strike)}-{'C' if row.kind is Kind.CALL else 'P'}"
    return row.exchange, f"{name}-{row.expiry:%y%m%d}{end}"


Write = Callable[..., Named]
DIALECTS: Mapping[str, Write] = {
    "tradingview": tradingview, "zerodha": zerodha, "fyers": fyers, "openalgo": openalgo, "angel": angel,
    "noren": noren, "dhan": dhan, "upstox": upstox,
}  # fmt: skip
"""Those that name instruments of India."""
ABROAD: Mapping[str, Write] = {"occ": occ, "ccxt": ccxt}
