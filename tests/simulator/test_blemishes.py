"""Books that cannot be true or be read, and delivered shares: what the wire shows, and what our adapter makes of it."""

import pytest

from domain.broker_reports import BrokerStatus
from tests.broker.noren.making import make
from tests.simulator.wire import EXCH, TSYM, USER, Wire, resting, serving

INFY = "INFY-EQ"


@pytest.fixture
def broker(server, clock, tmp_path):
    broker = make(f"{server.url}/NorenWClientTP", clock, tmp_path, user_id=USER)
    yield broker
    broker.close()


@pytest.mark.parametrize(("value", "shown"), [("1,000", "1,000"), ("", ""), (None, None)])
def test_an_unreadable_position_hides_its_symbol_alone(wire, broker, value, shown):
    wire.placed()
    wire.placed("tag-2", tsym="BANKNIFTY26NOV52000CE")
    wire.faults({"kind": "unreadable_row", "tsym": TSYM, "value": value})
    assert {row["tsym"]: row.get("netqty") for row in wire.book("PositionBook")} == {
        TSYM: shown,
        "BANKNIFTY26NOV52000CE": "50",
    }
    snapshot = broker.read_positions()
    assert not snapshot.is_readable(EXCH, TSYM) and snapshot.day_pnl is None
    assert snapshot.net(EXCH, "BANKNIFTY26NOV52000CE", "MIS") == 50


def test_an_unreadable_position_may_lose_its_name_too(wire, broker):
    wire.placed()
    wire.faults({"kind": "unreadable_row", "value": "x", "nameless": True})
    snapshot = broker.read_positions()
    assert not snapshot.is_readable(EXCH, TSYM) and not snapshot.is_readable(EXCH, "ELSE")


def test_an_unreadable_order_hides_itself_alone(wire, broker):
    first, second = wire.placed(), wire.placed("tag-2")
    wire.faults({"kind": "unreadable_row", "endpoint": "OrderBook", "norenordno": first, "value": ""})
    book = broker.read_book([])
    assert list(book.by_id) == [second] and [row.broker_order_id for row in book.unreadable] == [first]
    assert book.complete


def test_a_complete_row_without_its_fill_is_settled_by_what_else_the_broker_knows(wire, broker):
    number = wire.placed()
    wire.faults({"kind": "missing_fillshares"})
    assert "fillshares" not in wire.row(number)
    report = broker.read_book([]).by_id[number]
    assert (report.filled_quantity, report.contradiction) == (50, "")
    assert wire.state()["calls"]["received"]["SingleOrdHist"] == 1


def test_the_trades_settle_what_the_history_leaves_open(wire, broker):
    number = wire.placed()
    wire.faults({"kind": "missing_fillshares"}, {"kind": "missing_fillshares", "endpoint": "SingleOrdHist"})
    report = broker.read_book([]).by_id[number]
    assert (report.filled_quantity, report.contradiction) == (50, "")
    assert wire.state()["calls"]["received"]["TradeBook"] == 1


def test_without_history_and_trades_it_stays_a_contradiction(wire, broker):
    number = wire.placed()
    wire.faults(
        {"kind": "missing_fillshares"},
        {"kind": "failing_book", "endpoint": "SingleOrdHist"},
        {"kind": "failing_book", "endpoint": "TradeBook"},
    )
    assert broker.read_book([]).by_id[number].contradiction


@pytest.mark.parametrize("also", [[], [{"kind": "reordered_book"}]])
def test_a_stale_twin_never_wins(wire, broker, clock, also):
    number = wire.placed("tag-1", **resting())
    clock.advance(seconds=5)
    wire.mark("80")
    wire.faults({"kind": "stale_twin"}, *also, seed=3)
    assert len([row for row in wire.book() if row["norenordno"] == number]) == 2
    for _ in range(5):
        report = broker.read_book([]).by_id[number]
        assert (report.status, report.filled_quantity) == (BrokerStatus.COMPLETE, 50)


def test_delivered_shares_are_shown_and_held_until_they_are_sold(wire, broker):
    wire.control("_deliver", uid=USER, exch="NSE", tsym=INFY, quantity="50", also=[["BSE", "INFY"]])
    (row,) = wire.book("Holdings", prd="C")
    assert (row["holdqty"], [each["exch"] for each in row["exch_tsym"]]) == ("50", ["NSE", "BSE"])
    assert broker.read_positions().net("NSE", INFY, "CNC") == 50
    wire.placed("sale", exch="NSE", tsym=INFY, prd="C", trantype="S", qty="20")
    assert wire.book("Holdings", prd="C")[0]["usedqty"] == "20"
    snapshot = broker.read_positions(urgent=True)
    assert snapshot.net("NSE", INFY, "CNC") == 30
    wire.faults({"kind": "failing_book", "endpoint": "Holdings"})
    assert not broker.read_positions(urgent=True).is_readable("NSE", INFY, "CNC")


def test_deliveries_survive_a_restart(tmp_path, clock):
    journal = tmp_path / "journal"
    with serving(journal, clock) as server:
        Wire(server.url).login().control("_deliver", uid=USER, exch="NSE", tsym=INFY, quantity="7")
    with serving(journal, clock) as server:
        assert Wire(server.url).login().book("Holdings")[0]["holdqty"] == "7"
