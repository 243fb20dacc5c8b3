"""What the paper broker adds to the exchange it simulates: which price is the last one, and a file that is shared."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.paper import store
from broker.paper.adapter import carried_mark
from broker.paper.rows import broker_order_id, sequence_in
from broker.simulated_exchange.model import Mark
from domain.broker_reports import BrokerStatus, OrderRef
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.errors import NotSent, Refused
from tests.broker.making import limit, make, stop
from tests.contract.broker_contract import (
    EXCHANGE,
    PRODUCT,
    SYMBOL,
    ContractClock,
    a_command,
    ref_to,
    reports_of,
)


def filled_at(broker, command) -> Decimal | None:
    """The average price of an order's fills; None when it rests."""
    (report,) = reports_of(broker, [command])
    assert (report.average_price is None) == (report.status is not BrokerStatus.COMPLETE)
    return report.average_price


def fill_of(broker, command) -> Decimal | None:
    broker.place(command)
    return filled_at(broker, command)


# many orders at once ------------------------------------------------------------------------------------------


def test_orders_placed_together_are_what_they_are_one_by_one(path, clock):
    broker = make(path, clock)
    first, again, other = limit("one", 100), limit("one", 100), limit("two", 101)
    answers = broker.place_together([[first], [again], [other, limit("three", 102)]])
    numbers = [answer.broker_order_id for group in answers for answer in group]
    assert numbers[0] == numbers[1] and len(set(numbers)) == 3
    assert [answer.duplicate for group in answers for answer in group] == [False, True, False, False]
    assert [report.client_order_id for report in reports_of(broker, [first, other])]


def test_a_group_ends_with_its_first_refusal_and_the_other_groups_go(path, clock):
    broker = make(path, clock)
    broker.reject_next(SYMBOL, "RMS7", "margin")
    tested = replace(limit("tested", 100), test_mode=TestMode.SUCCESS)
    groups = [[limit("refused", 100), limit("behind", 100)], [limit("goes", 100)], [tested]]
    (refused, behind), (goes,), (never,) = broker.place_together(groups)
    assert isinstance(refused, Refused) and refused.code == "RMS7"
    assert isinstance(behind, NotSent)
    assert isinstance(never, Refused)
    assert fill_of(broker, limit("goes", 100)) == 100
    assert broker.place(limit("goes", 100)).broker_order_id == goes.broker_order_id
    assert broker.read_book([ref_to(groups[0][1])]).by_tag.get("behind") is None


def test_when_the_file_cannot_be_written_none_of_them_was_sent(path, clock):
    broker = make(path, clock)
    path.unlink()
    answers = broker.place_together([[limit("one", 100), limit("two", 100)], [limit("three", 100)]])
    assert [[type(answer) for answer in group] for group in answers] == [[NotSent, NotSent], [NotSent]]


def test_a_paper_broker_with_a_delay_stands_for_one_that_is_not_quick(path, clock):
    assert make(path, clock).traits.claims_together > 1
    assert make(path, clock, latency_seconds=0.05).traits.claims_together == 1


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


def test_a_book_shows_an_old_order_that_was_filled_lately(path, clock):
    broker = make(path, clock)
    result = broker.place(stop("waits", 110))
    clock.advance(minutes=30)
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(111))
    clock.advance(seconds=30)
    assert broker.read_book([]).by_id[result.broker_order_id].status is BrokerStatus.COMPLETE


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


@pytest.fixture
def statements(monkeypatch) -> list[str]:
    """Every statement that brokers run, on connections that they open from now on."""
    run: list[str] = []
    connect = store._connect

    def traced(file):
        connection = connect(file)
        connection.set_trace_callback(run.append)
        return connection

    monkeypatch.setattr(store, "_connect", traced)
    return run


def test_every_statement_finds_its_rows_by_an_index(path, clock, statements):
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
    broker.last_marks([(EXCHANGE, SYMBOL)])
    looked_at = {s for s in statements if s.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))}
    assert len(looked_at) > 15
    with closing(sqlite3.connect(path)) as other:
        for statement in looked_at:
            for *_, line in other.execute(f"EXPLAIN QUERY PLAN {statement}"):
                assert not line.startswith("SCAN") or "json_each" in line, statement
                # All rows of a client are its whole history, unless a partial index holds only few of them.
                whole = line.endswith("(client_id=?)")
                assert not whole or "orders_open" in line or "positions_held" in line, statement


