"""Check that each order's row matches its event history. This is the pure part of `verify`, over streams of rows."""

import heapq
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

from domain.claim_priority import CLAIM_PRIORITY
from domain.order_events import Column, replay
from domain.states import STATUS_OF, TRANSITIONS, Phase


@dataclass(frozen=True, slots=True)
class History:
    """One order's row, if there is one, and its events in order, if there are any."""

    command_id: str
    row: sqlite3.Row | None
    events: Sequence[Mapping[str, Any]]


def histories(connection: sqlite3.Connection) -> Iterator[History]:
    """Yield every order that has a row or an event, by command_id. Both tables are streamed side by side."""
    rows = (
        (row["command_id"], row) for row in connection.execute("SELECT * FROM orders ORDER BY command_id")
    )
    events = connection.execute("SELECT * FROM order_events ORDER BY command_id, event_id")
    chains = ((command_id, list(chain)) for command_id, chain in groupby(events, itemgetter("command_id")))
    for command_id, parts in groupby(heapq.merge(rows, chains, key=itemgetter(0)), itemgetter(0)):
        row: sqlite3.Row | None = None
        chain: list[sqlite3.Row] = []
        for _, part in parts:
            if isinstance(part, list):
                chain = part
            else:
                row = part
        yield History(command_id, row, cast("list[Mapping[str, Any]]", chain))  # a Row reads like a mapping


def faults(history: History) -> list[str]:
    """Return one sentence for each fault, and nothing when the events rebuild the row exactly."""
    if history.row is None:
        return [f"has {len(history.events)} events and no row in orders"]
    if not history.events:
        return ["has a row in orders and no events"]
    try:
        rebuilt = replay(history.events)
    except (ValueError, TypeError) as error:
        return [str(error)]
    rebuilt["claim_priority"] = _priority(rebuilt["execution_type"])
    return [*_illegal_steps(history.events), *_differences(history.row, rebuilt)]


def _priority(execution_type: Column) -> int | None:
    """Return the claim priority that the database must compute for orders of this type."""
    return next((number for kind, number in CLAIM_PRIORITY.items() if kind == execution_type), None)


def _illegal_steps(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    before: str | None = None
    for event in events:
        phase = event["to_phase"]
        if event["from_phase"] != before:
            yield f"event {event['event_id']}: says from {event['from_phase']}, but the order was {before}"
        elif not _leads_to(before, phase) and not (before == phase and _is_a_move(event)):
            yield f"event {event['event_id']}: {before} does not lead to {phase}"
        elif event["to_status"] != STATUS_OF[Phase(phase)]:
            yield f"event {event['event_id']}: {phase} is no phase of {event['to_status']}"
        before = phase


def _is_a_move(event: Mapping[str, Any]) -> bool:
    """Return True for an event that only changes the order's client id. This is allowed in any phase."""
    detail = json.loads(event["detail_json"])
    return isinstance(detail, dict) and detail.keys() == {"client_id", "moved_from"}


def _leads_to(before: str | None, phase: str) -> bool:
    if before is None:
        return phase == Phase.REGISTERED
    return before in TRANSITIONS and phase in TRANSITIONS[Phase(before)]


def _differences(row: sqlite3.Row, rebuilt: Mapping[str, Column]) -> Iterator[str]:
    """Yield the columns whose value no event accounts for. A column that no event ever named must be NULL."""
    for name, value in zip(row.keys(), row, strict=True):
        expected = rebuilt.get(name)
        if value != expected:
            yield f"{name} is {value!r}, but its events say {expected!r}"
