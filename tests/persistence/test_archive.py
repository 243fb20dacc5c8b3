"""Moving closed orders away: what may go goes whole, and no moment of death loses anything."""

import itertools
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.states import STATUS_OF, Phase, Status
from persistence.reports import NOTHING, ArchiveProgress
from persistence.sqlite import archive as module
from persistence.sqlite.archive import archive, archive_beside
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.database import connect
from tests.persistence.making import START, Maker

LATER = START + timedelta(days=40)
CLOSED = {phase for phase in Phase if STATUS_OF[phase] in (Status.EXECUTED, Status.FAILED)}


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    maker = Maker(tmp_path / "orders.db")
    for phase in Phase:
        maker.order(phase, phase)
    maker.sent_all()
    return maker


def move(maker: Maker, *, batch: int = 3, older_than=LATER) -> ArchiveProgress:
    """Everything that may go, batch by batch."""
    total = NOTHING
    while True:
        moved = archive(maker.path, archive_beside(maker.path), older_than=older_than, batch=batch, now=LATER)
        if moved == NOTHING:
            return total
        total += moved


def test_a_call_is_bounded(maker):
    moved = archive(maker.path, archive_beside(maker.path), older_than=LATER, batch=3, now=LATER)
    assert moved.orders == 3
    assert is_right(maker)


def ids(path: Path, table: str = "orders") -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute(f"SELECT command_id FROM {table}")}


def contents(path: Path) -> dict[str, list[tuple]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
            for table in ("orders", "order_events", "telegram_messages")
        }


def together(maker: Maker) -> dict[str, list[tuple]]:
    """What both databases hold, each row once."""
    here, there = contents(maker.path), contents(archive_beside(maker.path))
    return {table: sorted({*here[table], *there[table]}, key=lambda row: row[0]) for table in here}


def is_right(maker: Maker) -> bool:
    return verify(maker.path, archive_beside(maker.path)).exit_code == 0


def test_closed_orders_move_with_all_that_is_theirs(maker):
    before = contents(maker.path)
    progress = move(maker)
    assert progress.orders == len(CLOSED)
    assert ids(archive_beside(maker.path)) == {f"{phase}-1" for phase in CLOSED}
    assert ids(maker.path) == {f"{phase}-1" for phase in set(Phase) - CLOSED}
    assert ids(maker.path, "order_events") == ids(maker.path)
    assert together(maker) == before
    assert is_right(maker)


def test_what_a_watched_group_is_made_of_stays(maker):
    at = START.isoformat()
    group = f"'all_or_none', 'unwind', 1, '[]', '{at}', '{at}', NULL, 'COMPLETE', '', NULL, NULL, 1, NULL"
    for phase, is_watched in ((Phase.FILLED, 1), (Phase.REJECTED, 0)):
        maker.sql(
            f"INSERT INTO order_groups VALUES ('{phase}-1', '{phase}', 'default', 'S', {group}, {is_watched})"
        )
    move(maker)
    assert f"{Phase.FILLED}-1" in ids(maker.path)
    assert f"{Phase.REJECTED}-1" not in ids(maker.path)


def test_what_keeps_duplicates_out_stays(maker):
    before = maker.rows("SELECT * FROM alerts"), maker.rows("SELECT * FROM order_intents")
    move(maker)
    assert (maker.rows("SELECT * FROM alerts"), maker.rows("SELECT * FROM order_intents")) == before
    earlier = maker.store.write(lambda tx: tx.last_accepted("default|signal|FILLED"))
    assert earlier is not None
    assert earlier.generation == 0


def test_nothing_younger_than_the_cutoff_moves(maker):
    assert move(maker, older_than=START) == NOTHING
    assert len(ids(maker.path)) == len(Phase)


def test_again_moves_nothing(maker):
    move(maker)
    before = contents(maker.path), contents(archive_beside(maker.path))
    assert move(maker) == NOTHING
    assert (contents(maker.path), contents(archive_beside(maker.path))) == before


def test_legs_of_one_alert_stay_together(maker):
    maker.alert("spread", Phase.FILLED, Phase.WORKING)
    maker.alert("closed", Phase.FILLED, Phase.CANCELLED, Phase.BLOCKED)
    maker.sent_all()
    move(maker, batch=1)
    assert {"spread-1", "spread-2"} <= ids(maker.path)
    assert {"closed-1", "closed-2", "closed-3"} <= ids(archive_beside(maker.path))


def test_a_younger_leg_keeps_the_older_ones(maker):
    first, _ = maker.alert("spread", Phase.CANCELLED, Phase.WORKING)
    cutoff = maker.clock.now()
    late = maker.store.get_by_id("spread-2")
    assert late is not None
    maker.step(late, Phase.FILLED)
    maker.sent_all()
    move(maker, older_than=cutoff)
    assert {first.command_id, late.command_id} <= ids(maker.path)


def test_orders_that_wait_do_not_keep_the_others_waiting(tmp_path):
    maker = Maker(tmp_path / "orders.db")
    maker.order("a", Phase.FILLED)
    maker.order("b", Phase.FILLED)
    maker.sql("UPDATE telegram_messages SET status = 'SENT' WHERE command_id = 'b-1'")
    assert move(maker, batch=1).orders == 1
    assert ids(maker.path) == {"a-1"}


