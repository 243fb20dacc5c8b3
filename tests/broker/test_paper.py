"""What the paper broker adds to the exchange it simulates: which price is the last one, and a file that is shared."""

import random
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from broker import matching, paper_store
from broker.market import Mark, Market, Rules, SimOrder
from broker.paper import PaperBroker, carried_mark
from broker.paper_rows import broker_order_id, sequence_in
from broker.paper_store import PaperBookTooNew
from domain.alert import ExecutionType, OrderType, Side
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.reports import BrokerStatus, OrderRef
from domain.times import trading_day
from tests.contract.broker_contract import (
    EXCHANGE,
    PRODUCT,
    SYMBOL,
    ContractClock,
    a_command,
    ref_to,
    reports_of,
)

ZONE = ZoneInfo("Asia/Kolkata")
TICK = Decimal("0.05")


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "paper.db"


def make(path, clock, client_id="default", **settings):
    return PaperBroker(path, client_id, clock, zone=ZONE, tick=TICK, **settings)


def limit(intent, price, **changes):
    return a_command(intent, order_type=OrderType.LIMIT, price=Decimal(str(price)), **changes)


def stop(intent, trigger, **changes):
    return a_command(intent, order_type=OrderType.STOP, trigger_price=Decimal(str(trigger)), **changes)


def filled_at(broker, command) -> Decimal | None:
    """The average price of an order's fills; None when it rests."""
    (report,) = reports_of(broker, [command])
    assert (report.average_price is None) == (report.status is not BrokerStatus.COMPLETE)
    return report.average_price


def fill_of(broker, command) -> Decimal | None:
    broker.place(command)
    return filled_at(broker, command)


# which price is the last one ----------------------------------------------------------------------------------


def test_on_a_fresh_broker_a_limit_order_fills_at_its_limit(path, clock):
    broker = make(path, clock)
    assert fill_of(broker, limit("buy", "112.5")) == Decimal("112.5")
    assert fill_of(broker, limit("sell", 120, side=Side.SELL)) == 120


def test_under_a_set_mark_a_limit_order_rests_until_the_mark_reaches_it(path, clock):
    broker = make(path, clock)
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(120))
    command = limit("buy", "112.5")
    assert fill_of(broker, command) is None
    broker.set_mark(EXCHANGE, SYMBOL, Decimal("112.55"))
    assert filled_at(broker, command) is None
    broker.set_mark(EXCHANGE, SYMBOL, Decimal("112.5"))
    assert filled_at(broker, command) == Decimal("112.5")


def test_the_reference_price_of_an_order_is_the_last_price(path, clock):
    broker = make(path, clock)
    waits = limit("waits", 95)
    assert fill_of(broker, a_command("entry", reference_price=Decimal(110))) == 110
    assert fill_of(broker, waits) is None
    assert fill_of(broker, a_command("exit", side=Side.SELL, reference_price=Decimal(95))) == 95
    assert filled_at(broker, waits) == 95


def test_a_market_order_in_a_symbol_without_a_price_trades_at_the_default(path, clock):
    assert fill_of(make(path, clock), a_command()) == 100


def test_without_a_default_such_an_order_is_refused(path, clock):
    broker = make(path, clock, default_price=None)
    with pytest.raises(Refused) as refusal:
        broker.place(a_command())
    assert refusal.value.code == "NO_PRICE"
    assert not reports_of(broker, [a_command()])


@pytest.mark.parametrize("side", Side)
def test_a_stop_in_a_symbol_without_a_price_waits_for_the_first_one(path, clock, side):
    broker = make(path, clock)
    command = stop("stop", 24_000, side=side)
    assert fill_of(broker, command) is None
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(24_000) + side.sign)
    assert filled_at(broker, command) == 24_000 + side.sign


FIRM, SOFT = Mark(Decimal(100)), Mark(Decimal(100), firm=False)
THIN = Mark(Decimal(100), available=Decimal(7))


@pytest.mark.parametrize(
    ("mark", "command", "expected"),
    [
        (None, limit("l", 90), Mark(Decimal(90), firm=False)),
        (SOFT, limit("l", 90), Mark(Decimal(90), firm=False)),
        (FIRM, limit("l", 90), FIRM),
        (FIRM, limit("l", 90, reference_price=Decimal(95)), Mark(Decimal(95))),
        (None, limit("l", 90, reference_price=Decimal(95)), Mark(Decimal(95))),
        (SOFT, a_command("m", reference_price=Decimal(100)), FIRM),
        (THIN, a_command("m", reference_price=Decimal(100)), THIN),
        (None, a_command("m"), Mark(Decimal(42), firm=False)),
        (SOFT, a_command("m"), SOFT),
        (None, stop("s", 90), None),
        (SOFT, stop("s", 90), SOFT),
        (None, stop("s", 90, price=Decimal(91)), None),
        (None, a_command("sl", order_type=OrderType.STOP_LIMIT, price=Decimal(9)), None),
    ],
)
def test_the_mark_that_an_order_carries(mark, command, expected):
    assert carried_mark(command, mark, Decimal(42)) == expected


