"""The operator's commands on strategies' holdings: adopt units, and find the exits that close all open positions."""

import argparse
import contextlib
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from app.system import operator_name
from cli_output import Refused
from domain.adoption import AdoptionRequest
from domain.errors import StoreUnavailable
from domain.flatten import unheld_parts
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


class Exit(NamedTuple):
    """An exit of what one strategy holds of a position, or of what no strategy holds."""

    client_id: str
    exchange: str
    symbol: str
    product: str
    strategy_name: str
    quantity: Decimal  # as last known: the exit itself is sized by the position it finds

    def __str__(self) -> str:
        """Describe for people what would be sent."""
        where = f"{self.exchange} {self.symbol} {self.product}"
        return f"exit {self.client_id} {self.strategy_name}: {decimal_text(self.quantity)} {where}"


def exits_of(services: "Services", client_id: str, symbol: str | None) -> Iterator[Exit]:
    """Yield, for each position, an exit for every strategy that holds a part of it, and one for what no strategy holds.

    One exit for a position is not enough: it leaves alone what other strategies than its own hold. Shares that were
    delivered on earlier days and that no strategy holds are somebody's savings. They are exited only when their symbol
    is named.

    Raises:
        Refused: the client's positions were never read.
    """
    snapshot = services.store.saved_positions(client_id)
    if snapshot is None:
        raise Refused(f"the positions of {client_id} were never read: start the service first")
    holdings = services.store.holdings(client_id)
    for p in snapshot.positions:
        if not p.net_quantity or symbol not in (None, p.symbol):
            continue
        for h in holdings:
            same = (h.exchange, h.symbol, h.product) == (p.exchange, p.symbol, p.product)
            if same and h.net_quantity * p.net_quantity > 0:
                yield Exit(client_id, p.exchange, p.symbol, p.product, h.strategy_name, abs(h.net_quantity))
    for part in unheld_parts(client_id, snapshot, holdings, symbol):
        yield Exit(
            client_id, part.exchange, part.symbol, part.product, part.strategy_name, abs(part.quantity)
        )
