"""The receipt for the sender of an alert: its legs are durable, and these are their states."""

from dataclasses import dataclass
from typing import NamedTuple

from domain.cancel_by_alert import EntryCancel
from domain.enums import Outcome
from domain.order import Order


class NotTraded(NamedTuple):
    """What a client of several does not trade of the alert: all of it, or its entries. `message` says why."""

    client_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The durable outcome of one delivery.

    - `alert_id`: the first delivery's id where this one is a duplicate.
    - `legs`: this delivery's own rows; those of a duplicate are FAILED.
    - `originals`: the first delivery's rows, leg by leg, where there is one.
    - `not_traded`: what clients of several have no legs for.
    - `cancels`: the entries that an alert takes back, which has no legs; None where it takes none back. `message` says
      what became of them.
    """

    alert_id: str
    outcome: Outcome
    legs: tuple[Order, ...]
    originals: tuple[Order, ...] = ()
    not_traded: tuple[NotTraded, ...] = ()
    cancels: tuple[EntryCancel, ...] | None = None
    message: str = ""
