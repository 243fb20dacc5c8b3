"""Dhan's list, compact and detailed: one CSV of everything. Its ticks are in paise, those of indexes left out.

The list's own names of contracts have a month and no day, so that weekly contracts share one. A contract is called by
that name with its day in it (`dated`), as Dhan itself calls those of MCX: `NIFTY-21JUL2026-24000-CE`.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from broker.masters.cells import RIGHTS, Row, day, number, text, whole
from domain.instruments.instrument import Instrument, Kind

COMPACT = {"semexmexchid", "semsegment", "semsmstsecurityid", "semtradingsymbol"}
DETAILED = {"exchid", "segment", "securityid", "instrument", "underlyingsymbol"}

_EXCHANGES: Mapping[tuple[str, str], str] = {
    ("NSE", "E"): "NSE", ("NSE", "D"): "NFO", ("NSE", "C"): "CDS", ("NSE", "I"): "NSE", ("NSE", "M"): "NCO",
    ("BSE", "E"): "BSE", ("BSE", "D"): "BFO", ("BSE", "C"): "BCD", ("BSE", "I"): "BSE", ("MCX", "M"): "MCX",
}  # fmt: skip
_MONTH = re.compile(r"-(?P<month>[A-Z]{3}\d{4})(?=-|$)")
_TEST = "NSETEST"
_PAISE = Decimal(100)


def is_dated(symbol: str) -> bool:
    """False for a name that has a month without its day, as contracts of several weeks do."""
    return _MONTH.search(symbol.upper()) is None


def dated(symbol: str, expiry: date) -> str:
    """Return a contract's name with the day of its expiry, in capitals; a name that has no month stays as it is.

    Raises:
        ValueError: the name is of another month.
    """
    name = symbol.upper()
    found = _MONTH.search(name)
    if found is None:
        return name
    if found["month"] != f"{expiry:%b%Y}".upper():
        raise ValueError(f"{symbol} does not expire on {expiry}")
    return f"{name[: found.start()]}-{expiry:%d}{name[found.start() + 1 :]}"


def read_compact(row: Row, file: str) -> Instrument | None:
    """Read a row of the compact list.

    Its trading symbol has no day (`NIFTY-Jul2026-24000-CE`): weeklies share it.
    """
    symbol = text(row, "semtradingsymbol")
    same = {
        "exchange": text(row, "semexmexchid"),
        "segment": text(row, "semsegment"),
        "token": text(row, "semsmstsecurityid"),
        "symbol": symbol,
        "underlying": symbol.partition("-")[0] if row.get("semsegment") != "E" else symbol,
        "instrument": text(row, "seminstrumentname"),
        "lot": row.get("semlotunits", ""),
        "expiry": row.get("semexpirydate", ""),
        "strike": row.get("semstrikeprice", ""),
        "right": row.get("semoptiontype", ""),
        "tick": row.get("semticksize", ""),
        "series": row.get("semseries", ""),
    }
    if same["instrument"].startswith(
        ("OPT", "FUT")
    ):  # a name with a dash of its own: what follows has fixed parts
        parts = 3 if same["instrument"].startswith("OPT") else 2
        same["underlying"] = symbol.rsplit("-", parts)[0]
    return _instrument(same)


def read_detailed(row: Row, file: str) -> Instrument | None:
    """Read a row of the detailed list."""
    is_contract = text(row, "instrument").startswith(("OPT", "FUT"))
    symbol = text(row, "symbolname" if "symbolname" in row else "displayname")
    if not is_contract and row["segment"].upper() == "E":  # the symbol's name is the company's
        symbol = row.get("underlyingsymbol") or symbol
    return _instrument(
        {
            "exchange": text(row, "exchid"),
            "segment": text(row, "segment"),
            "token": text(row, "securityid"),
            "symbol": symbol,
            "underlying": text(row, "underlyingsymbol")
            if is_contract
            else row.get("underlyingsymbol") or symbol,
            "instrument": text(row, "instrument"),
            "lot": row.get("lotsize", ""),
            "expiry": row.get("smexpirydate", ""),
            "strike": row.get("strikeprice", ""),
            "right": row.get("optiontype", ""),
            "tick": row.get("ticksize", ""),
            "series": row.get("series", ""),
            "freeze": row.get("smfreezeqty", ""),
        }
    )


def _instrument(row: Row) -> Instrument | None:
    if _TEST in row["symbol"].upper():
        return None
    place = _EXCHANGES.get((row["exchange"].upper(), row["segment"].upper()))
    if place is None:
        raise ValueError(f"segment: {row['exchange']} {row['segment']} is not known")
    if row["segment"].upper() == "I":
        return Instrument(place, row["symbol"], row["token"], Kind.INDEX, row["underlying"])
    tick, lot = number(row, "tick"), whole(row, "lot")
    tick = None if tick is None else tick / _PAISE
    if not row["instrument"].startswith(("OPT", "FUT")):
        return Instrument(
            place, row["symbol"], row["token"], Kind.EQUITY, row["underlying"], lot=lot, tick=tick,
            series=row["series"].upper(),
        )  # fmt: skip
    kind = RIGHTS.get(row["right"].upper(), Kind.FUTURE)
    if kind is Kind.FUTURE and row["instrument"].startswith("OPT"):
        raise ValueError(f"option type: expected CE or PE, got {row['right']!r}")
    expiry = day(row, "expiry")
    return Instrument(
        place, dated(row["symbol"], expiry), row["token"], kind, row["underlying"], expiry,
        whole(row, "strike") if kind.is_option else None, lot=lot, tick=tick, freeze=number(row, "freeze"),
    )  # fmt: skip
