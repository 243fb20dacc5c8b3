"""The trail of adoptions: append-only, chained, followed by `verify`, and repeated under a client's new id."""

import sqlite3
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain.adoption import Adoption, AdoptionFacts, KnownDifference
from domain.broker_reports import Position, PositionsSnapshot, UnreadableRow
from domain.position_comparison import Difference
from domain.risk_facts import Holding
from domain.states import Phase
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.triggers import TRIGGERS
from tests.persistence.making import Maker

SYMBOL = "NIFTY26NOV24500CE"


@pytest.fixture
def maker(tmp_path) -> Maker:
    return Maker(tmp_path / "orders.db")


def keep(maker: Maker, quantity: int = 50, total: int = 50, **changes: Any) -> Adoption:
    at = maker.clock.now()
    values: dict[str, Any] = {
        "client_id": "default",
        "exchange": "NFO",
        "symbol": SYMBOL,
        "product": "MIS",
        "strategy_name": "S1",
        "quantity": Decimal(quantity),
        "average_price": Decimal("112.5"),
        "at": at,
        "by": "cli:op",
        "reason": "mine",
        "read_at": at,
        "at_broker": Decimal(80),
        "holding": Holding("default", "S1", "NFO", SYMBOL, "MIS", Decimal(total), 1),
    }
    adoption = Adoption(**(values | changes))
    maker.store.write(lambda tx: tx.keep_adoption(adoption))
    return adoption


def facts_of(maker: Maker, symbol: str = SYMBOL) -> AdoptionFacts:
    return maker.store.write(lambda tx: tx.adoption_facts("default", symbol, maker.clock.now()))


def save(maker: Maker, *unreadable: UnreadableRow, **nets: int) -> None:
    rows = tuple(Position("NFO", name, "MIS", Decimal(net)) for name, net in nets.items())
    maker.store.save_positions(
        "default", PositionsSnapshot(maker.clock.now(), rows, unreadable), date(2026, 11, 21)
    )


def test_an_adoption_is_a_row_and_a_holding(maker):
    keep(maker)
    assert maker.rows(
        "SELECT quantity, average_price, adopted_by, reason, at_broker, moved_from FROM adoptions"
    ) == [("50", "112.5", "cli:op", "mine", "80", None)]
    assert maker.store.holdings("default") == [Holding("default", "S1", "NFO", SYMBOL, "MIS", Decimal(50), 1)]
    keep(maker, 30, 80)
    assert [h.net_quantity for h in maker.store.holdings("default")] == [80]
    report = verify(maker.path)
    assert (report.exit_code, report.adoptions) == (0, 2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE adoptions SET quantity = '5'",
        "DELETE FROM adoptions",
        "INSERT OR REPLACE INTO adoptions SELECT * FROM adoptions",
        "INSERT INTO adoptions SELECT 9, client_id, exchange, symbol, product, strategy_name, quantity, average_price, "
        "adopted_at, adopted_by, reason, positions_read_at, at_broker, NULL, 'x', 'y' FROM adoptions",
    ],
)
def test_the_trail_only_grows_and_each_row_follows_the_one_before(maker, statement):
    keep(maker)
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|concurrent"):
        maker.sql(statement)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE adoptions SET quantity = '5' WHERE adoption_id = 2", "adoption 2"),
        ("UPDATE adoptions SET client_id = 'other' WHERE adoption_id = 1", "adoption 1"),
        ("DELETE FROM adoptions WHERE adoption_id = 2", "adoptions"),
        ("DELETE FROM adoptions WHERE adoption_id = 3", "adoptions"),
    ],
)
def test_what_somebody_changes_behind_our_back_is_found(maker, statement, where):
    for _ in range(3):
        keep(maker)
    drops = [f"DROP TRIGGER {name}" for name in TRIGGERS]
    maker.sql(*drops, statement, *TRIGGERS.values())
    assert where in {problem.where for problem in verify(maker.path).problems}


def test_under_a_new_id_the_trail_is_repeated_once_and_the_old_one_stays(maker):
    keep(maker)
    keep(maker, 30, 80)
    at = maker.clock.now()
    maker.store.write(lambda tx: tx.move_client("default", "new", at=at, actor="cli:op"))
    maker.store.write(lambda tx: tx.move_client("new", "newer", at=at, actor="cli:op"))
    rows = maker.rows("SELECT adoption_id, client_id, quantity, moved_from FROM adoptions ORDER BY 1")
    assert rows == [
        (1, "default", "50", None),
        (2, "default", "30", None),
        (3, "new", "50", 1),
        (4, "new", "30", 2),
        (5, "newer", "50", 3),
        (6, "newer", "30", 4),
    ]
    assert verify(maker.path).problems == []
    assert [(h.client_id, h.net_quantity) for h in maker.store.holdings("newer")] == [("newer", 80)]


def test_what_is_left_of_a_difference_and_of_orders_by_hand(maker):
    now = maker.clock.now()
    told = Difference("NFO", SYMBOL, "MIS", Decimal(0), Decimal(80), is_external=True)
    maker.store.write(lambda tx: tx.keep_difference("default", told, now, now))
    where = ("NFO", SYMBOL, "MIS")
    keep(maker, difference=KnownDifference(where, Decimal(30), Decimal(30), is_external=False))
    assert maker.rows(
        "SELECT held, at_broker, difference, believed, kind, since FROM position_differences"
    ) == [("50", "80", "30", "30", "DIFFERENT", maker.rows("SELECT since FROM position_differences")[0][0])]
    keep(maker, 30, 80, difference=KnownDifference(where, Decimal(0), Decimal(0), is_external=False))
    assert maker.rows("SELECT 1 FROM position_differences") == []


def test_of_orders_by_hand_the_oldest_explain_nothing_more(maker):
    for number, side, units in (("H1", "BUY", 30), ("H2", "BUY", 40), ("H3", "SELL", 10)):
        at = maker.clock.now().isoformat()
        maker.sql(
            f"INSERT INTO external_orders VALUES ('default', '{number}', 'NFO', '{SYMBOL}', '{side}', '{units}', "
            f"'{units}', 'COMPLETE', '{at}', 'MIS', '{units}', NULL)"
        )
    assert facts_of(maker).by_hand == {"NFO": 60}
    keep(maker, explained=Decimal(50))
    assert maker.rows("SELECT broker_order_id, unexplained_quantity FROM external_orders ORDER BY 1") == [
        ("H1", "0"),
        ("H2", "20"),
        ("H3", "10"),
    ]


def test_facts_are_of_the_last_read_alone(maker):
    assert facts_of(maker).snapshot is None
    save(maker, **{SYMBOL: 50, "OTHER": 7})
    row = UnreadableRow("NFO", SYMBOL, "MIS", None, None, "netqty ''")
    save(maker, row, OTHER=7)  # what was read of it before stays in the table, with that read's time
    assert maker.rows("SELECT count(*) FROM positions") == [(2,)]
    snapshot = facts_of(maker, SYMBOL.lower().upper()).snapshot
    assert snapshot is not None and snapshot.positions == ()
    assert not snapshot.is_readable("NFO", SYMBOL)
    maker.store.save_read_error("default", maker.clock.now(), "502")
    assert facts_of(maker).read_error == "502"


def test_orders_that_are_over_are_no_facts(maker):
    for phase in Phase:
        maker.order(phase, phase)
    found = {order.phase for order in facts_of(maker).orders}
    assert found == {Phase.REGISTERED, Phase.SUBMITTING, Phase.UNKNOWN, Phase.WORKING, Phase.PARTIALLY_FILLED}
