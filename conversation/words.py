"""The words of an answer: lines in Telegram's HTML that fit one message, and rows of orders.db for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from domain.money import decimal_text
from domain.ports import Row
from domain.times import parse_time
from notifications.markup import MESSAGE_LIMIT, safe, units

_NAME, SENTENCE = 80, 400
_ROOM_FOR_MORE = 160  # what is put before the lines, and the line that counts what does not fit


def fitted(lines: Sequence[str]) -> str:
    """Join lines to one message; what does not fit is counted in the last line."""
    kept, used = list[str](), 0
    for line in lines:
        used += units(line) + 1
        if used > MESSAGE_LIMIT - _ROOM_FOR_MORE:
            kept.append(f"… and {len(lines) - len(kept)} lines more, on the console")
            break
        kept.append(line)
    return "\n".join(kept)


def fits(lines: Sequence[str]) -> bool:
    """Return True where `fitted` shows all of the lines."""
    return units("\n".join(lines)) + 1 <= MESSAGE_LIMIT - _ROOM_FOR_MORE


def name(value: object) -> str:
    """A name, a symbol or a number, escaped."""
    return safe(str(value), _NAME)


def code(words: str) -> str:
    """Something to be tapped and copied."""
    return f"<code>{safe(words, SENTENCE)}</code>"


def number(stored: str | None) -> str:
    """A decimal text of orders.db as people write it; `?` where it is not known."""
    if stored is None:
        return "?"
    try:
        return name(decimal_text(Decimal(stored)))
    except InvalidOperation:
        return name(stored)


def signed(value: Decimal) -> str:
    """Money with its sign."""
    return f"{'+' if value > 0 else ''}{decimal_text(value)}"


def moment(stored: str, zone: ZoneInfo, now: datetime) -> str:
    """`09:15:02`, with the date where it is another day in the zone."""
    at = parse_time(stored).astimezone(zone)
    is_today = at.date() == now.astimezone(zone).date()
    return f"{at:%H:%M:%S}" if is_today else f"{at:%d %b %H:%M:%S}"


def age(since: str, now: datetime) -> str:
    """`4 s`, `3 min`, `2 h`."""
    seconds = int(abs(now - parse_time(since)) / timedelta(seconds=1))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def short_id(command_id: str) -> str:
    """The end of an order's id: what messages end with, and what commands take."""
    return command_id[-10:]


def traded(row: Row) -> str:
    """`SELL 50 NIFTY26NOV24500CE`."""
    quantity = number(row["quantity"]) if Decimal(row["quantity"]) else "all"
    return f"{row['side']} {quantity} {name(row['symbol'])}"


def stands(row: Row) -> str:
    """How an order stands, in a few words."""
    filled, phase = Decimal(row["filled_quantity"] or "0"), row["phase"]
    if phase == "FILLED":
        return f"filled @ {number(row['average_price'])}"
    said = _PHASES.get(phase, str(phase).lower())
    return f"{said}, {number(row['filled_quantity'])} filled" if filled else said


_PHASES = {
    "REGISTERED": "not sent yet",
    "SUBMITTING": "being sent",
    "UNKNOWN": "OUTCOME UNKNOWN",
    "WORKING": "live at the broker",
    "PARTIALLY_FILLED": "partly filled",
    "BLOCKED": "blocked by our rule, never sent",
    "LAPSED": "not sent",
    "REFUSED": "refused by the broker",
    "REJECTED": "rejected by the broker",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
    "ABSENT": "the broker never had it",
}


def order_line(row: Row, zone: ZoneInfo, now: datetime, *, several: bool) -> str:
    """One order in one line."""
    whose = f"{name(row['client_id'])} · " if several else ""
    at = moment(row["created_at"], zone, now)
    what = f"{row['execution_type']} {traded(row)}"
    return f"{at} {whose}{what} · {stands(row)} · {code(short_id(row['command_id']))}"


def of_clients(rows: Sequence[Row], clients: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these clients: a chat sees nothing of others."""
    return [row for row in rows if row["client_id"] in clients]
