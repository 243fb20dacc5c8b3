"""Zerodha's list: one CSV of everything, `GET /instruments`."""

from broker.masters.cells import RIGHTS, Row, day, number, text, whole
from domain.instruments.instrument import Instrument, Kind

COLUMNS = {"instrumenttoken", "exchangetoken", "tradingsymbol", "instrumenttype", "segment", "exchange"}


def read(row: Row, file: str) -> Instrument | None:
    """Read one row. A token is used again for another contract later: it is this day's alone."""
    exchange, symbol = text(row, "exchange").upper(), text(row, "tradingsymbol")
    named, token = row.get("instrumenttype", "").upper(), text(row, "instrumenttoken")
    kind = RIGHTS.get(named) or (Kind.FUTURE if named == "FUT" else Kind.EQUITY)
    if row.get("segment", "").upper() == "INDICES":
        return Instrument(exchange, symbol, token, Kind.INDEX, symbol)
    if kind is Kind.EQUITY:
        name, dash, series = symbol.rpartition("-")
        is_series = bool(dash) and series in (
            "BE",
            "BZ",
            "SM",
            "ST",
            "GB",
            "GS",
            "SG",
            "IV",
            "RR",
            "MF",
            "BL",
            "N1",
            "N2",
        )
        return Instrument(
            exchange, symbol, token, kind, name if is_series else symbol,
            lot=whole(row, "lotsize"), tick=number(row, "ticksize"),
            series=series if is_series else "EQ" if exchange == "NSE" else "",
        )  # fmt: skip
    return Instrument(
        exchange, symbol, token, kind, text(row, "name"), day(row, "expiry"),
        whole(row, "strike") if kind.is_option else None, lot=whole(row, "lotsize"), tick=number(row, "ticksize"),
    )  # fmt: skip
