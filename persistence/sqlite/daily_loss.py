"""Store the trading day's profit and loss in the client's row of `accounts`, and lifts of its latches in `lifts`."""

import json
import sqlite3
from datetime import date, datetime

from domain.broker_reports import PositionsSnapshot
from domain.daily_loss import DayLoss, Lift, PnlRead, after_read
from domain.money import decimal_text, optional_decimal, optional_text, parse_decimal
from domain.times import parse_time, time_text
from persistence.sqlite.differences import forget_explanations
from persistence.sqlite.queries.statements import statement

_COLUMNS = (
    "trading_day, pnl, known_pnl, carried_pnl, pnl_is_carried, recent_lows, lowest_pnl, loss_counts_from, "
    "loss_latched"
)


def day_loss(connection: sqlite3.Connection, client_id: str) -> DayLoss | None:
    """Return the client's stored profit and loss of the day, or None while no positions were read."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM accounts WHERE client_id = ? AND trading_day IS NOT NULL", (client_id,)
    ).fetchone()
    if row is None:
        return None
    day, pnl, known, carried, is_carried, lows, lowest, counts_from, latched = row
    return DayLoss(
        day=date.fromisoformat(day),
        pnl=optional_decimal(pnl),
        known_pnl=optional_decimal(known),
        carried_pnl=optional_decimal(carried),
        is_carried=bool(is_carried),
        lows=tuple((parse_time(at), parse_decimal(low)) for at, low in json.loads(lows)),
        lowest=optional_decimal(lowest),
        counts_from=parse_decimal(counts_from),
        latched=frozenset(json.loads(latched)),
    )


def save_day_loss(connection: sqlite3.Connection, client_id: str, loss: DayLoss) -> None:
    """Write the day's profit and loss to the client's row. The row's other columns stay."""
    connection.execute(
        f"INSERT INTO accounts (client_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (client_id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")),
        (
            client_id,
            loss.day.isoformat(),
            optional_text(loss.pnl),
            optional_text(loss.known_pnl),
            optional_text(loss.carried_pnl),
            int(loss.is_carried),
            json.dumps([(time_text(at), decimal_text(low)) for at, low in loss.lows]),
            optional_text(loss.lowest),
            decimal_text(loss.counts_from),
            json.dumps(sorted(loss.latched)),
        ),
    )


def save_read(
    connection: sqlite3.Connection,
    client_id: str,
    snapshot: PositionsSnapshot,
    day: date,
    day_starts: datetime | None,
    compared_at: datetime | None = None,
) -> None:
    """Record that positions were read, and update the day's loss from the snapshot.

    From the first read of a day on, external orders of earlier days explain nothing more.
    """
    read = PnlRead(
        at=snapshot.read_started_at,
        day=day,
        pnl=snapshot.day_pnl,
        day_starts=day_starts,
        has_filled_today=day_starts is not None and _has_filled(connection, client_id, day_starts),
    )
    before = day_loss(connection, client_id)
    if before is not None and before.day != day and day_starts is not None:
        forget_explanations(connection, client_id, day_starts)
    save_day_loss(connection, client_id, after_read(before, read))
    connection.execute(
        statement("note_positions_read"),
        (
            time_text(snapshot.read_started_at),
            None if compared_at is None else time_text(compared_at),
            client_id,
        ),
    )


def _has_filled(connection: sqlite3.Connection, client_id: str, since: datetime) -> bool:
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM last_fills WHERE client_id = ? AND filled_at >= ?)",
        (client_id, time_text(since)),
    ).fetchone()
    return bool(found[0])


def keep_lift(connection: sqlite3.Connection, lift: Lift) -> None:
    """Record who lifted which latches, when and why. Nothing is ever deleted from this table."""
    connection.execute(
        "INSERT INTO lifts (client_id, lifted_at, lifted_by, reason, trading_day, lowest_pnl, pnl, "
        "loss_counted_from, latched) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            lift.client_id,
            time_text(lift.at),
            lift.by,
            lift.reason,
            lift.day.isoformat(),
            optional_text(lift.lowest),
            decimal_text(lift.pnl),
            decimal_text(lift.counts_from),
            json.dumps(sorted(lift.latched)),
        ),
    )
