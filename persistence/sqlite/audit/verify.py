"""Verify that orders.db still matches what happened.

The check is read-only and streaming, and reads one consistent snapshot of the database.
"""

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from persistence.reports import Report
from persistence.sqlite.adoptions import check_adoptions
from persistence.sqlite.audit.event_coverage import check_coverage
from persistence.sqlite.audit.replay import History, faults, histories
from persistence.sqlite.triggers import TRIGGERS


def verify(path: Path, archive_path: Path | None = None) -> Report:
    """Check orders.db and, if it exists, the archive to which orders were moved.

    Writers are not blocked. Only the write-ahead log cannot be truncated while this runs.

    Raises:
        sqlite3.Error: the database cannot be opened at all.
    """
    report = Report()
    with ExitStack() as stack:
        orders = stack.enter_context(closing(_open(path)))
        archive = None
        if archive_path is not None and archive_path.exists():
            # Open the archive second: an order that is archived meanwhile is then seen twice instead of nowhere.
            archive = stack.enter_context(closing(_open(archive_path)))
        checks: list[Callable[[], None]] = [
            lambda: _check_file(orders, "orders.db", report),
            lambda: _check_triggers(orders, report),
            lambda: _check_orders(orders, report),
            lambda: _check_archive(orders, archive, report),
            lambda: _check_coverage(orders, archive, report),
            lambda: _check_adoptions(orders, report),
        ]
        for check in checks:
            try:
                check()
            except sqlite3.DatabaseError as error:
                report.add("orders.db", f"cannot be read: {error}")
    return report


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("BEGIN")
    # The snapshot begins with the first read.
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _check_file(connection: sqlite3.Connection, name: str, report: Report) -> None:
    for (answer,) in connection.execute("PRAGMA integrity_check"):
        if answer != "ok":
            report.add(name, f"SQLite finds the file damaged: {answer}")


def _check_triggers(connection: sqlite3.Connection, report: Report) -> None:
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    present = {name: sql.strip() for name, sql in rows}
    for name, sql in TRIGGERS.items():
        if name not in present:
            report.add(f"trigger {name}", "is missing; a start of the service restores it")
        elif present[name] != sql.strip():
            report.add(f"trigger {name}", "is not this program's; a start of the service restores it")
    for name in sorted(present.keys() - TRIGGERS.keys()):
        report.add(f"trigger {name}", "is unknown to this program")


def _check_orders(orders: sqlite3.Connection, report: Report) -> None:
    for history in histories(orders):
        report.orders += history.row is not None
        report.events += len(history.events)
        for fault in faults(history):
            report.add(history.command_id, fault)


def _check_archive(orders: sqlite3.Connection, archive: sqlite3.Connection | None, report: Report) -> None:
    (recorded,) = orders.execute("SELECT count(*) FROM archived_orders").fetchone()
    both = orders.execute("SELECT command_id FROM archived_orders JOIN orders USING (command_id)")
    for (command_id,) in both:
        report.add(command_id, "is recorded as archived and still in orders")
    if archive is None:
        if recorded:
            report.warnings.append(
                f"{recorded} orders are archived, and there is no archive to verify them in"
            )
        return
    _check_file(archive, "archive", report)
    wanted = orders.execute("SELECT command_id, event_hash FROM archived_orders ORDER BY command_id")
    heads: Iterator[tuple[str, str | History]] = ((command_id, head) for command_id, head in wanted)
    copies: Iterator[tuple[str, str | History]] = ((h.command_id, h) for h in histories(archive))
    for command_id, parts in groupby(heapq.merge(heads, copies, key=itemgetter(0)), itemgetter(0)):
        head, copy = _head_and_copy(part for _, part in parts)
        if head is None:
            _check_unrecorded(command_id, orders, report)
            continue
        report.archived += 1
        for fault in _archived_faults(head, copy):
            report.add(command_id, fault)


def _head_and_copy(parts: Iterable[str | History]) -> tuple[str | None, History | None]:
    head: str | None = None
    copy: History | None = None
    for part in parts:
        if isinstance(part, History):
            copy = part
        else:
            head = part
    return head, copy


def _archived_faults(head: str, copy: History | None) -> Iterator[str]:
    if copy is None:
        yield "is recorded as archived and is not in the archive"
        return
    yield from (f"in the archive: {fault}" for fault in faults(copy))
    if copy.events and copy.events[-1]["hash"] != head:
        yield "in the archive: its last event is not the one it was archived with"


def _check_unrecorded(command_id: str, orders: sqlite3.Connection, report: Report) -> None:
    """Report an archived copy without a record, unless the original is still in orders.

    A copy without a record whose original still exists comes from an interrupted move.
    """
    if orders.execute("SELECT 1 FROM orders WHERE command_id = ?", (command_id,)).fetchone() is None:
        report.add(command_id, "is in the archive, neither recorded as archived nor in orders")


def _check_adoptions(orders: sqlite3.Connection, report: Report) -> None:
    report.adoptions = check_adoptions(orders, report.add)


def _check_coverage(orders: sqlite3.Connection, archive: sqlite3.Connection | None, report: Report) -> None:
    coverage = check_coverage(orders, archive, report.add)
    report.checkpoints = coverage.checkpoints
    report.uncovered = coverage.uncovered
    report.head = coverage.head
    if coverage.unseen:
        report.warnings.append(f"{coverage.unseen} checkpoints cover archived events and were not verified")
