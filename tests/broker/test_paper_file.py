"""The paper broker's file: shared, damaged, deleted, full, of another version; and what is kept in it."""

import random
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from broker.paper import store
from broker.paper.rows import broker_order_id
from broker.paper.store import PaperBookTooNew
from broker.simulated_exchange import matching
from broker.simulated_exchange.model import Mark, Market, Rules, SimOrder
from domain.broker_reports import OrderRef
from domain.enums import OrderType, Side
from domain.errors import NotSent, OutcomeUnknown, ReadFailed
from domain.times import trading_day
from tests.broker.making import TICK, ZONE, make
from tests.contract.broker_contract import (
    EXCHANGE,
    SYMBOL,
    a_command,
    ref_to,
    reports_of,
)


def test_a_file_of_a_newer_program_stops_the_start(path, clock):
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(PaperBookTooNew, match="99"):
        make(path, clock)


def test_a_file_that_is_something_else_stops_the_start(path, clock):
    path.write_bytes(b"not a database, but long enough to be looked at " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        make(path, clock)


def test_orders_cannot_be_deleted_from_the_file(path, clock):
    make(path, clock).place(a_command())
    with (
        closing(sqlite3.connect(path)) as other,
        pytest.raises(sqlite3.IntegrityError, match="never deleted"),
    ):
        other.execute("DELETE FROM orders")


def test_a_file_that_was_deleted_is_not_made_anew(path, clock):
    broker = make(path, clock)
    broker.place(a_command())
    path.unlink()
    with pytest.raises(NotSent):
        broker.place(a_command("second"))
    assert not path.exists()


def test_a_file_that_was_replaced_is_the_file_from_then_on(path, clock, tmp_path):
    broker = make(path, clock)
    other = make(tmp_path / "backup.db", clock)
    other.place(a_command("kept"))
    other.close()
    broker.place(a_command("lost"))
    for leftover in ("paper.db-wal", "paper.db-shm"):
        (tmp_path / leftover).unlink()
    (tmp_path / "backup.db").replace(path)
    book = broker.read_book([ref_to(a_command("kept")), ref_to(a_command("lost"))])
    assert [r.client_order_id for r in book.reports] == [a_command("kept").client_order_id]


def test_a_damaged_file_is_no_empty_one(path, clock):
    broker = make(path, clock)
    broker.place(a_command())
    broker.close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE positions")
    with pytest.raises(ReadFailed):
        broker.read_positions()
    with pytest.raises(NotSent):
        broker.place(a_command("second"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE orders SET filled_value = 'much'")
    with pytest.raises(ReadFailed):
        broker.read_book([])


def test_while_another_process_writes_orders_are_not_sent_and_reads_go_on(path, clock, monkeypatch):
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.02)
    broker = make(path, clock)
    broker.place(a_command())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotSent, match="locked"):
            broker.place(a_command("second"))
        assert len(broker.read_book([]).reports) == len(broker.read_positions().positions) == 1
    assert not broker.place(a_command("second")).duplicate


def test_text_that_the_file_cannot_hold_is_not_sent(path, clock):
    broker = make(path, clock)
    with pytest.raises(NotSent):
        broker.place(a_command(symbol="\ud800"))
    assert not broker.place(a_command()).duplicate


class _FailingCommit(sqlite3.Connection):
    """A disk that is full at the last moment."""

    def execute(self, sql, *parameters):
        if sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


def test_a_commit_that_fails_leaves_the_outcome_unknown_and_the_file_free(path, clock, monkeypatch):
    broker = make(path, clock)
    connect = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=_FailingCommit))
        with pytest.raises(OutcomeUnknown):
            broker.place(a_command())
        with pytest.raises(OutcomeUnknown):
            broker.cancel(ref_to(a_command())) if reports_of(broker, [a_command()]) else broker.place(
                a_command()
            )
    assert not broker.place(a_command()).duplicate


def test_what_is_kept_is_what_the_exchange_said(path, clock):
    """Random orders through the file and, beside it, through the exchange alone: the same fills, the same positions."""
    dice, broker = random.Random(7), make(path, clock, slippage_ticks=1)
    orders: dict[int, SimOrder] = {}
    rules, market, day = Rules(TICK, 1), Market(), trading_day(clock.now(), ZONE)
    for n in range(1, 201):
        clock.advance(seconds=1)
        price = Decimal(dice.randrange(1900, 2100)) * TICK
        if dice.random() < 0.4:
            quantity = dice.choice([None, Decimal(dice.randrange(1, 50))])
            broker.set_mark(EXCHANGE, SYMBOL, price, quantity)
            step = matching.set_mark(market, Mark(price, quantity), rules, day=day)
        elif dice.random() < 0.2 and market.resting:
            victim = dice.choice(market.resting).sequence
            broker.cancel(OrderRef("", broker_order_id(victim)))
            step = matching.cancel(market, victim)
        else:
            type_ = dice.choice(list(OrderType) if market.mark else [OrderType.STOP])
            new = SimOrder(
                len(orders) + 1, dice.choice(["MIS", "NRML"]), dice.choice(list(Side)), type_,
                Decimal(dice.randrange(1, 40)), price, price + TICK * dice.randrange(-20, 20),
            )  # fmt: skip
            command = a_command(
                f"order {n}", product=new.product, side=new.side, order_type=type_, quantity=new.quantity,
                price=new.price, trigger_price=new.trigger_price,
            )  # fmt: skip
            assert broker.place(command).broker_order_id == broker_order_id(new.sequence)
            step = matching.place(market, new, rules, day=day)
        market = step.market
        orders |= {o.sequence: o for o in step.changed}
    book = broker.read_book([OrderRef("", broker_order_id(sequence)) for sequence in orders])
    assert len(book.reports) == len(orders) > 50
    for sequence, order in orders.items():
        report = book.by_id[broker_order_id(sequence)]
        assert (report.status, report.filled_quantity) == (order.status, order.filled_quantity)
        assert report.average_price == order.average_price
    assert market.mark is not None
    kept = {p.product: p for p in broker.read_positions().positions}
    assert kept.keys() == market.positions.keys()
    for product, position in market.positions.items():
        assert kept[product].net_quantity == position.net_quantity
        assert kept[product].realized_pnl == position.realized_on(day)
        assert kept[product].unrealized_pnl == position.unrealized(market.mark.price)
