"""The judge's own reading of `order_events`: the chain of hashes, and the row that the events tell of."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

HASHED = (
    "command_id",
    "at",
    "from_status",
    "to_status",
    "from_phase",
    "to_phase",
    "tag",
    "actor",
    "detail_json",
)


def history_faults(orders: Mapping[str, Row], events: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Every order whose history is broken, or is another one than its row's."""
    for command_id in sorted({*orders, *events}):
        row = orders.get(command_id)
        fault = _fault(row, events.get(command_id, ())) if row is not None else "has events and no row"
        if fault:
            yield f"{command_id}: {fault}"


def chain_hash(previous: str, event: Row) -> str:
    """What the event's hash has to be."""
    content = [previous, *(event[name] for name in HASHED)]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _fault(row: Row, events: Sequence[Row]) -> str | None:
    rebuilt: dict[str, Any] = dict.fromkeys(row)
    previous, status = "", None
    for event in events:
        if event["previous_hash"] != previous or event["hash"] != chain_hash(previous, event):
            return f"event {event['event_id']}: the chain is broken"
        if event["from_status"] != status:
            return f"event {event['event_id']}: from {event['from_status']}, but it was {status}"
        previous, status = event["hash"], event["to_status"]
        rebuilt |= json.loads(event["detail_json"])
        rebuilt |= {"status": status, "phase": event["to_phase"], "tag": event["tag"]}
        rebuilt |= {"updated_at": event["at"], "event_hash": event["hash"]}
    rebuilt["claim_priority"] = (
        0 if rebuilt.get("execution_type") == "EXIT" else 1
    )  # the database computes it
    wrong = sorted(name for name in row if row[name] != rebuilt[name])
    return f"its events do not tell of {', '.join(wrong)}" if wrong else None
