"""What the name in a leg became, and why: kept with the leg, and in the story of its alert."""

from dataclasses import dataclass

from domain.instruments.instrument import Instrument
from domain.reason_codes import Reason


@dataclass(frozen=True, slots=True)
class InstrumentChoice:
    """The instrument of a leg whose client has a master.

    - `asked`: exchange and symbol as the alert named them.
    - `instrument`: what they mean; None where that is not certain.
    - `refusal`, `detail`: why an entry cannot be traded.
    - `alternatives`: exchange and symbol of what else an exit may have to close, if its strategy holds it.
    - `notes`: each choice, in words.
    - `is_checked`: lot and tick bind its entries.
    """

    asked: tuple[str, str]
    instrument: Instrument | None = None
    refusal: Reason | None = None
    detail: str = ""
    alternatives: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    is_checked: bool = False

    @property
    def asked_text(self) -> str:
        """What was asked for, as the story of an order keeps it."""
        return " ".join(self.asked)
