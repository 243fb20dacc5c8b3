"""An exit that a person is shown before it is asked for, and the id that makes it happen once. Pure."""

import hashlib
from datetime import datetime
from typing import NamedTuple

from domain.ids import ulid


class PlannedExit(NamedTuple):
    """An exit at market of what one strategy holds of a position, or of what no strategy holds."""

    client_id: str
    exchange: str
    symbol: str
    product: str
    strategy_name: str
    quantity: str  # units, as last known: the exit itself is sized by the position it finds


def exit_id(act: str, asked_at: datetime, index: int) -> str:
    """Return the id of one of an act's exits: it follows from the act, so that there is never a second one."""
    return ulid(asked_at, int.from_bytes(hashlib.sha256(f"{act}|{index}".encode()).digest()[:10]))
