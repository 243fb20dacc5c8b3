"""What was promised before the power went, and what of that a folder fails to keep."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from domain.errors import StoreUnavailable
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.database import GroupCommit
from persistence.sqlite.migrations import migrate
from tests.e2e.torture_senders import Account, Seen


@dataclass(frozen=True, slots=True)
class Ack:
    """An alert that was answered with 200.

    Attributes:
        at: nanoseconds of the real-time clock, when the answer was there.
        legs: how many it has.
        command_ids: what the answer called them.
    """

    at: int
    legs: int
    command_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order that the broker has: when it came, and the id that it carries."""

    at: int
    client_order_id: str


class TimedSeen(Seen):
    """What the senders saw, and when."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.acks: list[Ack] = []

    def note(self, account: Account, body: Mapping[str, Any], answer: requests.Response | None) -> None:
        at = time.time_ns()  # first: what happens from now on did not happen before the answer
        super().note(account, body, answer)
        if answer is not None and answer.status_code == 200:
            ids = tuple(leg["command_id"] for leg in answer.json()["legs"])
            self.acks.append(Ack(at, len(body["legs"]), ids))


def nanoseconds(at: datetime) -> int:
    """That time on the real-time clock, without what a float would lose."""
    whole = at.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + at.microsecond * 1000


def broken(folder: Path, acks: Sequence[Ack], arrivals: Sequence[Arrival]) -> Iterator[str]:
    """What was promised by then and is not kept by the files that are left.

    The program's own start comes first, as it does in life; what it says of the file is then looked at without it.
    """
    database = folder / "orders.db"
    try:
        migrate(database)
        GroupCommit(database).run(lambda connection: None)
    except (StoreUnavailable, sqlite3.Error, OSError, RuntimeError) as error:
        yield f"it does not start: {error!r}"
    try:
        yield from (f"verify: {problem.where}: {problem.what}" for problem in verify(database).problems)
        yield from _read(database, acks, arrivals)
    except sqlite3.Error as error:
        yield f"it cannot be read: {error!r}"


def _read(database: Path, acks: Sequence[Ack], arrivals: Sequence[Arrival]) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as connection:
        yield from _damage(connection)
        rows = connection.execute("SELECT command_id, alert_id, client_order_id, status, phase FROM orders")
        found = {row[0]: row for row in rows}
        alerts = dict(connection.execute("SELECT alert_id, raw_body FROM alerts"))
    yield from _missing(found, alerts, acks)
    yield from _unclaimed({row[2]: row for row in found.values()}, arrivals)


def _damage(connection: sqlite3.Connection) -> Iterator[str]:
    for pragma in ("integrity_check", "foreign_key_check"):
        found = connection.execute(f"PRAGMA {pragma}").fetchall()
        if found not in ([], [("ok",)]):
            yield f"{pragma}: {found[:3]}"


def _missing(
    rows: Mapping[str, tuple[Any, ...]], alerts: Mapping[str, str], acks: Sequence[Ack]
) -> Iterator[str]:
    for ack in acks:
        there = [rows[id_] for id_ in ack.command_ids if id_ in rows]
        if len(there) != ack.legs:
            yield f"acknowledged with {ack.legs} legs, {len(there)} are there: {', '.join(ack.command_ids)}"
        elif not all(alerts.get(row[1]) for row in there):
            yield f"acknowledged, and its alert is gone: {', '.join(ack.command_ids)}"


def _unclaimed(rows: Mapping[str, tuple[Any, ...]], arrivals: Sequence[Arrival]) -> Iterator[str]:
    for arrival in arrivals:
        row = rows.get(arrival.client_order_id)
        if row is None:
            yield f"the broker has {arrival.client_order_id}, and no row does"
        elif row[3] == "CREATED" or row[4] == "BLOCKED":
            yield f"the broker has {arrival.client_order_id}, and {row[0]} is {row[3]}/{row[4]}"
