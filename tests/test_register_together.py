"""Alerts that are registered together end up as they would one after the other, and harm each other no more."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from alerts.auth import Secrets
from alerts.formats.description import AskedFor
from alerts.rate_limit import delivery_limiter, guess_limiter
from alerts.receiver import AlertReceiver, Answer, Received
from blockers.pipeline import question
from domain.alert import Delivery, ParsedAlert
from domain.broker_reports import PositionsSnapshot
from domain.enums import Outcome, Side
from domain.errors import ConcurrentUpdate, InvalidAlert, SignalReused, StoreUnavailable
from domain.ids import ulid
from domain.limits import Limits, StrategyBook, StrategyPolicy
from domain.protection_terms import Terms
from domain.receipt import Receipt
from persistence.sqlite.identity import IdentityGuard
from tests.full_disk import fill_the_disk
from tests.support import EXIT, INDEPENDENT, START, Desk, entry, leg
from trading_bot import TradingBot

ROOT = Path(__file__).resolve().parents[1]
TABLES = {
    "alerts": "rowid",
    "orders": "rowid",
    "order_events": "event_id",
    "order_intents": "id",
    "telegram_messages": "id",
    "holdings": "rowid",
}
"""Each with the order in which its rows were written."""


class IdsByTime:
    """One id for one instant, however often it is asked for."""

    def alert_id(self, at: datetime) -> str:
        return ulid(at, 0)


def desk_in(folder: Path, **options: object) -> Desk:
    desk = Desk(folder, **options)  # type: ignore[arg-type]
    desk.commands = desk.new_front_desk(ids=IdsByTime())
    return desk


def delivered(alerts: list[ParsedAlert], at: datetime = START) -> list[tuple[ParsedAlert, Delivery]]:
    return [
        (alert, Delivery(at + timedelta(milliseconds=7 * number), "127.0.0.1", f"{number}", "native"))
        for number, alert in enumerate(alerts, 1)
    ]


def one_by_one(desk: Desk, alerts: list[tuple[ParsedAlert, Delivery]]) -> list[object]:
    results: list[object] = []
    for alert, delivery in alerts:
        try:
            results.append(desk.commands.register(alert, delivery))
        except Exception as error:  # noqa: BLE001 - compared with what the batch returns
            results.append(error)
    return results


def plain(results: list[object]) -> list[object]:
    return [(type(each), str(each)) if isinstance(each, Exception) else each for each in results]


def content(desk: Desk) -> dict[str, list[tuple[object, ...]]]:
    return {table: desk.rows(f"SELECT * FROM {table} ORDER BY {order}") for table, order in TABLES.items()}


# any batch -------------------------------------------------------------------------------------------------

legs = st.builds(
    lambda symbol, side, qty, exchange: leg(symbol, qty, side=side, exchange=exchange),
    st.sampled_from(["A", "B", "C", "D", "E"]),
    st.sampled_from(Side),
    st.sampled_from([10, 50, 5000]),
    st.sampled_from(["NFO", "NFO", "NFO", "NSE"]),
)
entries = st.builds(
    lambda legs, strategy, sig, client: entry(*legs, strategy_name=strategy, signal_id=sig, client_id=client),
    st.lists(legs, min_size=1, max_size=2, unique_by=lambda each: each.symbol),
    st.sampled_from(["S1", "S2", "S3"]),
    st.sampled_from([None, None, "x", "y", "z"]),
    st.sampled_from(["default"] * 9 + ["nobody"]),
)
exits = st.builds(
    lambda symbol, strategy: entry(leg(symbol, None, side=None), strategy_name=strategy, **EXIT),
    st.sampled_from(["A", "B"]),
    st.sampled_from(["S1", "S2"]),
)
batches = st.lists(st.one_of(entries, entries, entries, exits), min_size=1, max_size=12)
limits = st.sampled_from(
    [
        Limits(positions_max_age_seconds=1e6),
        Limits(positions_max_age_seconds=1e6, max_entries=2, max_order_value=Decimal(100_000)),
        Limits(positions_max_age_seconds=1e6, max_open_orders=3),
        Limits(positions_max_age_seconds=1e6, max_orders_per_minute=2),
        Limits(positions_max_age_seconds=0.02),
    ]
)


@given(
    before=batches, alerts=batches, cuts=st.sets(st.integers(1, 11)), limits=limits, held=st.sampled_from([0, 50, -50]),
    halted=st.sampled_from([None, None, None, "S1", ""]), grouped=st.booleans(), settled=st.booleans(),
)  # fmt: skip
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_a_batch_is_what_its_alerts_are_one_by_one(
    before, alerts, cuts, limits, held, halted, grouped, settled
) -> None:
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        desks = []
        for folder in (first, second):
            desk = desk_in(Path(folder), limits=limits, strategy=None if grouped else INDEPENDENT)
            desks.append(desk)
            one_by_one(desk, delivered(before))
            if settled:
                desk.settle(1)
            if held:
                desk.hold(held, strategy="S2", symbol="B")
            if halted is not None:
                desk.commands.halt("default", halted or None, by="op", reason="news")
        later = delivered(alerts, START + timedelta(seconds=2))
        expected = one_by_one(desks[0], later)
        found: list[object] = []
        edges = [0, *sorted(cut for cut in cuts if cut < len(later)), len(later)]
        for begin, end in pairwise(edges):
            found += desks[1].commands.register_together(later[begin:end])
        assert plain(found) == plain(expected)
        assert content(desks[1]) == content(desks[0])
        _facts_are_the_same(desks[1])
        for desk in desks:
            desk.store.close()


def _facts_are_the_same(desk: Desk) -> None:
    """What is asked for a whole batch is what would be asked for each order."""
    policy = desk.policies["default"]
    orders = [desk.order(str(row[0])) for row in desk.rows("SELECT command_id FROM orders")]
    asked = [question(replace(order, command_id="new"), policy, order.created_at) for order in orders]

    def both(tx):
        each = [tx.facts(q.query, now=q.now, limits=q.limits, live_allowed=q.live_allowed) for q in asked]
        return each, tx.facts_of_all(asked)

    each, together = desk.store.write(both)
    assert together == each


# one by one, by hand -----------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path):
    made = desk_in(tmp_path)
    yield made
    made.store.close()


def entries_in(*symbols: str, seconds: int = 0) -> list[tuple[ParsedAlert, Delivery]]:
    """Entries of strategies of their own, delivered so many seconds later."""
    alerts = [entry(leg(symbol), strategy_name=f"OF-{symbol}") for symbol in symbols]
    return delivered(alerts, START + timedelta(seconds=seconds))


def outcomes(results: Sequence[Receipt | Exception]) -> list[object]:
    return [each.outcome if isinstance(each, Receipt) else each for each in results]


def statuses(answers: Sequence[Answer | Received]) -> list[object]:
    return [each.status if isinstance(each, Answer) else each for each in answers]


def count(desk: Desk, table: str = "orders") -> int:
    [(number,)] = desk.rows(f"SELECT count(*) FROM {table}")
    return int(str(number))


def statements_of(desk: Desk, alerts: list[tuple[ParsedAlert, Delivery]]) -> int:
    desk.commands.register_together(entries_in("WARM", seconds=1))
    store: Any = desk.store
    connection, seen = store._commits._connection, set[str]()
    assert connection is not None
    connection.set_trace_callback(seen.add)  # a statement is told again for each trigger that it fires
    desk.commands.register_together(alerts)
    connection.set_trace_callback(None)
    return len(seen)


def test_a_batch_of_plain_alerts_takes_as_many_statements_as_one(tmp_path) -> None:
    counts = []
    for number in (1, 16):
        folder = tmp_path / str(number)
        folder.mkdir()
        desk = desk_in(folder)
        counts.append(statements_of(desk, entries_in(*(f"S{n}" for n in range(number)))))
        desk.store.close()
    assert counts[0] == counts[1] < 20


def test_an_entry_with_a_protection_is_registered_with_it(desk) -> None:
    [plain, (protected, delivery)] = entries_in("A", "B")
    protected = replace(protected, legs=(replace(protected.legs[0], protection=Terms(stop_loss="2%")),))
    desk.commands.register_together([plain, (protected, delivery)])
    found = desk.store.open_protections("default")
    assert [(each.symbol, each.stop_loss) for each in found] == [("B", "2%")]


def test_an_entry_that_its_strategy_protects_is_registered_with_it(desk) -> None:
    book = StrategyBook(StrategyPolicy(), {"S": StrategyPolicy(protection=Terms(stop_loss="2%"))})
    desk.policies["default"] = replace(desk.policies["default"], strategies=book)
    [plain, (protected, delivery)] = entries_in("A", "B")
    desk.commands.register_together([plain, (replace(protected, strategy_name="S"), delivery)])
    found = desk.store.open_protections("default")
    assert [(each.symbol, each.stop_loss) for each in found] == [("B", "2%")]


def test_of_two_entries_of_one_strategy_in_one_symbol_the_second_is_blocked(desk) -> None:
    alerts = delivered(
        [entry(leg("A"), signal_id="1"), entry(leg("A"), signal_id="2"), entry(leg("B"), signal_id="3")]
    )
    receipts = desk.commands.register_together(alerts)
    assert outcomes(receipts) == [Outcome.ACCEPTED, Outcome.BLOCKED, Outcome.ACCEPTED]


def test_the_same_alert_twice_in_a_batch_is_one_order_and_a_duplicate(desk) -> None:
    alerts = delivered([entry(leg("A")), entry(leg("A"))])
    receipts = desk.commands.register_together(alerts)
    assert outcomes(receipts) == [Outcome.ACCEPTED, Outcome.DUPLICATE]


def test_what_stops_an_entry_stops_it_in_a_batch_too(desk) -> None:
    desk.hold(50, strategy="OTHER", symbol="B")
    desk.hold(50, strategy="OF-C", symbol="C")
    opposite = entry(leg("B", side=Side.SELL), strategy_name="AGAINST")
    alerts = [
        *entries_in("A"),
        *delivered([opposite], START + timedelta(seconds=1)),
        *entries_in("C", "D", seconds=2),
    ]
    blocked = [Outcome.ACCEPTED, Outcome.BLOCKED, Outcome.BLOCKED, Outcome.ACCEPTED]
    assert outcomes(desk.commands.register_together(alerts)) == blocked
    desk.commands.halt("default", None, by="op", reason="news")
    later = entries_in("E", "F", seconds=3)
    assert outcomes(desk.commands.register_together(later)) == [Outcome.BLOCKED] * 2


def test_a_limit_counts_the_neighbours(tmp_path) -> None:
    desk = desk_in(tmp_path, limits=Limits(max_open_orders=2))
    receipts = desk.commands.register_together(entries_in("A", "B", "C", "D"))
    assert outcomes(receipts) == [Outcome.ACCEPTED] * 2 + [Outcome.BLOCKED] * 2
    desk.store.close()


def test_a_limit_on_trades_counts_the_neighbours(tmp_path) -> None:
    desk = desk_in(tmp_path, limits=Limits(max_trades_per_day=2))
    receipts = desk.commands.register_together(entries_in("A", "B", "C", "D"))
    assert outcomes(receipts) == [Outcome.ACCEPTED] * 2 + [Outcome.BLOCKED] * 2
    desk.store.close()


def test_errors_are_each_alerts_own(desk) -> None:
    desk.commands.register(*delivered([entry(leg("Z"), signal_id="used")])[0])
    later = START + timedelta(seconds=1)
    alerts = delivered(
        [
            entry(leg("A")),
            entry(leg("B"), client_id="nobody"),
            entry(leg("C"), signal_id="used"),
            entry(leg("D")),
        ],
        later,
    )
    first, unknown, reused, last = desk.commands.register_together(alerts)
    assert isinstance(first, Receipt) and isinstance(last, Receipt)
    assert isinstance(unknown, InvalidAlert) and unknown.code == "UNKNOWN_CLIENT"
    assert isinstance(reused, SignalReused)
    assert count(desk) == 3


def test_what_cannot_be_read_of_one_client_stops_no_other(desk) -> None:
    desk.policies["b"] = desk.policies["default"]
    for client in ("default", "b"):
        desk.store.save_positions(client, PositionsSnapshot(desk.clock.now(), ()), desk.clock.now().date())
    desk.store._commits.run(
        lambda c: c.execute("UPDATE accounts SET loss_latched = 'damaged' WHERE client_id = 'b'")
    )
    both = delivered([entry(leg("A")), entry(leg("A"), client_id="b")])
    with suppress(ValueError):  # which would be that of the other one
        ours, theirs = desk.commands.register_together(both)
    assert count(desk) == 1
    assert isinstance(ours, Receipt) and ours.outcome is Outcome.ACCEPTED
    assert isinstance(theirs, ValueError)


@pytest.mark.parametrize("table", ["orders", "order_events", "order_intents", "alerts"])
def test_a_row_that_the_database_refuses_drops_none_of_its_neighbours(desk, table) -> None:
    """A trigger stands for whatever the database may refuse."""
    column = {"alerts": "strategy_name", "order_events": "detail_json"}.get(table, "symbol")
    desk.store._commits.run(
        lambda c: c.execute(
            f"CREATE TRIGGER refuses BEFORE INSERT ON {table} WHEN NEW.{column} LIKE '%BAD%' "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    )
    results = desk.commands.register_together(entries_in("A", "B", "BAD", "C"))
    assert [isinstance(each, Receipt) for each in results] == [True, True, False, True]
    assert isinstance(results[2], sqlite3.IntegrityError | ConcurrentUpdate)
    assert [row[0] for row in desk.rows("SELECT symbol FROM orders ORDER BY rowid")] == ["A", "B", "C"]
    for other in ("alerts", "order_events", "order_intents"):
        assert count(desk, other) == 3


def test_an_intent_that_is_taken_is_still_taken_in_a_batch(desk) -> None:
    [(_, delivery)] = entries_in("A")
    desk.commands.register(entry(leg("A"), signal_id="s"), delivery)
    with closing(sqlite3.connect(desk.path)) as connection, connection:
        connection.execute("DELETE FROM alerts")  # as if it had gone elsewhere, and its intent had stayed
    later = delivered([entry(leg("B")), entry(leg("C"), signal_id="s")], START + timedelta(seconds=1))
    results = desk.commands.register_together(later)
    assert isinstance(results[0], Receipt) and isinstance(results[1], ConcurrentUpdate)
    assert count(desk) == 2


# durable, or not taken ---------------------------------------------------------------------------------------


def receiver_of(desk: Desk) -> AlertReceiver:
    return AlertReceiver(
        TradingBot(desk.commands),
        Secrets({"default": "secret"}, "default"),
        clock=desk.clock,
        rate=delivery_limiter(0, lambda: 0.0),
        failures=guess_limiter(0, lambda: 0.0),
    )


def received(alerts: list[tuple[ParsedAlert, Delivery]]) -> list[Received]:
    return [Received("default", delivery, AskedFor, alert) for alert, delivery in alerts]


def test_a_full_disk_at_the_commit_of_a_batch_acknowledges_none_of_it(desk, monkeypatch) -> None:
    desk.post()
    fill_the_disk(monkeypatch)
    desk.store.close()
    alerts = [(alert, replace(d, raw_body="x" * 30_000)) for alert, d in entries_in("A", "B", "C", "D")]
    with pytest.raises(StoreUnavailable, match="full"):
        desk.commands.register_together(alerts)
    answers = receiver_of(desk).settle_together(received(alerts))
    assert statuses(answers) == [503] * 4
    assert count(desk) == 1
    monkeypatch.undo()
    desk.store.close()
    assert statuses(receiver_of(desk).settle_together(received(alerts))) == [200] * 4
    assert count(desk) == 5


def test_a_commit_that_fails_acknowledges_none_of_the_batch(desk, monkeypatch) -> None:
    def fails(self: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(IdentityGuard, "enter", lambda self, connection: fails(self))
    answers = receiver_of(desk).settle_together(received(entries_in("A", "B")))
    assert statuses(answers) == [503, 503]
    monkeypatch.undo()
    assert count(desk) == 0


DIES = """
import os, signal, sys
from pathlib import Path
import persistence.sqlite.registrations as registrations
from persistence.sqlite.identity import IdentityGuard
from tests.test_register_together import desk_in, entries_in

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

