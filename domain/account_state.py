"""The states in which an operator lets a client, or one of its strategies, trade."""

from enum import StrEnum


class AccountState(StrEnum):
    """What may be entered. Exits and cancels pass in each of them."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"  # only entries that make the account's net position in the symbol smaller
    HALTED = "HALTED"  # none
