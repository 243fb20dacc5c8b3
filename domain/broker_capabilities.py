"""What a broker promises: about our ids, about time, about what its reads show; and what it can do beyond the port."""

from dataclasses import dataclass
from enum import StrEnum


class IdClass(StrEnum):
    """What a broker promises about our client order id, which decides what recovery may do."""

    C0 = "C0"  # echoes nothing: match by symbol, side, quantity, time; never send again
    C1 = "C1"  # echoes our tag, not unique: look it up by tag; never send again
    C2 = "C2"  # unique among open orders only: as C1
    C3 = "C3"  # unique for a window: send again with the same id inside it
    C4 = "C4"  # unique for ever, or refuses the duplicate: send again with the same id

    @property
    def may_send_again(self) -> bool:
        """True where sending once more with the same id cannot make a second order."""
        return self in (IdClass.C3, IdClass.C4)


class Capability(StrEnum):
    """What only some brokers can do. `domain.ports.ClientBroker` has an interface for each."""

    MODIFY = "modify"  # change a resting order
    LOOK_UP = "look_up"  # tell every state that one order went through
    QUOTES = "quotes"  # tell a last price
    STREAM = "stream"  # tell at once that an order has changed
    BATCHES = "batches"  # place many orders at once
    MARKS = "marks"  # tell last prices by symbol, as often as they are wanted
    EQUITY = "equity"  # tell what an account is worth
    SET_MARK = "set_mark"  # let us set the last price: a simulated market


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """How many calls a broker accepts from one account, reads included. None: it does not limit them."""

    calls_per_second: int | None = None
    calls_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class BrokerTraits:
    """What an adapter declares about its broker. Durations in seconds."""

    name: str
    is_real: bool  # real money: obeys LIVE_TRADING
    id_class: IdClass
    id_window: float = 0.0  # C3 only: for how long an id stays unique
    visibility_horizon: float = 0.0  # how long after the send an order may be missing from its book
    acceptance_horizon: float = 0.0  # how long after we gave up a call it may still accept the request
    day_orders: bool = False  # each order ends with the day that it was sent on, by the broker's clock
    position_horizon: float = 0.0  # how long a fill may be missing from positions
    book_interval: float = 1.0  # minimum time between two reads of the order book
    positions_interval: float = 0.0  # minimum time between two reads of the positions
    time_error: float = 2.0  # by how much the times in its book may differ from ours
    # How many orders may be claimed in one transaction. A process that dies then leaves all of them unknown, so this is
    # for brokers that are quick, and at which the same order may be sent again for ever.
    claims_together: int = 1
    account: str = ""  # the broker user whose rows the client has; empty: not known, and never compared

    def __post_init__(self) -> None:
        if self.claims_together > 1 and self.id_class is not IdClass.C4:
            raise ValueError(f"{self.name}: claims_together needs an id that is unique for ever (C4)")
