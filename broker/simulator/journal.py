"""The journal: every order that was taken and what became of it, as lines of JSON that others may read.

A line is written before its request is answered, and it is whole or absent. It survives a kill of the process at any
instruction. There is no fsync, so a power loss may take the last lines. The lines are:

- `order`: a `PlaceOrder` that was taken: `at`, `norenordno`, `remarks`, and the order's fields;
- `fill`: a trade: `flid`, `flqty`, `flprc`, and the order after it (`status`, `fillshares`, …);
- `status`: any other change of an order;
- `received`: a `PlaceOrder` that the front end kept back for `seconds`; its `order`, with the same `remarks`, may
  follow;
- `converted`: units that changed their product (`prd` to `to`): `qty`, negative where they are short, and the `price`;
- `refused`: a `PlaceOrder` that was answered `Not_Ok`: `remarks`, `emsg`. No order came of it;
- `delivered`: shares of earlier days: the `quantity` that a user has of a share, and where it is `listed`;
- `mark`, `instrument`, `session`, `logout`: what else a restart needs.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from broker.simulated_exchange.model import Mark, SimOrder
from broker.simulator.words import (
    PRICE_TYPE_OF,
    PRICE_TYPES,
    Conversion,
    Instrument,
    OrderTerms,
    Trade,
    Version,
)
from domain.broker_reports import BrokerStatus
from domain.enums import Side
from domain.money import decimal_text, optional_decimal, optional_text
from domain.times import parse_time, time_text

Record = dict[str, Any]

_TICKET_FIELDS = tuple(f.name for f in fields(OrderTerms))


class EventLog:
    """An append-only file of records, safe to share between threads. Without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        """Open the file, creating it if it is missing. A last line that a kill cut short is removed.

        Raises:
            OSError: the file cannot be opened.
        """
        self._path = path
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 -- open as long as the broker is
            self._file.truncate(path.read_bytes().rfind(b"\n") + 1)

    def records(self) -> Iterator[Record]:
        """Yield the records written so far.

        Raises:
            ValueError: a line is not a record.
        """
        if self._path is not None:
            with open(self._path, "rb") as lines:
                yield from map(json.loads, lines)

    def append(self, records: Iterable[Record]) -> None:
        """Write the records as one piece.

        Raises:
            OSError, ValueError: they could not be written, or the journal is closed.
        """
        if self._file is not None:
            text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
            content = memoryview(text.encode())
            with self._lock:
                while content:
                    content = content[self._file.write(content) :]

    def close(self) -> None:
        """Close the file. From then on nothing can be recorded, and so nothing acknowledged."""
        if self._file is not None:
            with self._lock:
                self._file.close()


def order_record(ticket: OrderTerms, version: Version) -> Record:
    """The record of an order that was taken, in its first version."""
    return {"kind": "order", **asdict(ticket), **_order_part(version)}


def version_record(ticket: OrderTerms, version: Version) -> Record:
    """The record of a later version of an order."""
    names = {"norenordno": ticket.norenordno, "remarks": ticket.remarks}
    if version.trade is None:
        return {"kind": "status", **names, **_order_part(version)}
    trade = version.trade
    fill = {"flid": trade.flid, "flqty": decimal_text(trade.quantity), "flprc": decimal_text(trade.price)}
    return {"kind": "fill", **names, **fill, **_order_part(version)}


def mark_record(exch: str, tsym: str, mark: Mark) -> Record:
    """The record of a symbol's last price, and of how many units still trade there."""
    return {
        "kind": "mark",
        "exch": exch,
        "tsym": tsym,
        "price": decimal_text(mark.price),
        "available": optional_text(mark.available),
        "firm": mark.firm,
    }


def instrument_record(instrument: Instrument) -> Record:
    """The record of a symbol that is new, or whose lot or tick has changed."""
    return {
        "kind": "instrument",
        "exch": instrument.exch,
        "tsym": instrument.tsym,
        "token": instrument.token,
        "ls": decimal_text(instrument.ls),
        "ti": decimal_text(instrument.ti),
    }


def ticket_in(record: Mapping[str, Any]) -> OrderTerms:
    """The order terms in an `order` record."""
    return OrderTerms(**{name: record[name] for name in _TICKET_FIELDS})


def version_in(record: Mapping[str, Any], ticket: OrderTerms) -> Version:
    """The version in an `order`, `fill` or `status` record."""
    order = SimOrder(
        sequence=ticket.sequence,
        product=ticket.prd,
        side=Side(record["side"]),
        order_type=PRICE_TYPES[record["prctyp"]],
        quantity=Decimal(record["qty"]),
        price=optional_decimal(record["prc"]),
        trigger_price=optional_decimal(record["trgprc"]),
        status=BrokerStatus(record["status"]),
        filled_quantity=Decimal(record["fillshares"]),
        filled_value=Decimal(record["filled_value"]),
        reason=record["rejreason"],
    )
    trade = None
    if record["kind"] == "fill":
        trade = Trade(record["flid"], Decimal(record["flqty"]), Decimal(record["flprc"]))
    return Version(parse_time(record["at"]), record["report"], order, trade)


def converted_record(conversion: Conversion) -> Record:
    """The record of units that changed their product."""
    return {
        "kind": "converted",
        "at": time_text(conversion.at),
        "uid": conversion.uid,
        "exch": conversion.exch,
        "tsym": conversion.tsym,
        "prd": conversion.prd,
        "to": conversion.to,
        "qty": decimal_text(conversion.quantity),
        "price": decimal_text(conversion.price),
    }


def converted_in(record: Mapping[str, Any]) -> Conversion:
    """The conversion in a `converted` record."""
    names = {name: record[name] for name in ("uid", "exch", "tsym", "prd", "to")}
    quantity, price = Decimal(record["qty"]), Decimal(record["price"])
    return Conversion(at=parse_time(record["at"]), quantity=quantity, price=price, **names)


def mark_in(record: Mapping[str, Any]) -> Mark:
    """The mark in a `mark` record."""
    return Mark(Decimal(record["price"]), optional_decimal(record["available"]), record["firm"])


def instrument_in(record: Mapping[str, Any]) -> Instrument:
    """The instrument in an `instrument` record."""
    lot, tick = Decimal(record["ls"]), Decimal(record["ti"])
    return Instrument(record["exch"], record["tsym"], record["token"], lot, tick)


def _order_part(version: Version) -> Record:
    order = version.order
    return {
        "at": time_text(version.at),
        "report": version.report,
        "side": order.side.value,
        "prctyp": PRICE_TYPE_OF[order.order_type],
        "qty": decimal_text(order.quantity),
        "prc": optional_text(order.price),
        "trgprc": optional_text(order.trigger_price),
        "status": order.status.value,
        "fillshares": decimal_text(order.filled_quantity),
        "filled_value": decimal_text(order.filled_value),
        "rejreason": order.reason,
    }
