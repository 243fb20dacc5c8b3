"""Send an entry after its strategy's exit: stop and reverse, and entering again."""

from datetime import timedelta

from blockers.rules import Block
from domain.entry_waits import Wait, WaitsFor
from domain.order import Order
from domain.reason_codes import Reason
from domain.risk_facts import Facts
from domain.times import is_within


def exit_first(order: Order, facts: Facts, settling: timedelta) -> Block | Wait | None:
    """Make an entry wait for its strategy's exit in its symbol, whichever of the two arrived first.

    - Any entry waits for an older exit that is under way and does not rest.
    - An entry that reverses the position also waits for any other exit under way, even one that rests (a target).
    - Where others have closed what the strategy holds, an exit finds nothing left to send. The entry waits for the
      read that shows the position flat.
    - An entry that reverses the position before there is any exit waits for one, for `settling` from its
      registration. After that it is blocked.
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
