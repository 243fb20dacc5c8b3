"""Block duplicate entries: a strategy enters a symbol once, unless it is allowed more entries."""

from blockers.rules import Block, Rule
from domain.order import Order
from domain.reason_codes import Reason
from domain.risk_facts import Facts


def duplicate_entry(order: Order, facts: Facts) -> Block | None:
    """Block an entry at the limit of entries. Open entries and entries that make up the position count alike."""
    held, opened = facts.own_held_entries, facts.own_open_entries
    if held + opened < facts.limits.max_entries:
        return None
    what = [f"{held} held" if held else "", f"{opened} open" if opened else ""]
    return Block(
        Reason.DUPLICATE_ENTRY_BLOCKED, f"{', '.join(filter(None, what))}, limit {facts.limits.max_entries}"
    )


RULES: tuple[Rule, ...] = (duplicate_entry,)