def test_the_price_moves_before_the_order_that_carries_it_trades(path, clock):
    broker = make(path, clock)
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(120))
    protects = stop("stop", 110, side=Side.SELL)
    broker.place(protects)
    assert fill_of(broker, limit("l", 108, reference_price=Decimal(109))) is None
    assert filled_at(broker, protects) == 109


def test_slippage_is_a_number_of_ticks(path, clock):
    broker = make(path, clock, slippage_ticks=3)
    assert fill_of(broker, a_command(reference_price=Decimal(100))) == Decimal("100.15")


def test_a_mark_with_a_quantity_fills_no_more_than_that(path, clock):
    broker = make(path, clock)
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(100), Decimal(30))
    result = broker.place(a_command())
    report = broker.read_book([]).by_id[result.broker_order_id]
    assert (report.status, report.filled_quantity, report.average_price) == (BrokerStatus.OPEN, 30, 100)
    broker.place(limit("second", 101))
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(99), Decimal(60))
    first, second = reports_of(broker, [a_command(), a_command("second")])
    assert (first.status, first.average_price) == (BrokerStatus.COMPLETE, Decimal("99.6"))
    assert (second.status, second.filled_quantity) == (BrokerStatus.OPEN, Decimal(40))


# refusals -----------------------------------------------------------------------------------------------------


def test_a_symbol_that_begins_with_reject_is_always_refused(path, clock):
    broker = make(path, clock)
    for _ in range(2):
        with pytest.raises(Refused, match="REJECT") as refusal:
            broker.place(limit("bad", 100, symbol="REJECTME"))
        assert refusal.value.code == "PAPER_REJECT"
    assert not broker.read_book([]).reports and not broker.read_positions().positions


def test_a_rejection_waits_in_the_file_for_one_order(path, clock):
    make(path, clock).reject_next(SYMBOL, "RMS", "no margin")
    broker = make(path, clock)
    broker.place(a_command("other", symbol="OTHER"))
    with pytest.raises(Refused, match="no margin"):
        make(path, clock).place(a_command("refused"))
    assert fill_of(broker, a_command("taken")) == 100


def test_an_order_may_be_rejected_after_it_was_taken(path, clock):
    broker = make(path, clock)
    broker.reject_next(SYMBOL, "RMS", "no margin", later=True)
    broker.place(a_command())
    (report,) = reports_of(broker, [a_command()])
    assert (report.status, report.code, report.reason) == (BrokerStatus.REJECTED, "RMS", "no margin")
    assert broker.place(a_command()).duplicate


def test_a_refused_order_moves_no_price(path, clock):
    broker = make(path, clock)
    broker.place(waits := stop("stop", 110))
    with pytest.raises(Refused):
        broker.place(a_command("bad", quantity=Decimal(0), reference_price=Decimal(500)))
    assert filled_at(broker, waits) is None