desk = desk_in(Path(sys.argv[1]))
desk.commands.register_together(entries_in("A", "B", "C"))
print("acknowledged", flush=True)
place, when = sys.argv[2:]
if place == "written":
    insert, left = registrations.insert_rows, [int(when)]
    def dying(*args):
        left[0] -= 1
        insert(*args)
        if not left[0]:
            die()
    registrations.insert_rows = dying
else:
    IdentityGuard.committed = die
desk.commands.register_together(entries_in("D", "E", "F", seconds=1))
"""


@pytest.mark.parametrize(
    ("place", "when"), [("written", "1"), ("written", "3"), ("written", "4"), ("committed", "")]
)
def test_a_process_that_is_killed_inside_a_batch_leaves_all_of_it_or_nothing(tmp_path, place, when) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path), place, when],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "acknowledged\n"), done.stderr
    desk = desk_in(tmp_path)
    kept = [row[0] for row in desk.rows("SELECT symbol FROM orders ORDER BY rowid")]
    assert kept == ["A", "B", "C"] + (["D", "E", "F"] if place == "committed" else [])
    again = desk.commands.register_together(entries_in("D", "E", "F", seconds=2))
    expected = Outcome.DUPLICATE if place == "committed" else Outcome.ACCEPTED
    assert outcomes(again) == [expected] * 3
    desk.store.close()