def test_an_order_at_the_last_price_looks_at_no_other_order(path, clock, statements):
    broker = make(path, clock)
    for n in range(3):
        broker.place(limit(f"rests {n}", 90, reference_price=Decimal(100)))
    statements.clear()
    broker.place(a_command(reference_price=Decimal(100)))
    assert not [s for s in statements if s.startswith("SELECT") and "trigger_price" in s]
    broker.place(a_command("moves", reference_price=Decimal(101)))
    assert [s for s in statements if s.startswith("SELECT") and "trigger_price" in s]


# as one by one ------------------------------------------------------------------------------------------------


@st.composite
def markets(draw):
    """What the file holds already, and a batch: by symbols and tags that mostly differ."""
    symbols = ["A", "B", "C", "REJECTED"]

    def order(number):
        return (
            f"t{draw(st.integers(0, 9)) if number < 4 else number}",
            draw(st.sampled_from(symbols)),
            draw(st.sampled_from([Side.BUY, Side.SELL])),
            draw(st.sampled_from([OrderType.LIMIT, OrderType.MARKET])),
            draw(st.sampled_from([99, 100, 101])),
        )

    before = [order(number) for number in range(draw(st.integers(0, 4)))]
    batch = [order(number) for number in range(4, 4 + draw(st.integers(1, 5)))]
    if draw(st.booleans()):
        batch = list({each[1]: each for each in batch}.values())
    rejected = draw(st.lists(st.sampled_from(symbols), max_size=2))
    marks = draw(st.lists(st.tuples(st.sampled_from(symbols), st.sampled_from([99, 100, 101])), max_size=2))
    return before, rejected, marks, batch


@settings(max_examples=150, deadline=None)
@given(market=markets(), known=st.booleans())
def test_a_batch_leaves_the_file_as_single_orders_leave_it(market, known):
    before, rejected, marks, batch = market
    made = [
        a_command(
            tag, symbol=symbol, side=side, order_type=kind, price=Decimal(price) if kind == "LIMIT" else None
        )
        for tag, symbol, side, kind, price in [*before, *batch]
    ]
    old, new = made[: len(before)], made[len(before) :] + (made[:1] if known else [])
    files = []
    with TemporaryDirectory() as folder:
        for name in ("single", "together"):
            broker = make(Path(folder) / name, ContractClock())
            for symbol, price in marks:
                broker.set_mark(EXCHANGE, symbol, Decimal(price))
            for command in old:
                placed(broker, command)
            for symbol in rejected:
                broker.reject_next(symbol, "RMS7", "margin")
            if name == "single":
                answers = [placed(broker, command) for command in new]
            else:
                answers = [repr(each) for [each] in broker.place_together([[command] for command in new])]
            with closing(sqlite3.connect(Path(folder) / name)) as connection:
                files.append((answers, [line for line in connection.iterdump() if "INSERT" in line]))
    assert files[0][0] == files[1][0]
    assert [without_times(line) for line in files[0][1]] == [without_times(line) for line in files[1][1]]


def placed(broker, command) -> str:
    try:
        return repr(broker.place(command))
    except Refused as refusal:
        return repr(refusal)


def without_times(line: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", line)


def test_the_equity_is_what_it_began_with_the_cash_since_and_what_is_open(path, clock):
    broker = make(path, clock)
    began, _ = broker.read_equity()
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(100))
    broker.place(limit("bought", 100))
    broker.set_mark(EXCHANGE, SYMBOL, Decimal(103))
    [position] = broker.read_positions().positions
    worth, source = broker.read_equity()
    assert worth == began + 3 * position.net_quantity and position.net_quantity
    assert source == "the simulated account"


def test_the_last_prices_of_many_symbols_are_read_at_once(path, clock, statements):
    broker = make(path, clock)
    places = [(EXCHANGE, f"S{n}") for n in range(50)]
    for exchange, symbol in places[:-1]:
        broker.set_mark(exchange, symbol, Decimal(7))
    statements.clear()
    assert [(m.exchange, m.symbol, m.price) for m in broker.last_marks(places)] == [
        (exchange, symbol, Decimal(7)) for exchange, symbol in places[:-1]
    ]
    assert len([s for s in statements if "SELECT" in s]) == 1
