"""The conditions that an entry waits for before it may be sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.reason_codes import Reason


class WaitsFor(StrEnum):
    """What has to come before the entry. It waits within its life only."""

    EXIT = "EXIT"  # its strategy's exit in its symbol, which is outstanding
    # What its strategy holds has to be closed: by an exit to come, or it is closed and a read has yet to show it.
    SETTLING = "SETTLING"
    GROUP = "GROUP"  # other legs of its alert: bought ones that have to be filled, or one that waits itself

    @property
    def sentence(self) -> str:
        """What the entry waits for, as a text for people."""
        return _SENTENCES[self]

    @property
    def reason(self) -> Reason:
        """Why the entry is blocked when its life ends while it waits."""
        return Reason.GROUP_INCOMPLETE if self is WaitsFor.GROUP else Reason.NOT_FLAT_IN_TIME


_SENTENCES = {
    WaitsFor.EXIT: "waits for an exit of its strategy",
    WaitsFor.SETTLING: "waits until what its strategy holds in this symbol is closed",
    WaitsFor.GROUP: "waits for other legs of its alert",
}


@dataclass(frozen=True, slots=True)
class Wait:
    """The entry is not sent now. It is checked again when what it waits for has moved, and at `until` at the latest."""

    waits_for: WaitsFor
    until: datetime
