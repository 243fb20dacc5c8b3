"""Upstox's list: one JSON array of everything, packed. Expiries are milliseconds since 1970, ticks are in paise."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TextIO

from broker.masters.cells import RIGHTS, Row, number, text, whole
from domain.instruments.instrument import Instrument, Kind

_SEGMENTS: Mapping[str, str] = {
    "NSE_EQ": "NSE", "BSE_EQ": "BSE", "NSE_FO": "NFO", "BSE_FO": "BFO", "NCD_FO": "CDS", "BCD_FO": "BCD",
    "MCX_FO": "MCX", "NSE_INDEX": "NSE", "BSE_INDEX": "BSE", "MCX_INDEX": "MCX", "NSE_COM": "NCO",
}  # fmt: skip
_PAISE = Decimal(100)
_INDIA = timedelta(hours=5, minutes=30)
_CHUNK = 1 << 16


def objects(stream: TextIO) -> Iterator[tuple[int, Row]]:
    """The objects of a JSON array, one after another, so that the whole file is never held.

    Raises:
        ValueError: it is no array of objects, or ends too early.
    """
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    buffer = stream.read(_CHUNK).lstrip().removeprefix("[")
    count = 0
    while True:
        buffer = buffer.lstrip().removeprefix(",").lstrip()
        if buffer.startswith("]"):
            return
        try:
            found, end = decoder.raw_decode(buffer)
        except json.JSONDecodeError:
            more = stream.read(_CHUNK)
            if not more:
                raise ValueError(f"the file ends within object {count + 1}") from None
            buffer += more
            continue
        if not isinstance(found, dict):
            raise ValueError(f"object {count + 1}: expected an object")
        buffer, count = buffer[end:], count + 1
        yield count, {str(key): "" if value is None else str(value) for key, value in found.items()}


def read(row: Row, file: str) -> Instrument | None:
    """Read one object."""
    segment = text(row, "segment").upper()
    exchange = _SEGMENTS.get(segment)
    if exchange is None:
        raise ValueError(f"segment: {segment} is not known")
    symbol, key = text(row, "trading_symbol"), text(row, "instrument_key")
    if segment.endswith("_INDEX"):
        return Instrument(exchange, symbol, key, Kind.INDEX, symbol)
    lot, tick, named = (
        whole(row, "lot_size"),
        number(row, "tick_size"),
        row.get("instrument_type", "").upper(),
    )
    tick = None if tick is None else tick / _PAISE
    freeze = number(row, "freeze_quantity")
    kind = RIGHTS.get(named) or (Kind.FUTURE if named == "FUT" else Kind.EQUITY)
    if kind is Kind.EQUITY:
        return Instrument(
            exchange, symbol, key, kind, symbol, lot=lot, tick=tick, freeze=freeze, series=named
        )
    expiry = datetime.fromtimestamp(int(whole(row, "expiry")) / 1000, UTC) + _INDIA
    strike = whole(row, "strike_price") if kind.is_option else None
    return Instrument(
        exchange, symbol, key, kind, text(row, "underlying_symbol"), expiry.date(), strike,
        lot=lot, tick=tick, freeze=freeze,
    )  # fmt: skip
