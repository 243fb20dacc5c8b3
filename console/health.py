"""Whether orders can flow: the database answers, a watcher beats, each broker was read a moment ago."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from console.ports import ConsoleReader, Row
from domain.broker_reports import UnreadableRow
from domain.errors import StoreFull, StoreUnavailable
from domain.first_reads import TO_BE_READ, Part
from domain.ports import CANNOT_BE_READ_AFTER, WAITING, Clock
from domain.times import parse_time
from domain.unconfigured_clients import UnconfiguredRows
from domain.unreadable_rows import stops_all_entries, what_they_stop


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be well, and how it is, in a sentence.

    `public` stands in its place where strangers read it too and the sentence repeats a broker's or a program's words.
    """

    ok: bool
    sentence: str
    public: str | None = None


@dataclass(frozen=True, slots=True)
class HealthExpectations:
    """Which clients are traded for, and how old a sign of life may be, in seconds."""

    clients: Sequence[str]
    beat_max_age_seconds: float
    positions_max_age_seconds: float
    loss_limited: Collection[str] = ()  # clients that enter nothing while the day's loss is not known
    unwritable: Callable[[], StoreUnavailable | None] = lambda: None  # why this process can write nothing


def create_health(
    reader: ConsoleReader,
    *,
    clock: Clock,
    clients: Sequence[str],
    beat_max_age_seconds: float,
    positions_max_age_seconds: float,
    instance: str = "",
    database: Callable[[], str] = lambda: "",
    replaced: Callable[[], str | None] = lambda: None,
    loss_limited: Collection[str] = (),
    unwritable: Callable[[], StoreUnavailable | None] = lambda: None,
) -> Blueprint:
    """`GET /healthz`: the process answers; `GET /readyz`: orders can flow, 503 when they cannot. Open to all.

    `instance` tells whoever started the service that it is this one that answers, and not another on the same port.
    `database` is the short id of the database that it writes to.
    `replaced` says why this process writes to its database no more, `unwritable` why it cannot at present.
    `loss_limited` are the clients that enter nothing while the day's loss is not known.
    """
    blueprint = Blueprint("health", __name__)
    expected = HealthExpectations(
        clients, beat_max_age_seconds, positions_max_age_seconds, loss_limited, unwritable
    )

    @blueprint.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return {"status": "ok", "instance": instance, "database": database()}

    @blueprint.get("/readyz")
    def readyz() -> ResponseReturnValue:
        checks = all_checks(reader, expected, clock.now(), replaced())
        ready = all(check.ok for check in checks.values())
        return {"ready": ready, "checks": _for_strangers(checks)}, 200 if ready else 503

    return blueprint


def all_checks(
    reader: ConsoleReader, expected: HealthExpectations, now: datetime, replaced: str | None = None
) -> dict[str, Check]:
    """`database`, `watcher` and a `broker:<client>` for each client; never raises for a database that fails."""
    if replaced is not None:
        public = "is not the one that was in use: this process writes to it no more"
        return {"database": Check(ok=False, sentence=replaced, public=public)}
    try:
        reader.ping()
        heartbeats, accounts = reader.heartbeats(), reader.accounts()
        left, hidden = unconfigured(reader, expected, now), reader.unreadable_positions()
    except StoreUnavailable as error:
        return {"database": Check(ok=False, sentence=str(error), public="does not answer")}
    answers = {"database": _written(expected.unwritable())}
    return answers | loop_checks(heartbeats, accounts, hidden, expected, now) | _clients(left)


def _written(error: StoreUnavailable | None) -> Check:
    """That it can be read is not enough: an alert that cannot be kept is not taken."""
    if error is None:
        return Check(ok=True, sentence="answers")
    why = "the disk is full" if isinstance(error, StoreFull) else "cannot be written"
    means = f"{why}: no alert is taken and no order is sent, exits included, until it can be written again"
    return Check(ok=False, sentence=f"{means} ({error})", public=means)


def unconfigured(
    reader: ConsoleReader, expected: HealthExpectations, now: datetime
) -> list[UnconfiguredRows]:
    """What clients that are not configured have open while no watcher serves them. Raises StoreUnavailable."""
    return reader.unconfigured(expected.clients, now - timedelta(seconds=expected.beat_max_age_seconds))


def _clients(left: Sequence[UnconfiguredRows]) -> dict[str, Check]:
    """A check only where something is wrong: rows that nobody serves."""
    if not left:
        return {}
    rows = "; ".join(map(str, left))
    said = f"not configured, and nobody follows or exits what they have open: {rows} (see `python cli.py doctor`)"
    return {"clients": Check(ok=False, sentence=said, public="a client that is not configured has rows open")}


def loop_checks(
    heartbeats: Sequence[Row],
    accounts: Sequence[Row],
    hidden: Mapping[str, Sequence[UnreadableRow]],
    expected: HealthExpectations,
    now: datetime,
) -> dict[str, Check]:
    """The checks that rest on what the watchers wrote."""
    known = {row["client_id"]: row for row in accounts}
    return {
        "watcher": _watcher(heartbeats, expected.beat_max_age_seconds, now),
        **{
            f"broker:{client}": _not_read_yet(heartbeats, client, expected.beat_max_age_seconds, now)
            or _readable(
                _broker(known.get(client, {}), expected.positions_max_age_seconds, now),
                hidden.get(client, ()),
                client,
                loss_is_limited=client in expected.loss_limited,
            )
            for client in expected.clients
        },
    }


