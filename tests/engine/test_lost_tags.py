"""A row that has lost our tag may be our order: it is asked about, and nothing is called absent beside it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from command_service import ResolvedFill
from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus
from domain.errors import OutcomeUnknown
from domain.notices import NoticeKind
from domain.states import Phase, Status
from tests.engine.by_hand import hand
from tests.engine.test_late_evidence import spin
from tests.support import EXIT, MARKET_EXIT, Desk, kinds


def loses_its_tag(desk: Desk, left: str | None) -> None:
    report = desk.broker.orders["B00001"]
    desk.broker.orders["B00001"] = replace(report, client_order_id=left)


@pytest.fixture
def lost(make_desk) -> Desk:
    """The broker has taken an entry, and has not answered."""
    desk: Desk = make_desk(id_class=IdClass.C1)
    desk.broker.script = [("after", OutcomeUnknown("read timed out"))]
    desk.post()
    desk.engine.execute_next("default")
    assert desk.only().phase is Phase.UNKNOWN
    return desk


@pytest.mark.parametrize("left", ["nothing", "a part", "capitals"])
def test_an_order_whose_row_has_lost_its_tag_is_never_called_absent(lost, left):
    tag = lost.only().client_order_id
    loses_its_tag(lost, {"nothing": None, "a part": tag[:10], "capitals": tag.upper()}[left])
    spin(lost, 120)
    order = lost.only()
    assert order.phase is Phase.UNKNOWN
    assert "it may be broker order B00001, which does not carry its tag" in str(order.reason_message)
    assert sum("does not carry its tag" in n.detail for n in lost.notices) == 1
    assert NoticeKind.EXTERNAL_ORDER not in kinds(lost), "that it is not ours is not known"
    (leg,) = lost.post(MARKET_EXIT, **EXIT)
    spin(lost, 30)
    assert lost.order(leg.command_id).status is Status.CREATED, "what it closes is not known yet"
    fill = ResolvedFill("B00001", Decimal(50), Decimal(100))
    lost.commands.resolve(order.command_id, by="op", executed=fill)
    spin(lost, 40)
    assert lost.order(order.command_id).status is Status.EXECUTED
    assert lost.order(leg.command_id).filled_quantity == 50
    assert NoticeKind.EXTERNAL_ORDER not in kinds(lost)


def test_a_number_that_an_operator_gives_is_followed_though_its_row_has_a_part_of_the_tag(lost):
    loses_its_tag(lost, lost.only().client_order_id[:12])
    spin(lost, 20)
    lost.commands.resolve(lost.only().command_id, by="op", executed=ResolvedFill("B00001", None, None))
    spin(lost, 10)
    assert (lost.only().status, lost.only().filled_quantity) == (Status.EXECUTED, 50)


def placed_by_a_hand(desk: Desk, units: int, **changes: Any) -> None:
    hand(desk, units, "H1")
    desk.broker.orders["H1"] = replace(desk.broker.orders["H1"], **changes)


@pytest.mark.parametrize(
    "changes",
    [{"client_order_id": "my own words"}, {"quantity": Decimal(75)}, {"symbol": "BANKNIFTY26NOVFUT"}],
)
def test_an_order_by_hand_of_another_shape_is_no_reason_to_ask(make_desk, changes):
    desk = make_desk(id_class=IdClass.C1)
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.engine.execute_next("default")
    placed_by_a_hand(desk, 50, **changes)
    spin(desk, 120)
    assert (desk.only().phase, desk.only().tag) == (Phase.ABSENT, "BROKER_ABSENT:PROVEN")
    assert NoticeKind.EXTERNAL_ORDER in kinds(desk)


def test_an_order_by_hand_of_before_the_send_is_no_reason_to_ask(make_desk):
    desk = make_desk(id_class=IdClass.C1)
    placed_by_a_hand(desk, 50)
    spin(desk, 40)
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    spin(desk, 120)
    assert desk.only().phase is Phase.ABSENT


def test_an_order_by_hand_of_the_very_same_shape_is_asked_about(make_desk):
    desk = make_desk(id_class=IdClass.C1)
    desk.broker.script = [OutcomeUnknown("read timed out")]
    desk.post()
    desk.engine.execute_next("default")
    placed_by_a_hand(desk, 50)
    spin(desk, 120)
    assert desk.only().phase is Phase.UNKNOWN
    desk.commands.resolve(desk.only().command_id, by="op", failed_reason="it is the other one")
    spin(desk, 20)
    assert desk.only().phase is Phase.ABSENT
    assert NoticeKind.EXTERNAL_ORDER in kinds(desk)


# orders that a hand makes smaller -----------------------------------------------------------------------------------


def test_an_exit_that_a_hand_has_made_smaller_has_not_exited_all(desk):
    desk.post()
    spin(desk, 40)
    desk.broker.fill_at_once = False
    (leg,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 2)
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 20, quantity=Decimal(20))
    spin(desk, 5)
    order = desk.order(leg.command_id)
    assert (order.status, order.phase, order.filled_quantity) == (Status.FAILED, Phase.CANCELLED, 20)
    assert "its quantity was changed to 20" in str(order.reason_message)
    assert any(n.kind is NoticeKind.FAILED and n.order.command_id == leg.command_id for n in desk.notices)