def test_an_order_with_a_message_to_be_sent_waits(maker):
    maker.order("told", Phase.BLOCKED)
    move(maker)
    assert "told-1" in ids(maker.path)
    maker.sent_all()
    assert move(maker).orders == 1
    assert "told-1" in ids(archive_beside(maker.path))


def test_new_orders_follow_and_are_covered(maker):
    move(maker)
    maker.order("second", Phase.REJECTED)
    maker.order("third", Phase.WORKING)
    maker.sent_all()
    assert move(maker).orders == 1
    assert is_right(maker)


def test_a_batch_must_be_positive(maker):
    with pytest.raises(ValueError, match="positive"):
        move(maker, batch=0)


# interrupted ------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_before(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    real: Callable[..., object] = getattr(module, name)
    calls = []

    def dying(*args: object) -> object:
        calls.append(name)
        if len(calls) == call:
            raise Killed
        return real(*args)

    monkeypatch.setattr(module, name, dying)


@pytest.mark.parametrize("name", ["_make_archive", "_cover", "_copy", "_remove"])
@pytest.mark.parametrize("call", [1, 2])
def test_killed_between_two_steps_the_next_run_completes(maker, monkeypatch, name, call):
    before = contents(maker.path)
    with monkeypatch.context() as patch:
        kill_before(patch, name, call)
        with pytest.raises(Killed):
            move(maker)
    if archive_beside(maker.path).exists():
        assert is_right(maker)
        assert together(maker) == before
    move(maker)
    assert ids(archive_beside(maker.path)) == {f"{phase}-1" for phase in CLOSED}
    assert together(maker) == before
    assert is_right(maker)


def archive_until(maker: Maker, statement: int) -> bool:
    """Archive in a process that is killed before its n-th statement; True when it came to its end first."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    try:
        vars(module)["connect"] = lambda path: killing(connect(path), itertools.count(1), statement)
        move(maker, batch=4)
        os._exit(0)
    finally:
        os._exit(1)


def killing(connection: sqlite3.Connection, seen: Iterator[int], last: int) -> sqlite3.Connection:
    connection.set_trace_callback(
        lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(seen) == last else None
    )
    return connection


@pytest.mark.timeout(240)  # a process for each statement, each of which waits for the disk
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.gate)])
def test_killed_at_any_statement_nothing_is_lost(maker, step):
    """Every statement of a run in turn is its last, or each seventh; the run after it must complete the move."""
    before = contents(maker.path)
    maker.store.close()
    for statement in itertools.count(1, step):
        trial = Maker(maker.path.parent / str(statement) / "orders.db")
        with closing(sqlite3.connect(maker.path)) as source, closing(sqlite3.connect(trial.path)) as target:
            source.backup(target)
        ended = archive_until(trial, statement)
        move(trial)
        assert together(trial) == before, statement
        assert ids(archive_beside(trial.path)) == {f"{phase}-1" for phase in CLOSED}
        assert is_right(trial)
        if ended:
            break
    assert statement > 40


def test_an_order_that_changes_between_copy_and_removal_stays(maker, monkeypatch):
    """The broker shows a rejected order filled just then: its book wins, and the archive must not hide it."""
    real = module._remove

    def changing(connection: sqlite3.Connection, at: str) -> ArchiveProgress:
        order = maker.store.get_by_id("REJECTED-1")
        if order is not None and order.phase is Phase.REJECTED:
            maker.step(order, Phase.FILLED)
        return real(connection, at)

    monkeypatch.setattr(module, "_remove", changing)
    move(maker, batch=100)
    assert "REJECTED-1" in ids(maker.path)
    assert is_right(maker)
    monkeypatch.undo()
    maker.sent_all()
    move(maker)
    moved = dict(archive_rows(maker, "SELECT command_id, phase FROM orders"))
    assert moved["REJECTED-1"] == "FILLED"
    assert is_right(maker)


def archive_rows(maker: Maker, query: str) -> list[tuple]:
    with closing(sqlite3.connect(archive_beside(maker.path))) as connection:
        return connection.execute(query).fetchall()


def test_two_archivers_at_once_lose_nothing(maker, monkeypatch):
    before = contents(maker.path)
    real = module._remove

    def overtaken(connection: sqlite3.Connection, at: str) -> ArchiveProgress:
        monkeypatch.setattr(module, "_remove", real)
        move(maker, batch=100)
        return real(connection, at)

    monkeypatch.setattr(module, "_remove", overtaken)
    move(maker, batch=2)
    assert together(maker) == before
    assert is_right(maker)


def test_what_was_told_once_of_an_order_is_forgotten_with_it(maker):
    for phase in (Phase.FILLED, Phase.WORKING):
        (order,) = [id_ for id_ in ids(maker.path) if id_.startswith(phase)]
        notice = Notice(NoticeKind.SYSTEM, "default", maker.store.get_by_id(order))
        maker.store.write(
            lambda tx, n=notice, id_=order: tx.notify_once(NoticeKey(NoticeSubject.FROZEN, (id_,)), n)
        )
    maker.sent_all()
    move(maker)
    (kept,) = maker.rows("SELECT command_id FROM told_notices")
    assert kept[0].startswith(Phase.WORKING)
