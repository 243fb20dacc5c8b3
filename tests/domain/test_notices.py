"""Every block, fill, failure and unknown outcome is told, and nothing is told twice."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.notices import notices_for
from domain.order_events import advance, register
from domain.states import TRANSITIONS, Phase, Status
from tests.domain.making import AT, an_order

LATER = AT + timedelta(seconds=5)


def told(before, phase, **changes):
    """The kinds of notice that this move makes."""
    change = advance(before, phase, at=LATER, actor="w", **changes)
    assert change.notices == notices_for(change.before, change.after)
    for notice in change.notices:
        assert (notice.order, notice.client_id, notice.alert_id, notice.symbol) == (
            change.after,
            before.client_id,
            before.alert_id,
            before.symbol,
        )
    return [str(notice.kind) for notice in change.notices]


def filled(quantity, **changes):
    return {"filled_quantity": Decimal(quantity), **changes}


@pytest.mark.parametrize(
    ("before", "phase", "changes", "kinds"),
    [
        (an_order(), Phase.SUBMITTING, {}, []),
        (an_order(), Phase.BLOCKED, {"tag": "x"}, ["BLOCKED"]),
        (an_order(), Phase.LAPSED, {}, ["FAILED"]),
        (an_order(), Phase.REGISTERED, {"not_before": LATER}, []),
        (an_order(Phase.SUBMITTING), Phase.REGISTERED, {}, []),
        (an_order(Phase.SUBMITTING), Phase.LAPSED, {}, ["FAILED"]),
        (an_order(Phase.SUBMITTING), Phase.REFUSED, {}, ["REJECTED"]),
        (an_order(Phase.SUBMITTING), Phase.UNKNOWN, {}, []),
        (an_order(Phase.SUBMITTING), Phase.WORKING, {"broker_order_id": "B1"}, ["PLACED"]),
        (an_order(Phase.UNKNOWN), Phase.ABSENT, {}, ["FAILED"]),
        (an_order(Phase.UNKNOWN), Phase.UNKNOWN, {"escalation": 1}, []),
        (an_order(Phase.UNKNOWN), Phase.UNKNOWN, {"escalation": 2}, ["UNKNOWN"]),
        (an_order(Phase.UNKNOWN, escalation=1), Phase.UNKNOWN, {"escalation": 2}, ["UNKNOWN"]),
        (an_order(Phase.UNKNOWN, escalation=2), Phase.UNKNOWN, {"attempts": 2}, []),
        (
            an_order(Phase.UNKNOWN),
            Phase.FILLED,
            filled(50, broker_order_id="B1"),
            ["PLACED", "FILLED"],
        ),
        (an_order(Phase.WORKING), Phase.WORKING, {"cancel_requested_at": LATER}, []),
        (an_order(Phase.WORKING), Phase.PARTIALLY_FILLED, filled(20), ["PARTIALLY_FILLED"]),
        (an_order(Phase.WORKING), Phase.FILLED, filled(50), ["FILLED"]),
        (an_order(Phase.WORKING), Phase.FILLED, filled(60), ["OVERFILLED", "FILLED"]),
        (an_order(Phase.WORKING), Phase.REJECTED, {}, ["REJECTED"]),
        (an_order(Phase.WORKING), Phase.CANCELLED, {}, ["FAILED"]),
        (an_order(Phase.WORKING), Phase.EXPIRED, filled(20), ["FAILED"]),
        (an_order(Phase.PARTIALLY_FILLED), Phase.PARTIALLY_FILLED, filled(30), ["PARTIALLY_FILLED"]),
        (an_order(Phase.PARTIALLY_FILLED), Phase.PARTIALLY_FILLED, {}, []),
        (an_order(Phase.PARTIALLY_FILLED, filled_quantity=Decimal(50)), Phase.FILLED, {}, ["FILLED"]),
        (an_order(Phase.FILLED), Phase.FILLED, filled(60), ["OVERFILLED"]),
        (an_order(Phase.FILLED), Phase.FILLED, {"average_price": Decimal(1)}, []),
        (an_order(Phase.CANCELLED), Phase.WORKING, {"tag": None}, ["RESURRECTED"]),
        (an_order(Phase.CANCELLED), Phase.FILLED, filled(50), ["RESURRECTED", "FILLED"]),
        (an_order(Phase.ABSENT), Phase.WORKING, {"broker_order_id": "B1"}, ["PLACED", "RESURRECTED"]),
        (an_order(Phase.REFUSED), Phase.REJECTED, {"broker_order_id": "B1"}, ["PLACED"]),
    ],
    ids=lambda value: None,
)
def test_what_a_move_tells(before, phase, changes, kinds):
    assert told(before, phase, **changes) == kinds


def test_registration_tells_nothing():
    assert register(an_order(updated_at=None), at=AT, actor="webhook").notices == ()


MOVES = [(a, b) for a, b in itertools.product(Phase, Phase) if b in TRANSITIONS[a]]


@pytest.mark.parametrize(("current", "target"), MOVES, ids=lambda phase: str(phase))
def test_every_end_of_an_order_is_told(current, target):
    """The first time an order is EXECUTED or FAILED, and every time it comes back from FAILED."""
    before = replace(an_order(current), broker_order_id="B1")
    after = advance(before, target, at=LATER, actor="w").after
    kinds = set(told(before, target))
    failures = {"BLOCKED", "REJECTED", "FAILED"}
    if after.status is before.status and target is not Phase.FILLED:
        assert not kinds & failures
    elif after.status is Status.FAILED:
        assert len(kinds & failures) == 1
    if target is Phase.FILLED and current is not Phase.FILLED:
        assert "FILLED" in kinds
    assert ("RESURRECTED" in kinds) is (before.status is Status.FAILED and after.status is not Status.FAILED)


def test_a_fill_of_an_order_that_stays_failed_is_told():
    assert told(an_order(Phase.CANCELLED), Phase.CANCELLED, **filled(20)) == ["PARTIALLY_FILLED"]


@pytest.mark.parametrize(
    ("actor", "by"),
    [
        ("cli:ann", "cli:ann"),
        ("console:ann", "console:ann"),
        ("api:ann", "api:ann"),
        ("watcher-1", ""),
        ("webhook", ""),
        ("client:ann", ""),
    ],
)
def test_who_did_it_is_told_where_that_was_a_person(actor, by):
    change = advance(an_order(Phase.UNKNOWN), Phase.ABSENT, at=LATER, actor=actor)
    assert [notice.by for notice in change.notices] == [by]


def test_coming_back_says_what_it_had_been_called():
    change = advance(
        an_order(Phase.ABSENT, tag="BROKER_ABSENT:PROVEN"), Phase.WORKING, at=LATER, actor="w", tag=None
    )
    assert [notice.detail for notice in change.notices] == ["was BROKER_ABSENT:PROVEN"]
