"""The lists of the brokers on Noren: one CSV for each segment, `NFO_symbols.txt` or under a broker's own names."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from broker.masters.cells import RIGHTS, Row, day, number, text, whole
from domain.instruments.instrument import Instrument, Kind
from domain.money import decimal_text

COLUMNS = {"token", "lotsize", "symbol", "tradingsymbol", "instrument"}
"""Which every one of these files has."""

_FILES: Mapping[str, str] = {  # a broker's files that name no exchange in their rows
    "nseequity": "NSE", "bseequity": "BSE", "nfoequityderivatives": "NFO", "nfoindexderivatives": "NFO",
    "bfoequityderivatives": "BFO", "bfoindexderivatives": "BFO", "currencyderivatives": "CDS", "commodity": "MCX",
}  # fmt: skip
_CASH = ("NSE", "BSE")
_INDEX = ("INDEX", "UNDIND")
_UNDERLYING = ("UNDCUR", "UNDIRC", "UNDIRT", "UNDIRD")  # of contracts, without being one
_TEST = "NSETEST"
_PRODUCT = re.compile(r"(OPT|FUT)$")
_CODES = {"BSX": "SENSEX", "BKX": "BANKEX"}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_RUPEE = Decimal(1)


def read(row: Row, file: str) -> Instrument | None:
    """Read one row."""
    exchange = row.get("exchange", "") or _FILES.get(
        re.sub(r"[^a-z]", "", file.rsplit(".", 1)[0].lower()), ""
    )
    if not exchange:
        raise ValueError("exchange: expected a column of that name, or a file name that says which")
    exchange = exchange.upper()
    expiry, instrument = row.get("expiry", ""), row.get("instrument", "").upper()
    if _TEST in row.get("symbol", "").upper() or (not expiry and instrument in _UNDERLYING):
        return None
    return _share(row, exchange) if exchange in _CASH and not expiry else _contract(row, exchange)


def _share(row: Row, exchange: str) -> Instrument:
    symbol, name = text(row, "tradingsymbol"), text(row, "symbol")
    instrument = row.get("instrument", "").upper()
    is_index = instrument in _INDEX
    series = "" if is_index else _series(symbol, instrument) if exchange == "NSE" else instrument
    return Instrument(
        exchange,
        symbol,
        text(row, "token"),
        Kind.INDEX if is_index else Kind.EQUITY,
        name,
        lot=None if is_index else whole(row, "lotsize"),
        tick=None if is_index else _tick(row, exchange),
        series=series,
    )


def _series(symbol: str, instrument: str) -> str:
    """The series stands behind the last dash of the trading symbol, and in most files in a column too."""
    return symbol.rpartition("-")[2].upper() if "-" in symbol else instrument


def _contract(row: Row, exchange: str) -> Instrument:
    symbol, expiry = text(row, "tradingsymbol"), day(row, "expiry")
    right = row.get("optiontype", "").upper()
    kind = RIGHTS.get(right, Kind.FUTURE)
    if kind is Kind.FUTURE and right not in ("XX", "FUT", ""):
        raise ValueError(f"optiontype: expected CE, PE or XX, got {right!r}")
    instrument = row.get("instrument", "").upper()
    if kind is Kind.FUTURE and instrument.startswith("OPT"):
        raise ValueError(f"optiontype: expected CE or PE of {instrument}, got {right!r}")
    strike = None
    if kind.is_option:
        strike = whole(row, "strikeprice" if "strikeprice" in row else "strike")
    underlying = text(row, "symbol")
    if exchange in ("BFO", "BCD"):
        underlying = _underlying(symbol, underlying, expiry, strike, right)
    return Instrument(
        exchange, symbol, text(row, "token"), kind, underlying, expiry, strike,
        lot=whole(row, "lotsize"), tick=_tick(row, exchange), multiplier=number(row, "multiplier"),
    )  # fmt: skip


def _underlying(symbol: str, code: str, expiry: date, strike: Decimal | None, right: str) -> str:
    """What BSE's rows call `Symbol` is a product code (`BSXOPT`): the trading symbol begins with the underlying.

    What follows there is this row's own expiry, strike and right, so that nothing has to be guessed.
    """
    year = f"{expiry.year % 100:02}"
    month = f"{year}{_MONTHS[expiry.month - 1]}"
    week = f"{year}{'123456789OND'[expiry.month - 1]}{expiry.day:02}"
    end = "FUT" if strike is None else f"{decimal_text(strike)}{right}"
    for tail in (f"{month}{end}", f"{week}{end}"):
        if symbol.upper().endswith(tail) and len(symbol) > len(tail):
            return symbol[: -len(tail)]
    product = _PRODUCT.sub("", code.upper())
    return _CODES.get(product, product)


def _tick(row: Row, exchange: str) -> Decimal | None:
    """The tick in rupees; None where it may as well be in paise.

    Some files of NSE and BSE have had paise in this column. There a tick of a rupee or more is rare, and one in the
    wrong unit would refuse good prices: what is not certain is left to the broker to judge.
    """
    tick = number(row, "ticksize")
    if tick is not None and tick >= _RUPEE and exchange in ("NSE", "BSE", "NFO", "BFO"):
        return None
    return tick
