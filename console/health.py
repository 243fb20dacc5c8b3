"""Check that orders can flow: the database answers, a watcher gives heartbeats, each broker was read recently."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from domain.broker_reports import UnreadableRow
from domain.errors import StoreFull, StoreUnavailable
from domain.first_reads import TO_BE_READ, Part
from domain.health import AccountRead, ReadState, first_trouble, read_state, watchers_trouble
from domain.ports import WAITING, Clock, Heartbeat
from domain.ports.read_model import ReadModel, Row
from domain.times import parse_time
from domain.unconfigured_clients import UnconfiguredRows
from domain.unreadable_rows import stops_all_entries, what_they_stop


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, with a sentence that explains it.

    `public` replaces the sentence where it can be read without authentication. It is set where the sentence repeats
    text from a broker or a program, or says what an account holds.
    """

    ok: bool
    sentence: str
    public: str | None = None


@dataclass(frozen=True, slots=True)
class HealthExpectations:
    """The clients that are served, and the maximum ages of heartbeats and of positions, in seconds."""

    clients: Sequence[str]
    beat_max_age_seconds: float
    positions_max_age_seconds: float
    loss_limited: Collection[str] = ()  # clients that enter nothing while the day's loss is not known
    unwritable: Callable[[], StoreUnavailable | None] = lambda: None  # why this process cannot write


