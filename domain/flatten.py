"""What is open, in the parts in which it is exited: each strategy's own, and what no strategy holds. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from domain.broker_reports import PositionsSnapshot
from domain.exit_sizing import OPERATOR
from domain.money import ZERO
from domain.risk_facts import Holding


class Part(NamedTuple):
    """A part of what is open in one symbol. `product` empty: any. `quantity`: signed units, as last known."""

    client_id: str
    strategy_name: str
    exchange: str
    symbol: str
    product: str
    quantity: Decimal


def parts_to_flatten(
    client_id: str,
    snapshot: PositionsSnapshot,
    holdings: Iterable[Holding],
    *,
    strategy_name: str | None = None,
    symbol: str | None = None,
) -> list[Part]:
    """Return the parts of what is open: what each strategy holds of a position, and the rest of it.

    What a strategy holds where the read shows no position at all is a part too: the read may be older.

    One exit for a position is not enough: it leaves alone what other strategies than its own hold. Where a strategy is
    named, it is what that one holds.
    """
    held, found = list(holdings), []
    # What was bought a moment ago: the read may be from before, and its position is open all the same.
    shown = {(p.exchange, p.symbol) for p in snapshot.positions if p.net_quantity}
    found += [
        Part(client_id, h.strategy_name, h.exchange, h.symbol, h.product, h.net_quantity)
        for h in held
        if h.entries
        and h.net_quantity
        and (h.exchange, h.symbol) not in shown
        and symbol in (None, h.symbol)
        and strategy_name in (None, h.strategy_name)
    ]
    for p in snapshot.positions:
        if not p.net_quantity or symbol not in (None, p.symbol):
            continue
        for h in held:
            same = (h.exchange, h.symbol, h.product) == (p.exchange, p.symbol, p.product)
            if same and h.net_quantity * p.net_quantity > 0 and strategy_name in (None, h.strategy_name):
                found.append(
                    Part(client_id, h.strategy_name, p.exchange, p.symbol, p.product, h.net_quantity)
                )
    return found + (unheld_parts(client_id, snapshot, held, symbol) if strategy_name is None else [])


def held_parts(holdings: Iterable[Holding], strategy_name: str = "") -> list[Part]:
    """Return what strategies (one, where it is named) hold by entries of theirs, in whatever product."""
    nets = dict[tuple[str, str, str, str], Decimal]()
    for h in holdings:
        if h.entries and strategy_name in ("", h.strategy_name):
            key = (h.client_id, h.strategy_name, h.exchange, h.symbol)
            nets[key] = nets.get(key, ZERO) + h.net_quantity
    return [Part(*key, "", net) for key, net in sorted(nets.items()) if net]


def unheld_parts(
    client_id: str, snapshot: PositionsSnapshot, holdings: Iterable[Holding], symbol: str | None = None
) -> list[Part]:
    """Return what no strategy holds of the broker's positions.

    Shares that were delivered on earlier days are somebody's savings. They count only where their symbol is named.
    """
    held = list(holdings)
    found = []
    for p in snapshot.positions:
        if not p.net_quantity or symbol not in (None, p.symbol):
            continue
        sign = 1 if p.net_quantity > 0 else -1
        place = (p.exchange, p.symbol, p.product)
        ours = [h for h in held if (h.exchange, h.symbol, h.product) == place and h.net_quantity * sign > 0]
        rest = abs(p.net_quantity) - sum((abs(h.net_quantity) for h in ours), ZERO)
        rest = min(rest, abs(p.net_quantity) - (p.delivered if symbol is None else ZERO))
        if rest > 0:
            found.append(Part(client_id, OPERATOR, *place, rest * sign))
    return found
