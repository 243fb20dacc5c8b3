"""What the sender of an alert is told: its legs are durable, and this is how they stand."""

from dataclasses import dataclass

from domain.alert import Outcome
from domain.order import Order


@dataclass(frozen=True, slots=True)
class Receipt:
    """The durable outcome of one delivery.

    `alert_id` is the first delivery's where this one is a duplicate; `legs` are this delivery's own rows
    (a duplicate's stand FAILED), and `originals` the first delivery's rows, leg by leg, where there is one.
    """

    alert_id: str
    outcome: Outcome
    legs: tuple[Order, ...]
    originals: tuple[Order, ...] = ()
