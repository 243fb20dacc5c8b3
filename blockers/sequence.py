"""First the exit, then the entry: stop and reverse, and entering again."""

from datetime import timedelta

from blockers.rules import Block
from domain.entry_waits import Wait, WaitsFor
from domain.order import Order
from domain.reason_codes import Reason
from domain.risk_facts import Facts
from domain.times import is_within


def exit_first(order: Order, facts: Facts, settling: timedelta) -> Block | Wait | None:
    """An entry goes after its strategy's exit in its symbol, whichever of the two arrived first.

    An exit that rests, a target, is waited for by an entry that turns the position, and by no other. An entry that
    turns it before any exit is there waits for one, for `settling` from its registration. Where others have closed
    what the strategy holds, an exit finds nothing left to send: the entry waits for the read that shows it flat.
    """
    turns = facts.turns_own_entry or facts.own_net * order.side.sign < 0
    if facts.exit_ahead or (turns and facts.exit_open):
        return Wait(WaitsFor.EXIT, order.expires_at)
    if facts.closed_by_hand:
        return Wait(WaitsFor.SETTLING, order.expires_at)
    if not turns:
        return None
    if is_within(order.created_at, facts.now, settling):
        return Wait(WaitsFor.SETTLING, min(order.created_at + settling, order.expires_at))
    return Block(
        Reason.DUPLICATE_ENTRY_BLOCKED,
        f"it holds the other side, and no exit came within {settling.total_seconds():g} s",
    )
