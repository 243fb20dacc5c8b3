"""End what protects a group as a whole, at a person's request."""

from dataclasses import replace
from datetime import datetime

from domain.combined import CombinedEvent, ended
from domain.errors import InvalidProtection
from domain.leg_groups import LegGroup, moved_on
from domain.ports import Transaction


def group_named(tx: Transaction, group_id: str) -> LegGroup | None:
    """Return the group of that id, which is its first leg's."""
    leg = tx.get(group_id)
    found = [] if leg is None else tx.groups_of_alert(leg.alert_id)
    return next((group for group in found if group.group_id == group_id), None)


def cancel_combined(tx: Transaction, group: LegGroup, *, by: str, reason: str, now: datetime) -> LegGroup:
    """End it; the group's legs stay, and what protects single ones goes on.

    Raises:
        InvalidProtection: nothing protects the group as a whole, or it leaves already.
    """
    if group.combined is None or not group.is_combined:
        raise InvalidProtection(
            "group_id", f"expected one that is protected as a whole: this one is {group.state}"
        )
    look = ended(group.combined, CombinedEvent.CANCELLED, {"by": by, "why": reason})
    after = replace(moved_on(group, now), combined=look.after)
    tx.move_group(group, after, look.events)
    return after
