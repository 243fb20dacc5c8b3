"""The operator's command that registers a kept alert anew: first what it would do now, then for good."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.system import operator_name
from cli_output import Refused
from domain.errors import InvalidAlert
from domain.money import decimal_text
from domain.order import Order
from domain.replays import ReplayRefused, verdict_of

if TYPE_CHECKING:
    from alerts.replaying import Replayer


def replay_alert(options: argparse.Namespace, replays: "Replayer", confirmed: Callable[[str], bool]) -> int:
    """Show what the alert would do now, ask, and register it. What it says is what the preview found, not a promise.

    Args:
        confirmed: asks the operator, and returns the answer.
    """
    try:
        shown = replays.preview(options.id)
        for leg in shown.receipt.legs:
            print(f"would: {_told(leg)}")
        if shown.receipt.message:
            print(f"would: {shown.receipt.message}")
        for each in shown.receipt.not_traded:
            print(f"would not be traded by {each.client_id}: {each.message}")
        if not options.yes and not confirmed("register it now?"):
            print("nothing was registered")
            return 1
        done = replays.replay(options.id, shown.number, by=operator_name(), reason=options.reason)
    except (ReplayRefused, InvalidAlert) as error:
        raise Refused(f"{options.id} is not replayed: {error}") from None
    print(f"registered as alert {done.receipt.alert_id}: {done.receipt.outcome}")
    for leg in done.receipt.legs:
        print(f"{leg.command_id} {leg.status} {leg.tag or ''}".rstrip())
    return 0


def _told(leg: Order) -> str:
    quantity = decimal_text(leg.quantity) if leg.quantity else "all"
    return f"{leg.side} {quantity} {leg.symbol} of {leg.strategy_name} for {leg.client_id} {verdict_of(leg)}"
