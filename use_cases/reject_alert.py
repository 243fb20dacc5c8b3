"""Build the notice of an alert that cannot be traded on: what it asked for, and what that leaves open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.enums import ExecutionType
from domain.errors import InvalidAlert
from domain.money import decimal_text
from domain.notices import Notice, NoticeKind
from domain.risk_facts import Holding

_SHOWN = 3  # symbols; more of them are counted


@dataclass(frozen=True, slots=True)
class RejectedRequest:
    """What a rejected alert asked for, in its sender's own words, as far as they could be read."""

    execution_type: str | None = None
    symbols: Sequence[str] = ()
    strategy_name: str | None = None

    def __str__(self) -> str:
        """`EXIT INFY, TCS of STRADDLE`; empty where nothing could be read."""
        more = len(self.symbols) - _SHOWN
        symbols = ", ".join(self.symbols[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        whose = f"of {self.strategy_name}" if self.strategy_name else ""
        return " ".join(filter(None, (self.execution_type, symbols, whose)))

    @property
    def is_entry(self) -> bool:
        """True where the alert was certainly not meant to close anything."""
        return _same(self.execution_type, ExecutionType.ENTRY)

    @property
    def is_exit(self) -> bool:
        """True where the alert was certainly meant to close something."""
        return _same(self.execution_type, ExecutionType.EXIT)


def rejection(
    client_id: str, alert_id: str, error: str, wish: RejectedRequest, holdings: Iterable[Holding] = ()
) -> Notice:
    """Return the notice. `holdings` are those of the client."""
    said = str(wish)
    return Notice(
        NoticeKind.ALERT_REJECTED,
        client_id,
        alert_id=alert_id,
        symbol=wish.symbols[0] if len(wish.symbols) == 1 else None,
        detail=f"{said}: {error}" if said else error,
        more=_left_open(wish, holdings),
    )


def _left_open(wish: RejectedRequest, holdings: Iterable[Holding]) -> str:
    """Say what an exit was meant to close and has not closed; empty for an entry."""
    if wish.is_entry:
        return ""
    if not wish.is_exit:
        return "If it was to close a position, that is still open: check it at the broker."
    names = {symbol.casefold() for symbol in wish.symbols}
    held = [
        f"{h.strategy_name} {decimal_text(h.net_quantity)} {h.product} of {h.symbol} at {h.exchange}"
        for h in holdings
        if h.net_quantity and h.symbol.casefold() in names and wish.strategy_name in (None, h.strategy_name)
    ]
    if not held:
        return "What it was to close, if anything, is still open: check it at the broker."
    return (
        f"Still open, and no exit is under way because of this alert: {'; '.join(held)}. "
        "Exit it by hand, or send the EXIT again, corrected."
    )


def _same(word: str | None, wanted: ExecutionType) -> bool:
    return word is not None and word.strip().upper() == wanted


def unknown_client(client_id: str) -> InvalidAlert:
    """Return the error of an alert whose client is not configured."""
    return InvalidAlert("UNKNOWN_CLIENT", f"no client {client_id!r} is configured", "client_id")
