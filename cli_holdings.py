"""The operator's commands on strategies' holdings: adopt units, and say what an exit would close."""

import argparse
import contextlib
from typing import TYPE_CHECKING

from app.system import operator_name
from domain.adoption import AdoptionRequest
from domain.errors import StoreUnavailable
from domain.flatten import Part
from domain.halt_warning import never_seen
from domain.money import decimal_text

if TYPE_CHECKING:
    from app.container import Services


def adopt_units(options: argparse.Namespace, services: "Services", client_id: str) -> int:
    """Make units of the account that no strategy holds the holding of the named strategy; prints what follows."""
    request = AdoptionRequest(
        client_id=client_id,
        symbol=options.symbol,
        strategy_name=options.strategy,
        quantity=options.quantity,
        by=operator_name(),
        reason=options.reason,
        exchange=options.exchange,
        product=options.product,
    )
    done = services.commands.adopt(request)
    print(f"adopted: {done.means}.")
    with contextlib.suppress(StoreUnavailable):  # the adoption is stored: a note must not fail it
        note = never_seen(done.strategy_name, services.database.strategies(client_id))
        if note is not None:
            print(f"note: {note}")
    return 0


def exit_text(part: Part) -> str:
    """Describe for people the exit of a part of what is open. Its quantity is what was last known."""
    where = f"{part.exchange} {part.symbol} {part.product}"
    return f"exit {part.client_id} {part.strategy_name}: {decimal_text(abs(part.quantity))} {where}"
