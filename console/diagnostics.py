"""Check that every recent signal has an intent, a decision and, if it failed, a message."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from domain.enums import Side
from domain.ports.read_model import ReadModel, Row

_SETTLED_AFTER = timedelta(seconds=60)
"""How long an order may have no decision. After that the operator was notified that its outcome is unknown."""

_FLAGS = {
    "missing_intent": "MISSING_INTENT",
    "null_decision": "NULL_DECISION",
    "untold": "FAILED_WITHOUT_TELEGRAM",
}


def recent_signals(
    reader: ReadModel, *, now: datetime, hours: int, limit: int, side: Side | None
) -> dict[str, Any]:
    """Return the signals of the last `hours`, and what is wrong with any of them.

    A signal is one leg of an alert, or a rejected alert, which has no legs. `counts`, `total` and `pass` cover all
    signals of the window. `signals` and `violations` list the newest `limit` signals of each kind.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    found = reader.signals(
        since=now - timedelta(hours=hours), settled_before=now - _SETTLED_AFTER, side=side, limit=limit
    )
    counts = found["counts"]
    return {
        "signals": [_shown(row) for row in found["signals"]],
        "total": counts["total_signals"],
        "hours": hours,
        "counts": counts,
        "violations": [violation for row in found["violations"] for violation in _violations(row)],
        "pass": not _broken(counts),
        "summary": _summary(counts, hours, reader.outbox()["pending"]),
    }


def _shown(row: Row) -> Row:
    """A signal without its flags, which `violations` reports."""
    return {name: value for name, value in row.items() if name not in _FLAGS}


def _violations(row: Row) -> Iterator[Row]:
    for flag, violation in _FLAGS.items():
        if row[flag]:
            yield {
                "signal_id": row["signal_id"],
                "command_id": row["command_id"],
                "symbol": row["symbol"],
                "side": row["side"],
                "violation": violation,
                "message": _message(row, violation),
            }


def _message(row: Row, violation: str) -> str:
    if violation == "MISSING_INTENT":
        return f"order {row['command_id']} has no row in order_intents"
    if violation == "NULL_DECISION":
        return f"order {row['command_id']} is {row['status']}/{row['phase']} and no decision is recorded"
    if row["command_id"] is None:
        return f"alert {row['alert_id']} was rejected and nobody was told"
    why = f" ({row['tag']})" if row["tag"] else ""
    return f"order {row['command_id']} is FAILED{why} and no message says ORDER FAILED"


def _broken(counts: Row) -> list[str]:
    return [
        f"{counts[name]} {words}"
        for name, words in (
            ("missing_intent", "without an intent"),
            ("null_decisions", "without a decision"),
            ("failed_without_telegram", "failed without a message"),
        )
        if counts[name]
    ]


def _summary(counts: Row, hours: int, waiting: int) -> str:
    total = counts["total_signals"]
    window = f"{total} signal{'' if total == 1 else 's'} in the last {hours} hour{'' if hours == 1 else 's'}"
    if broken := _broken(counts):
        return f"FAIL: {window}: {', '.join(broken)}."
    if not total:
        return f"PASS: {window}."
    told = f"every failure has its message; {waiting or 'none'} wait{'s' if waiting < 2 else ''} to be sent"
    return f"PASS: {window}, each with an intent and a decision; {told}."
