"""What an entry waits for before it may be sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.reason_codes import Reason


class WaitsFor(StrEnum):
    """What has to come first. Each waits within the entry's life only."""

    EXIT = "EXIT"  # its strategy's exit in its symbol, which is under way
    SETTLING = (
        "SETTLING"  # what its strategy holds is to be closed: by an exit to come, or as a read will show
    )
    GROUP = "GROUP"  # other legs of its alert: bought ones that are to be filled, or one that waits itself

    @property
    def sentence(self) -> str:
        """What is waited for, for people."""
        return _SENTENCES[self]

    @property
    def reason(self) -> Reason:
        """Why the entry is blocked when its life ends while it waits."""
        return Reason.GROUP_INCOMPLETE if self is WaitsFor.GROUP else Reason.NOT_FLAT_IN_TIME


_SENTENCES = {
    WaitsFor.EXIT: "waits for its strategy's exit in this symbol",
    WaitsFor.SETTLING: "waits until what its strategy holds in this symbol is closed",
    WaitsFor.GROUP: "waits for other legs of its alert",
}


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: look again when what it waits for has moved, at the latest at that time."""

    waits_for: WaitsFor
    until: datetime