def create_health(
    reader: ReadModel,
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
    """Create the health routes. They need no authentication.

    - `GET /healthz` answers when the process runs.
    - `GET /readyz` answers 200 when orders can flow, 503 when they cannot.

    Args:
        instance: identifies this service to the process that started it; another service may answer on the same port.
        database: returns the short id of the database that this process writes to.
        replaced: returns why this process no longer writes to its database; None while it may.
        unwritable: returns why this process cannot write to its database at present; None when it can.
        loss_limited: the clients that enter nothing while the day's loss is not known.
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
    reader: ReadModel, expected: HealthExpectations, now: datetime, replaced: str | None = None
) -> dict[str, Check]:
    """Run all checks: `database`, `watcher` and one `broker:<client>` for each client.

    `clients` is among them only when unconfigured clients have rows open. A database that cannot be read gives a
    failed `database` check alone; no error is raised.
    """
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
    """Check that the database can be written. Reading is not enough: an alert that cannot be stored is not accepted."""
    if error is None:
        return Check(ok=True, sentence="answers")
    why = "the disk is full" if isinstance(error, StoreFull) else "cannot be written"
    means = f"{why}: no alert is taken and no order is sent, exits included, until it can be written again"
    return Check(ok=False, sentence=f"{means} ({error})", public=means)


def unconfigured(reader: ReadModel, expected: HealthExpectations, now: datetime) -> list[UnconfiguredRows]:
    """Return what clients have open that are not configured and that no watcher serves. Raises StoreUnavailable."""
    return reader.unconfigured(expected.clients, now - timedelta(seconds=expected.beat_max_age_seconds))


def _clients(left: Sequence[UnconfiguredRows]) -> dict[str, Check]:
    """Return a failed `clients` check when rows are open that no watcher serves; otherwise no check."""
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
    """Run the checks that rely on what the watchers wrote to the database."""
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
    """Convert checks to plain objects, by name."""
    return {name: {"ok": check.ok, "sentence": check.sentence} for name, check in checks.items()}


def _for_strangers(checks: Mapping[str, Check]) -> dict[str, Any]:
    """As `as_json`, with the public sentences: the error of a login, for example, may contain private account data."""
    return as_json(
        {name: Check(ok=check.ok, sentence=check.public or check.sentence) for name, check in checks.items()}
    )


def age_seconds(text: str | None, now: datetime) -> float | None:
    """Seconds since a time from the database; None when there is no time."""
    return None if text is None else round((now - parse_time(text)).total_seconds(), 3)


def watchers(heartbeats: Sequence[Row], max_age: float, now: datetime) -> list[dict[str, Any]]:
    """List each watcher with its loops and its trouble (None: it has none), the newest heartbeat first."""
    found = []
    for watcher_id, rows in groupby(sorted(heartbeats, key=_watcher_id), key=_watcher_id):
        loops = [{**row, "age_seconds": age_seconds(row["beat_at"], now)} for row in rows]
        trouble = first_trouble(map(_heartbeat, loops), now, timedelta(seconds=max_age))
        last = max(loop["beat_at"] for loop in loops)
        found.append({"watcher_id": watcher_id, "last_beat_at": last, "trouble": trouble, "loops": loops})
    return sorted(found, key=lambda watcher: str(watcher["last_beat_at"]), reverse=True)


def _watcher_id(row: Row) -> str:
    return str(row["watcher_id"])


def _heartbeat(row: Row) -> Heartbeat:
    at = parse_time(row["beat_at"])
    return Heartbeat(row["watcher_id"], row["loop"], row["client_id"], at, row["state"], row["detail"] or "")


def _watcher(heartbeats: Sequence[Row], max_age: float, now: datetime) -> Check:
    if not heartbeats:
        return Check(ok=False, sentence="no watcher runs")
    beats, allowed = [_heartbeat(row) for row in heartbeats], timedelta(seconds=max_age)
    trouble = watchers_trouble(beats, now, allowed)
    if trouble is None:
        return Check(ok=True, sentence="every loop beats")
    bare = watchers_trouble(beats, now, allowed, detailed=False)
    return Check(ok=False, sentence=trouble, public=bare)


def _not_read_yet(heartbeats: Sequence[Row], client: str, max_age: float, now: datetime) -> Check | None:
    """Return a failed check while the client's entries wait for the first read of the broker.

    None when a watcher with a fresh heartbeat may send the client's entries. None also when no heartbeat is fresh,
    because the `watcher` check reports that.
    """
    own = [b for b in heartbeats if (b["client_id"], b["loop"]) == (client, "reconcile")]
    fresh = [b for b in own if abs(age_seconds(b["beat_at"], now) or 0.0) <= max_age]
    waiting = [b for b in fresh if b["state"] == WAITING]
    if not waiting or any(b["state"] == "OK" for b in fresh):
        return None
    missing = json.loads(
        waiting[0]["missing_json"] or "{}"
    )  # a watcher of an earlier version wrote `detail` alone
    if Part.ACCOUNT in missing:
        public = f"{client} is not served: its rows are those of another account"
        return Check(ok=False, sentence=missing[Part.ACCOUNT], public=public)
    says = f"entries of {client} wait for the first look"
    parts = ", ".join(part for part in TO_BE_READ if part in missing)
    public = f"{says}: {parts}" if parts else says
    return Check(ok=False, sentence=f"{says}: {waiting[0]['detail']}", public=public)


def _readable(read: Check, rows: Sequence[UnreadableRow], client: str, *, loss_is_limited: bool) -> Check:
    """Add unreadable rows to a broker's check. The check fails when these rows stop all entries of the client."""
    if not rows:
        return read
    many = f"{len(rows)} rows of them cannot" if len(rows) > 1 else "a row of them cannot"
    stops = what_they_stop(rows, client, loss_is_limited=loss_is_limited)
    stopped = stops_all_entries(rows, loss_is_limited=loss_is_limited)
    # The public sentence names no symbol and quotes no row: what the account holds is private.
    public = (
        f"no entry of {client} can pass" if stopped else "exits and entries of single symbols are stopped"
    )
    return Check(
        ok=read.ok and not stopped,
        sentence=f"{read.sentence}; {many} be read: {stops} ({'; '.join(row.text for row in rows)})",
        public=f"{read.public or read.sentence}; {many} be read: {public}",
    )


def account_read(account: Row) -> AccountRead:
    """Return what an account's row says of its last read."""
    read_at, compared_at = account.get("positions_read_at"), account.get("positions_compared_at")
    return AccountRead(
        None if read_at is None else parse_time(read_at),
        account.get("read_error"),
        None if compared_at is None else parse_time(compared_at),
    )


def _broker(account: Row, max_age: float, now: datetime) -> Check:
    read = account_read(account)
    state = read_state(read, now, timedelta(seconds=max_age))
    age = 0.0 if read.read_at is None else (now - read.read_at).total_seconds()
    if state is ReadState.NEVER_READ:
        return Check(ok=False, sentence="positions were never read")
    if state is ReadState.IN_THE_FUTURE:
        said = f"positions were read {-age:.0f} s in the future: the clock was set back, they are not known to be new"
        return Check(ok=False, sentence=said)
    if state is ReadState.CANNOT_BE_READ:
        bare = f"positions cannot be read since {age:.0f} s: exits wait"
        return Check(ok=False, sentence=f"{bare}: {read.error}", public=bare)
    sentence = f"positions were read {age:.0f} s ago, {max_age:.0f} s are allowed"
    return Check(ok=state is ReadState.CURRENT, sentence=sentence)
