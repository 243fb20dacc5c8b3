"""Replays: a kept alert that a person has registered anew. Which alerts may be, and when two clicks are one. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from domain.alert import ParsedAlert
from domain.enums import Outcome
from domain.errors import OrderwatchError
from domain.order import Order
from domain.reason_codes import sentence_of
from domain.receipt import Receipt
from domain.states import Status

_SIGNAL = re.compile(r"replay-(?P<number>[1-9]\d*)-of-(?P<alert>.+)", re.DOTALL)


class ReplayRefused(OrderwatchError):
    """The alert is not registered anew; the text says why."""


class Kept(NamedTuple):
    """What is kept of the alert that its sender delivered."""

    alert_id: str
    received_at: datetime
    outcome: Outcome


class Replayed(NamedTuple):
    """The receipt of a replay, and its number among those of its alert."""

    receipt: Receipt
    number: int


def replay_signal(alert_id: str, number: int) -> str:
    """Return the signal id of an alert's replay, counted from 1.

    It names the replay and nothing else, so that the same one is registered once, however often it is asked for.
    """
    return f"replay-{number}-of-{alert_id}"


def kept_signal(alert: ParsedAlert) -> str | None:
    """Return the signal id that is kept of an alert: that of its sender, or what tells one replay from another."""
    return (
        alert.signal_id if alert.replay is None else replay_signal(alert.replay.alert_id, alert.replay.number)
    )


def delivered_alert(alert_id: str, signal_id: str | None) -> str:
    """Return the alert that a sender delivered: the one of which this is a replay, or itself."""
    found = _SIGNAL.fullmatch(signal_id or "")
    return found["alert"] if found else alert_id


def hindrance_to_replay(legs: Sequence[Order]) -> str | None:
    """Explain why an alert with these legs must not be registered anew; None when it may.

    Each leg has to have ended without ever having been sent. What was sent once may be held, and would be traded twice.
    """
    for leg in legs:
        if leg.attempts or leg.sent_at is not None or leg.broker_order_id is not None:
            return f"its order {leg.short_id} ({leg.side} {leg.symbol}) was sent to the broker"
        if leg.status is not Status.FAILED:
            return f"its order {leg.short_id} ({leg.side} {leg.symbol}) has not ended and may still be sent"
    return None


def verdict_of(leg: Order) -> str:
    """Say what becomes of a leg as it was registered."""
    if leg.status is not Status.FAILED:
        return "is sent as soon as its turn comes"
    detail = f" ({leg.reason_detail})" if leg.reason_detail else ""
    return f"is blocked: {sentence_of(leg.tag)}{detail}"
