"""Broker orders that no row explains, found by the tag that they carry."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, OrderReport
from domain.enums import Side
from domain.ids import client_order_id, is_ours
from tests.persistence.making import Maker

TAG = client_order_id("default|signal|one|0|0")
REPORT = OrderReport(
    broker_order_id="7",
    client_order_id=TAG,
    status=BrokerStatus.COMPLETE,
    exchange="NFO",
    symbol="NIFTY26NOV24500CE",
    side=Side.SELL,
    quantity=Decimal(50),
    filled_quantity=Decimal(50),
    product="MIS",
)


@pytest.fixture
def maker(tmp_path):
    return Maker(tmp_path / "orders.db")


def note(maker: Maker, report: OrderReport, client: str = "default") -> bool:
    return maker.store.write(lambda tx: tx.note_external(client, report, maker.clock.now()))


def found(maker: Maker, tag: str = TAG, client: str = "default"):
    return maker.store.write(lambda tx: tx.tagged_external(client, tag))


def test_a_noted_order_is_found_by_its_tag(maker):
    before = maker.clock.now()
    assert note(maker, REPORT)
    [(report, first_seen)] = found(maker)
    assert report == REPORT
    assert before <= first_seen <= maker.clock.now()


def test_it_is_one_clients_and_one_tags(maker):
    note(maker, REPORT)
    assert found(maker, client="other") == []
    assert found(maker, client_order_id("another")) == []


@pytest.mark.parametrize("tag", [None, "", "by hand", "ow", TAG.upper(), TAG + "0", "xx" + TAG[2:]])
def test_a_tag_of_another_form_is_not_kept(maker, tag):
    assert not is_ours(tag)
    note(maker, replace(REPORT, client_order_id=tag))
    assert maker.rows("SELECT client_order_id FROM external_orders") == [(None,)]


def test_a_row_of_before_the_column_gets_its_tag_when_it_is_seen_again(maker):
    note(maker, REPORT)
    maker.sql("UPDATE external_orders SET client_order_id = NULL")
    assert not note(maker, REPORT)
    assert len(found(maker)) == 1
    note(maker, replace(REPORT, client_order_id=None))  # a tag may go when an order is changed at a terminal
    assert len(found(maker)) == 1


def test_the_look_is_one_of_an_index(maker):
    [plan] = maker.rows(
        "EXPLAIN QUERY PLAN SELECT 1 FROM external_orders INDEXED BY external_orders_tagged "
        f"WHERE client_order_id = '{TAG}' AND client_id = 'default'"
    )
    assert "external_orders_tagged (client_order_id=?)" in plan[3]
