"""Shares that were delivered to a user on earlier days, as `Holdings` shows them and `POST /_deliver` brings them."""

import threading
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from broker.simulator.words import Instrument
from domain.money import decimal_text

HoldingsRow = dict[str, object]
"""A row of `Holdings`: unlike those of other books it has a list in it, of where the share is listed."""

_Place = tuple[str, str]


class Delivered:
    """What was delivered to whom. A day's sales are told in `usedqty`, until the night takes them off."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._lock = threading.Lock()
        self._units: dict[str, dict[tuple[_Place, ...], Decimal]] = {}
        for record in records:
            if record["kind"] == "delivered":
                self.take(record)

    def take(self, record: Mapping[str, Any]) -> None:
        """Let the user have so many units of a share, which may be listed at several places, whatever there was."""
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
        """The user's rows: what was delivered to him, and `carried`, what he had bought for delivery before today.

        Of what was sold out of them today, so much is told as used.
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