def test_the_refusal_of_a_cancel_leaves_the_file_free(path, clock):
    broker = make(path, clock)
    with pytest.raises(Refused):
        broker.cancel(OrderRef("nobody's", None))
    with closing(sqlite3.connect(path, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")


# ids, clients, days -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("foreign", [None, "", "P", "P1", "X000000000001", "P00000000000١", "P000000000001 "])
def test_only_its_own_order_ids_are_read(foreign):
    assert sequence_in(foreign) is None
    assert sequence_in(broker_order_id(7)) == 7
    assert broker_order_id(7) < broker_order_id(1234567)


def test_clients_in_one_file_see_nothing_of_each_other(path, clock):
    one, two = make(path, clock, "one"), make(path, clock, "two")
    one.set_mark(EXCHANGE, SYMBOL, Decimal(150))
    one.reject_next(SYMBOL, "RMS", "no margin")
    theirs = two.place(a_command())
    assert filled_at(two, a_command()) == 100
    assert not one.read_book([OrderRef(a_command().client_order_id, theirs.broker_order_id)]).reports
    assert not one.read_positions().positions
    with pytest.raises(Refused):
        one.cancel(OrderRef("", theirs.broker_order_id))
    with pytest.raises(Refused, match="no margin"):
        one.place(a_command())
    assert one.place(a_command()).broker_order_id != theirs.broker_order_id


def test_everything_outlives_the_process(path, clock):
    first = make(path, clock)
    first.set_mark(EXCHANGE, SYMBOL, Decimal(120))
    first.place(a_command())
    rests = limit("rests", 110)
    first.place(rests)
    first.close()
    second = make(path, clock)
    assert second.read_positions().net(EXCHANGE, SYMBOL, PRODUCT) == 50
    second.set_mark(EXCHANGE, SYMBOL, Decimal(105))
    assert filled_at(second, rests) == 105


def test_realized_profit_ends_with_the_market_s_day_and_a_flat_position_with_it(path, clock):
    broker = make(path, clock)
    broker.place(a_command("in", reference_price=Decimal(100)))
    broker.place(
        a_command("half", side=Side.SELL, quantity=Decimal(20), reference_price=Decimal(110)),
    )
    broker.place(a_command("other in", symbol="OTHER"))
    broker.place(a_command("other out", symbol="OTHER", side=Side.SELL))
    today = broker.read_positions()
    assert {p.symbol: p.realized_pnl for p in today.positions} == {SYMBOL: 200, "OTHER": 0}
    clock.at = clock.at.replace(hour=18, minute=29)
    assert broker.read_positions().day_pnl == 200 + 300
    clock.at = clock.at.replace(hour=18, minute=30)  # midnight in Kolkata
    (tomorrow,) = broker.read_positions().positions
    assert (tomorrow.realized_pnl, tomorrow.unrealized_pnl, tomorrow.net_quantity) == (0, 300, 30)
    broker.place(a_command("rest", side=Side.SELL, quantity=Decimal(30), execution_type=ExecutionType.EXIT))
    (closed,) = broker.read_positions().positions
    assert (closed.realized_pnl, closed.net_quantity) == (300, 0)


def test_a_book_shows_what_changed_lately_and_not_what_is_long_over(path, clock):
    broker = make(path, clock)
    broker.place(a_command("old"))
    clock.advance(seconds=61)
    recent = broker.place(a_command("recent"))
    assert [r.broker_order_id for r in broker.read_book([]).reports] == [recent.broker_order_id]
    assert len(broker.read_book([ref_to(a_command("old"))]).reports) == 2


def test_a_book_shows_all_open_and_all_wanted_orders_however_many_changed_lately(path, clock):
    broker = make(path, clock)
    waiting = [stop(f"stop {n}", 500 + n) for n in range(150)]
    done = [a_command(f"order {n}") for n in range(250)]
    for command in waiting + done:
        broker.place(command)
    assert 250 <= len(broker.read_book([]).reports) < 400
    assert len(broker.read_book([ref_to(command) for command in done]).reports) == 400


# time and cost ------------------------------------------------------------------------------------------------


def test_the_way_to_the_broker_is_waited_for_outside_any_transaction(path, clock):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        with closing(sqlite3.connect(path, timeout=0)) as other:
            other.execute("BEGIN EXCLUSIVE")

    broker = make(path, clock, latency_seconds=0.05, sleep=sleep)
    broker.place(limit("l", 90, reference_price=Decimal(100)))
    broker.cancel(ref_to(limit("l", 90)))
    broker.read_book([])
    broker.read_positions()
    assert waited == [0.05] * 4


def test_every_statement_finds_its_rows_by_an_index(path, clock, monkeypatch):
    statements: list[str] = []
    connect = paper_store._connect

    def traced(file):
        connection = connect(file)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(paper_store, "_connect", traced)
    broker = make(path, clock)
    broker.place(limit("rests", 90, reference_price=Decimal(100)))
    broker.place(stop("stops", 110))
    broker.reject_next(SYMBOL, "RMS", "no margin")
    with pytest.raises(Refused):
        broker.place(a_command())
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(111))
    broker.cancel(ref_to(limit("rests", 90)))
    broker.read_book([OrderRef("x", broker_order_id(9))])
    broker.read_positions()
    looked_at = {s for s in statements if s.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))}
    assert len(looked_at) > 15
    with closing(sqlite3.connect(path)) as other:
        for statement in looked_at:
            plan = [row[3] for row in other.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not [line for line in plan if line.startswith("SCAN") and "json_each" not in line], (
                statement
            )


# the file -----------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(paper_store, "BUSY_SECONDS", 0.02)
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
