"""The words that an alert and an order are made of."""

from enum import StrEnum


class ExecutionType(StrEnum):
    """What an alert's legs do to the position."""

    ENTRY = "ENTRY"  # opens
    EXIT = "EXIT"  # reduces, never opens
    ADJUST = "ADJUST"  # exits first, then entries, as one
    CANCEL = "CANCEL"  # takes entries back; only an alert is of this type, never an order


class LegKind(StrEnum):
    """What one leg of an alert asks for."""

    ENTRY = "ENTRY"  # open a position, or add to it
    EXIT = "EXIT"  # reduce a position by a quantity
    FLAT = "FLAT"  # close all that is held
    TARGET = "TARGET"  # reach a position of that quantity on that side, whatever is held
    CANCEL = "CANCEL"  # take back the entries that have not ended

    @property
    def execution_type(self) -> ExecutionType:
        """What the order of such a leg does to the position; of a TARGET, what is held decides."""
        if self is LegKind.TARGET:
            return ExecutionType.ADJUST
        if self is LegKind.CANCEL:
            return ExecutionType.CANCEL
        return ExecutionType.ENTRY if self is LegKind.ENTRY else ExecutionType.EXIT


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: multiply by it to get a signed quantity."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side, which undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"  # becomes a market order once the trigger price trades
    STOP_LIMIT = "STOP_LIMIT"


class TestMode(StrEnum):
    """Process the alert in full, but with a simulated answer in place of the broker's."""

    __test__ = False  # not a test class, whatever its name suggests to a collector

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


class Outcome(StrEnum):
    """The outcome of one delivery."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    PARTIALLY_BLOCKED = "partially_blocked"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"  # authenticated and stored, but not tradable
    INFO = "info"  # authenticated and stored, and asks for no order


class DecisionType(StrEnum):
    """The decision about an alert or a leg, for diagnostics."""

    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
