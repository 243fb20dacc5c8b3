"""Shares that were delivered to a user on earlier days: `POST /_deliver` sets them, `Holdings` shows them."""

import threading
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from broker.simulator.words import Instrument
from domain.money import decimal_text

HoldingsRow = dict[str, object]
"""A row of `Holdings`. Unlike the rows of other books it contains a list: where the share is listed."""

_Place = tuple[str, str]


class Delivered:
    """The shares delivered to each user. A day's sales show in `usedqty` until the night deducts them."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._lock = threading.Lock()
        self._units: dict[str, dict[tuple[_Place, ...], Decimal]] = {}
        for record in records:
            if record["kind"] == "delivered":
                self.take(record)

    def take(self, record: Mapping[str, Any]) -> None:
        """Set a user's units of a share, replacing what was there. The share may be listed at several places."""
        places = tuple((exch, tsym) for exch, tsym in record["listed"])
        with self._lock:
            self._units.setdefault(record["uid"], {})[places] = Decimal(record["quantity"])

    def rows(
        self,
        uid: str,
        known: Mapping[_Place, Instrument],
        sold: Mapping[_Place, Decimal],
        carried: Mapping[_Place, Decimal],
    ) -> list[HoldingsRow]:
        """Return the user's rows: the delivered shares, and `carried`, what was bought for delivery before today.

        `usedqty` shows how much of them was sold today.
        """
        with self._lock:
            units = dict(self._units.get(uid, {}))
        for place, quantity in carried.items():
            units[(place,)] = units.get((place,), Decimal(0)) + quantity
        return [
            {
                "stat": "Ok",
                "exch_tsym": [
                    {
                        "exch": exch,
                        "tsym": tsym,
                        "token": known[exch, tsym].token if (exch, tsym) in known else "",
                    }
                    for exch, tsym in places
                ],
                "holdqty": decimal_text(quantity),
                "dpqty": "0",
                "btstqty": "0",
                "usedqty": decimal_text(sum((sold.get(place, Decimal(0)) for place in places), Decimal(0))),
                "upldprc": "0.00",
            }
            for places, quantity in units.items()
            if quantity > 0
        ]