def as_json(checks: Mapping[str, Check]) -> dict[str, Any]:
    """Checks by name as plain objects."""
    return {name: {"ok": check.ok, "sentence": check.sentence} for name, check in checks.items()}


def _for_strangers(checks: Mapping[str, Check]) -> dict[str, Any]:
    """The same without what others said: an error of a login may carry what belongs to the account alone."""
    return as_json(
        {name: Check(ok=check.ok, sentence=check.public or check.sentence) for name, check in checks.items()}
    )


def age_seconds(text: str | None, now: datetime) -> float | None:
    """Seconds since a time of the database, None when there was none."""
    return None if text is None else round((now - parse_time(text)).total_seconds(), 3)


def watchers(heartbeats: Sequence[Row], max_age: float, now: datetime) -> list[dict[str, Any]]:
    """Each watcher with its loops and what troubles it (None: nothing), the one that beat last first."""
    found = []
    for watcher_id, rows in groupby(sorted(heartbeats, key=_watcher_id), key=_watcher_id):
        loops = [{**row, "age_seconds": age_seconds(row["beat_at"], now)} for row in rows]
        trouble = next(filter(None, (_trouble(loop, max_age) for loop in loops)), None)
        last = max(loop["beat_at"] for loop in loops)
        found.append({"watcher_id": watcher_id, "last_beat_at": last, "trouble": trouble, "loops": loops})
    return sorted(found, key=lambda watcher: str(watcher["last_beat_at"]), reverse=True)


def _watcher_id(row: Row) -> str:
    return str(row["watcher_id"])


def _trouble(loop: Row, max_age: float) -> str | None:
    name = f"{loop['loop']} of {loop['client_id']}" if loop["client_id"] else loop["loop"]
    if loop["state"] not in ("OK", WAITING):
        return f"loop {name} is {loop['state']}" + (f": {loop['detail']}" if loop["detail"] else "")
    if loop["age_seconds"] > max_age:
        return f"loop {name} last beat {loop['age_seconds']:.0f} s ago"
    if loop["age_seconds"] < -max_age:
        return f"loop {name} last beat {-loop['age_seconds']:.0f} s in the future: the clock was set back"
    return None


def _watcher(heartbeats: Sequence[Row], max_age: float, now: datetime) -> Check:
    found = watchers(heartbeats, max_age, now)
    if not found:
        return Check(ok=False, sentence="no watcher runs")
    if any(watcher["trouble"] is None for watcher in found):
        return Check(ok=True, sentence="every loop beats")
    bare = (_trouble({**loop, "detail": ""}, max_age) for loop in found[0]["loops"])
    return Check(ok=False, sentence=str(found[0]["trouble"]), public=next(filter(None, bare)))


def _not_read_yet(heartbeats: Sequence[Row], client: str, max_age: float, now: datetime) -> Check | None:
    """None when a watcher that beats may send the client's entries; that none beats at all is another check's."""
    own = [b for b in heartbeats if (b["client_id"], b["loop"]) == (client, "reconcile")]
    fresh = [b for b in own if abs(age_seconds(b["beat_at"], now) or 0.0) <= max_age]
    waiting = [b for b in fresh if b["state"] == WAITING]
    if not waiting or any(b["state"] == "OK" for b in fresh):
        return None
    missing = json.loads(
        waiting[0]["missing_json"] or "{}"
    )  # a watcher of an earlier version gave words alone
    if Part.ACCOUNT in missing:
        public = f"{client} is not served: its rows are those of another account"
        return Check(ok=False, sentence=missing[Part.ACCOUNT], public=public)
    says = f"entries of {client} wait for the first look"
    parts = ", ".join(part for part in TO_BE_READ if part in missing)
    public = f"{says}: {parts}" if parts else says
    return Check(ok=False, sentence=f"{says}: {waiting[0]['detail']}", public=public)


def _readable(read: Check, rows: Sequence[UnreadableRow], client: str, *, loss_is_limited: bool) -> Check:
    """A read of which a row is not known is well enough only where that stops no more than single symbols."""
    if not rows:
        return read
    many = f"{len(rows)} rows of them cannot" if len(rows) > 1 else "a row of them cannot"
    stops = what_they_stop(rows, client, loss_is_limited=loss_is_limited)
    stopped = stops_all_entries(rows, loss_is_limited=loss_is_limited)
    # What is held is the account's own affair, and so are the row's words.
    public = (
        f"no entry of {client} can pass" if stopped else "exits and entries of single symbols are stopped"
    )
    return Check(
        ok=read.ok and not stopped,
        sentence=f"{read.sentence}; {many} be read: {stops} ({'; '.join(row.text for row in rows)})",
        public=f"{read.public or read.sentence}; {many} be read: {public}",
    )


def _broker(account: Row, max_age: float, now: datetime) -> Check:
    age = age_seconds(account.get("positions_read_at"), now)
    if age is None:
        return Check(ok=False, sentence="positions were never read")
    if age < -max_age:
        said = f"positions were read {-age:.0f} s in the future: the clock was set back, they are not known to be new"
        return Check(ok=False, sentence=said)
    error = account.get("read_error")
    if error is not None and age >= CANNOT_BE_READ_AFTER.total_seconds():
        bare = f"positions cannot be read since {age:.0f} s: exits wait"
        return Check(ok=False, sentence=f"{bare}: {error}", public=bare)
    return Check(
        ok=age <= max_age, sentence=f"positions were read {age:.0f} s ago, {max_age:.0f} s are allowed"
    )
