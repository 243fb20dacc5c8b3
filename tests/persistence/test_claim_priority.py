"""The number by which claimable orders are sorted: the same in the domain, in old rows and in new ones."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from domain.claim_priority import CLAIM_PRIORITY, EXITS, LAST, claim_priority
from domain.enums import ExecutionType
from domain.ids import client_order_id
from domain.order_events import register
from domain.states import Phase
from persistence.sqlite.audit.verify import verify
from persistence.sqlite.migrations import migrate
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import orders_statement
from persistence.sqlite.triggers import TRIGGERS
from tests.persistence.making import Maker

BEFORE = (
    *(f"DROP TRIGGER {name}" for name in TRIGGERS),
    "DROP INDEX orders_claimable",
    "ALTER TABLE orders DROP COLUMN claim_priority",
    "CREATE INDEX orders_claimable ON orders (client_id, execution_type DESC, created_at) WHERE status = 'CREATED'",
    "DELETE FROM _sqlite_migrations WHERE name = 'claim_priorities'",
)


@pytest.fixture
def maker(tmp_path):
    """An order of each type that may be sent now, the most urgent last, and one that is over."""
    maker = Maker(tmp_path / "orders.db")
    for kind in sorted(CLAIM_PRIORITY, key=CLAIM_PRIORITY.__getitem__, reverse=True):
        order = replace(
            maker._leg(f"of-{kind}", 0, maker.clock.now()),
            execution_type=kind,
            client_order_id=client_order_id(f"{kind}|0|0"),
        )
        maker.store.write(
            lambda tx, order=order: tx.apply(register(order, at=order.created_at, actor="webhook"))
        )
    maker.order("over", Phase.FILLED)
    return maker


def kept(maker):
    return {
        maker.store.get_by_id(id_).execution_type: number
        for id_, number in maker.rows("SELECT command_id, claim_priority FROM orders")
    }


def test_an_exit_is_more_urgent_than_anything_else():
    kinds = set(ExecutionType) - {ExecutionType.EXIT, ExecutionType.CANCEL}  # no order is a cancel
    assert all(CLAIM_PRIORITY[kind] > EXITS for kind in kinds)
    assert max(CLAIM_PRIORITY.values()) == LAST


def test_the_database_and_the_domain_have_the_same_numbers(maker):
    assert kept(maker) == CLAIM_PRIORITY
    found = maker.store.claimable("default", maker.clock.now(), limit=9, exits_only=False)
    assert [claim_priority(order) for order in found] == sorted(CLAIM_PRIORITY.values())
    assert verify(maker.path).problems == []


def test_orders_of_an_earlier_version_get_their_number(maker):
    maker.sql(*BEFORE)
    migrate(maker.path)
    assert kept(maker) == CLAIM_PRIORITY
    assert verify(maker.path).problems == []


def test_another_number_than_the_domains_is_found(maker):
    maker.sql(
        *BEFORE[:-2],
        "ALTER TABLE orders ADD COLUMN claim_priority INTEGER AS (1) VIRTUAL",
    )
    problems = verify(maker.path).problems
    assert [each.where for each in problems if each.where.startswith("of-")] == ["of-EXIT-1"]


@pytest.mark.parametrize("sql", [orders_statement("claimable"), statement("has_claimable")])
def test_the_index_gives_the_order_without_a_sort(maker, sql):
    values = {"1": "default", "2": "", "3": "", "4": LAST, "5": 1}
    with closing(sqlite3.connect(maker.path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert plan == ["SEARCH orders USING INDEX orders_claimable (client_id=? AND claim_priority<?)"]
