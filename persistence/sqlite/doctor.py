"""Check the health of orders.db and of the processes that use it.

Each finding says what to do about it.
"""

import shlex
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from domain.account import BrokerAccount, not_served, taken
from domain.broker_reports import UnreadableRow
from domain.health import ComparedState, ReadState, compared_state, read_state, watchers_trouble
from domain.stale_orders import FROZEN_AFTER
from domain.unconfigured_clients import what_to_do
from domain.unreadable_rows import place_of, what_they_stop
from persistence.reports import Expected, Finding, Health
from persistence.sqlite.damage import no_room
from persistence.sqlite.queries.health import Account, DatabaseHealth, StandingHalt, read_vitals

_FULL_SOON = 1 << 30  # bytes free
_FULL = 100 << 20
_MESSAGES_LATE = timedelta(seconds=60)
_CLOCK_SLACK = timedelta(seconds=1)


def check_up(path: Path, now: datetime, expected: Expected) -> Iterator[Finding]:
    """Yield findings about everything that orders.db shows, without changing anything."""
    yield _disk(path)
    try:
        vitals = read_vitals(path, beats_since=now - expected.beat_max_age, sent_before=now - FROZEN_AFTER)
    except sqlite3.Error as error:
        yield Finding(
            Health.FAIL,
            "database",
            f"{path.absolute()}: {error}",
            "start the service or run `python cli.py migrate`"
            if no_room(path) is None
            else "free some room on the disk first: whether anything is wrong cannot be told before",
        )
        return
    yield _schema(path, vitals)
    yield _clock(vitals, now)
    yield _watcher(vitals, now, expected, _starting(path))
    accounts = {account.client_id: account for account in vitals.accounts}
    for client_id, configured in expected.accounts.items():
        yield _account(client_id, vitals.accounts, configured)
    yield from _unconfigured(vitals, expected)
    for client_id, max_age in expected.positions_max_age.items():
        read = _positions(client_id, accounts.get(client_id), now, max_age)
        yield _readable(read, client_id, vitals.unreadable.get(client_id, ()), expected)
    yield _outbox(vitals, now, expected)
    yield _unknown(vitals)
    yield _frozen(vitals)
    yield _differences(vitals, now, expected)
    for client_id in expected.exits_off:
        if client_id in vitals.exposed:
            yield _exits_off(client_id, vitals.exposed[client_id])
    for halt in vitals.halts:
        advice = f"`{_resume(halt)}` when entries may go on"
        yield Finding(Health.WARN, "halted", halt.text, advice)


def _unconfigured(vitals: DatabaseHealth, expected: Expected) -> Iterator[Finding]:
    """Report what clients that the settings do not name have open. No watcher follows it."""
    known = expected.accounts.keys() | expected.positions_max_age.keys()
    for rows in vitals.unserved if known else ():
        if rows.client_id not in known:
            name = f"client {rows.client_id}"
            yield Finding(
                Health.FAIL,
                name,
                f"not configured, and nobody follows or exits what it has open: {rows}",
                what_to_do(rows, expected.accounts),
            )


def _exits_off(client_id: str, held: str) -> Finding:
    advice = (
        "set LIVE_TRADING=true and start anew, or close it at the broker: no exit and no stop of ours is sent"
    )
    return Finding(
        Health.FAIL, "exits", f"live trading is off for {client_id}, which has open: {held}", advice
    )


def _resume(halt: StandingHalt) -> str:
    """The command that lifts this halt and no other."""
    words = ["python", "cli.py", "resume", *_option("--client", halt.client_id)]
    if halt.strategy_name is not None:
        words += _option("--strategy", halt.strategy_name)
    return shlex.join(words)


def _option(name: str, value: str) -> list[str]:
    """Use an equals sign for a value that begins with a dash, so that it is not parsed as an option."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _disk(path: Path) -> Finding:
    folder = next((f for f in path.absolute().parents if f.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    full = no_room(path)
    if full is not None:
        advice = "free some: until then no alert is taken (503) and no order is sent, exits included; nothing is lost"
        return Finding(Health.FAIL, "disk", full, advice)
    health = Health.FAIL if free < _FULL else Health.WARN if free < _FULL_SOON else Health.OK
    advice = "" if health is Health.OK else "free some: an alert that cannot be written is refused"
    return Finding(health, "disk", f"{free / (1 << 30):.1f} GiB free in {folder}", advice)


def _schema(path: Path, vitals: DatabaseHealth) -> Finding:
    if vitals.pending_migrations:
        missing = ", ".join(vitals.pending_migrations)
        return Finding(Health.FAIL, "database", f"not migrated: {missing}", "run `python cli.py migrate`")
    if vitals.triggers_changed:
        return Finding(
            Health.FAIL,
            "database",
            "its triggers are not this program's",
            "run `python cli.py migrate`, then `verify`",
        )
    return Finding(Health.OK, "database", f"{path.absolute()} opens and is migrated")


def _clock(vitals: DatabaseHealth, now: datetime) -> Finding:
    """Compare the clock with the last event, which cannot be later than now.

    No other clock is available for comparison.
    """
    if vitals.last_event is not None and vitals.last_event > now + _CLOCK_SLACK:
        text = f"it is {now:%Y-%m-%d %H:%M:%S} UTC, but the last event is of {vitals.last_event:%Y-%m-%d %H:%M:%S}"
        return Finding(
            Health.FAIL, "clock", text, "the machine's clock went back: set it, and keep it by NTP"
        )
    return Finding(Health.OK, "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, later than all events")


def _starting(path: Path) -> str:
    """Return the advice for when no watcher writes heartbeats."""
    if no_room(path) is not None:
        return "free some room on the disk: until then no heartbeat can be written, and no order is sent"
    return "start the service (`python trading_bot.py`): without a watcher no order is sent"


def _watcher(vitals: DatabaseHealth, now: datetime, expected: Expected, advice: str) -> Finding:
    if not vitals.heartbeats:
        # A watcher that shuts down normally deletes its heartbeats. What it read from the brokers stays.
        read = [account.positions_read_at for account in vitals.accounts if account.positions_read_at]
        last = f"does not run; positions were last read {_ago(now - max(read))}" if read else "does not run"
        return Finding(Health.FAIL, "watcher", last if vitals.accounts else "has never run", advice)
    age = now - max(beat.at for beat in vitals.heartbeats)
    if abs(age) > expected.beat_max_age:
        return Finding(Health.FAIL, "watcher", f"last beat {_ago(age)}", advice)
    if vitals.troubled_loops:
        return Finding(Health.WARN, "watcher", "; ".join(vitals.troubled_loops), "see the service's log")
    trouble = watchers_trouble(vitals.heartbeats, now, expected.beat_max_age)
    if trouble is not None:  # one loop hangs while another one of the same watcher beats
        return Finding(Health.FAIL, "watcher", trouble, "see the service's log")
    return Finding(Health.OK, "watcher", f"last beat {_ago(age)}")


def _account(client_id: str, accounts: Sequence[Account], configured: BrokerAccount) -> Finding:
    name = f"account of {client_id}"
    known = {account.client_id: account.remembered for account in accounts}
    remembered = known.get(client_id)
    if remembered is None:
        other = next((id_ for id_, account in known.items() if account == configured), None)
        if other is not None:
            advice = f"if {other} was renamed: `python cli.py rebind {other} {client_id}`"
            return Finding(Health.FAIL, name, taken(client_id, other, configured), advice)
        return Finding(Health.OK, name, f"{configured}, whose the rows will be: no watcher has read it yet")
    if remembered != configured:
        advice = f"go back, set another ORDERS_DB, or `python cli.py rebind {client_id}`"
        return Finding(Health.FAIL, name, not_served(client_id, remembered, configured), advice)
    return Finding(Health.OK, name, f"{configured}, whose the rows are")


def _positions(client_id: str, account: Account | None, now: datetime, max_age: timedelta) -> Finding:
    name = f"broker of {client_id}"
    advice = "entries are blocked until its positions are read again; see the service's log"
    error = f": {account.read_error}" if account is not None and account.read_error else ""
    if account is None or account.positions_read_at is None:
        return Finding(Health.FAIL, name, f"its positions were never read{error}", advice)
    age = now - account.positions_read_at
    if read_state(account.read, now, max_age) is not ReadState.CURRENT:
        return Finding(Health.FAIL, name, f"positions read {_ago(age)}{error}", advice)
    return Finding(Health.OK, name, f"positions read {_ago(age)}")


def _readable(read: Finding, client_id: str, rows: Sequence[UnreadableRow], expected: Expected) -> Finding:
    """Turn the finding into a failure if a row of the positions is unreadable, however recent the read is."""
    if not rows:
        return read
    stops = what_they_stop(rows, client_id, loss_is_limited=client_id in expected.loss_limited)
    said = "; ".join(row.text for row in rows)
    advice = (
        "look at the position in the broker's own terminal; if it must be closed now, close it there: an exit of ours "
        "goes when the row can be read"
    )
    text = f"{read.text}, but of them cannot be read: {said}; {stops}"
    return replace(read, health=Health.FAIL, text=text, advice=read.advice or advice)


def _outbox(vitals: DatabaseHealth, now: datetime, expected: Expected) -> Finding:
    text = f"{vitals.outbox} messages wait"
    if not expected.telegram:
        advice = "set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID: nobody is told of blocks and failures"
        return Finding(Health.WARN, "messages", f"Telegram is not set up; {text}", advice)
    if vitals.outbox_since is not None and now - vitals.outbox_since > _MESSAGES_LATE:
        since = _ago(now - vitals.outbox_since)
        return Finding(
            Health.WARN, "messages", f"{text}, the oldest from {since}", "see the service's log for Telegram"
        )
    return Finding(Health.OK, "messages", text)


def _unknown(vitals: DatabaseHealth) -> Finding:
    if vitals.unknown_orders:
        advice = "look at the broker's book, then `python cli.py resolve ID`"
        return Finding(Health.WARN, "orders", f"{vitals.unknown_orders} with an unknown outcome", advice)
    return Finding(Health.OK, "orders", "none with an unknown outcome")


def _frozen(vitals: DatabaseHealth) -> Finding:
    if vitals.frozen_orders:
        advice = "look whether they should still be there: `python cli.py orders --frozen`"
        return Finding(Health.WARN, "long at broker", f"{vitals.frozen_orders} for over an hour", advice)
    return Finding(Health.OK, "long at broker", "none for over an hour")


def _differences(vitals: DatabaseHealth, now: datetime, expected: Expected) -> Finding:
    """Report differences of configured clients only: nobody compares positions of a client that is not configured."""
    known = {account.client_id: account for account in vitals.accounts}
    unknown = [
        f"{client} ({why})"
        for client, max_age in expected.positions_max_age.items()
        if (why := _why_not_compared(known.get(client), now, max_age)) is not None
    ]
    unknown += [
        f"{client} ({'; '.join(dict.fromkeys(map(place_of, rows)))}: a row cannot be read)"
        for client, rows in vitals.unreadable.items()
        if client in expected.positions_max_age
    ]
    missing = [f"not compared for {', '.join(unknown)}"] if unknown else []
    found = [text for client, text in vitals.differences if client in expected.positions_max_age]
    if found:
        advice = (
            "look who traded: Orderwatch does not trade against what it cannot explain; units that no strategy "
            "holds can be made one's with cli.py adopt"
        )
        return Finding(Health.WARN, "positions", "; ".join(found + missing), advice)
    if missing:
        advice = (
            "nothing is known of them until the broker's order book and all of the positions are read again"
        )
        return Finding(Health.WARN, "positions", missing[0], advice)
    return Finding(Health.OK, "positions", "as our strategies hold them")


def _why_not_compared(account: Account | None, now: datetime, max_age: timedelta) -> str | None:
    """Return since when the positions were not compared and, if known, why.

    Return None if they were compared within `max_age` and the last read succeeded.
    """
    if account is None or account.compared_at is None:
        return "never yet"
    if compared_state(account.read, now, max_age) is ComparedState.CURRENT:
        return None
    why = f": {account.read_error}" if account.read_error else ""
    return f"since {account.compared_at:%Y-%m-%d %H:%M:%S} UTC{why}"


def _ago(age: timedelta) -> str:
    seconds = age.total_seconds()
    if seconds < -1:
        return f"{-seconds:.0f} s in the future (the clock was set back)"
    return f"{seconds:.1f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
