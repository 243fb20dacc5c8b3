"""However an order moves, its events tell the same story as its row, and nobody can change the story unseen."""

from dataclasses import astuple, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import DecisionType, Side
from domain.errors import IllegalTransition
from domain.order import Order
from domain.order_events import OrderChange, OrderEvent, advance, column, register, replay
from domain.states import STATUS_OF, TRANSITIONS, Phase, Status
from tests.domain.making import AT, an_order

QUICK = settings(max_examples=150, deadline=None, derandomize=True)
COLUMNS = [field.name for field in fields(Order)]
EVENT_FIELDS = [field.name for field in fields(OrderEvent)]

texts = st.text(st.characters(codec="utf-8"), max_size=12)
amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
CHANGES = {
    "side": st.sampled_from(Side),
    "quantity": amounts,
    "tag": st.none() | texts,
    "broker_order_id": st.none() | texts,
    "filled_quantity": amounts,
    "average_price": st.none() | amounts,
    "claimed_by": st.none() | texts,
    "sent_at": st.none() | instants,
    "attempts": st.integers(0, 9),
    "not_before": st.none() | instants,
    "cancel_requested_at": st.none() | instants,
    "cancel_sent_at": st.none() | instants,
    "escalation": st.integers(0, 2),
    "decision_type": st.none() | st.sampled_from(DecisionType),
    "reason_code": st.none() | texts,
    "reason_message": st.none() | texts,
    "context_json": st.none() | texts,
    "exchange_error_snippet": st.none() | texts,
}


@st.composite
def walks(draw):
    """The changes of one order's life along legal edges, each with any fields changed."""
    changes = [register(an_order(updated_at=None), at=AT, actor="webhook")]
    for step in range(draw(st.integers(0, 7))):
        order = changes[-1].after
        targets = sorted(TRANSITIONS[order.phase])
        if not targets:
            break
        phase = draw(st.sampled_from(targets))
        names = draw(st.sets(st.sampled_from(sorted(CHANGES)), max_size=5))
        values = {name: draw(CHANGES[name]) for name in sorted(names)}
        if phase is Phase.FILLED:
            values["broker_order_id"] = "B1"
        at = AT + timedelta(seconds=step, microseconds=draw(st.integers(0, 999_999)))
        changes.append(advance(order, phase, at=at, actor=draw(texts), **values))
    return changes


def event_rows(changes: list[OrderChange]) -> list[dict]:
    """The events as `order_events` holds them."""
    return [
        {"event_id": number, **{name: column(getattr(change.event, name)) for name in EVENT_FIELDS}}
        for number, change in enumerate(changes, 1)
    ]


def order_row(order: Order) -> dict:
    return {name: column(getattr(order, name)) for name in COLUMNS}


@QUICK
@given(walks())
def test_the_events_rebuild_the_row_after_every_step(changes):
    rows = event_rows(changes)
    for steps in range(1, len(rows) + 1):
        assert replay(rows[:steps]) == order_row(changes[steps - 1].after)


@QUICK
@given(walks())
def test_each_step_chains_to_the_one_before_and_belongs_to_its_status(changes):
    for before, after in zip([None, *changes], changes, strict=False):
        assert after.event.previous_hash == (before.event.hash if before else "")
        assert after.after.status is STATUS_OF[after.after.phase]
        assert (after.event.from_phase, after.event.to_phase) == (
            before.after.phase if before else None,
            after.after.phase,
        )


@QUICK
@given(walks())
def test_a_change_names_every_column_that_differs(changes):
    for change in changes[1:]:
        before, after = order_row(change.before), order_row(change.after)
        assert {name for name in COLUMNS if before[name] != after[name]} <= set(change.columns)


@QUICK
@given(walks(), st.data())
def test_no_field_of_any_event_can_be_changed_unseen(changes, data):
    rows = event_rows(changes)
    row = data.draw(st.sampled_from(rows))
    name = data.draw(st.sampled_from(EVENT_FIELDS))
    row[name] = data.draw((st.none() | texts).filter(lambda value: value != row[name]))
    with pytest.raises((ValueError, TypeError)):
        replay(rows)


@QUICK
@given(walks(), st.data())
def test_no_event_can_be_dropped_moved_or_repeated_unseen(changes, data):
    rows = event_rows(changes)
    original = order_row(changes[-1].after)
    index = data.draw(st.integers(0, len(rows) - 1))
    how = data.draw(st.sampled_from(["drop", "repeat", "swap"]))
    if how == "drop":
        rows.pop(index)
    elif how == "repeat":
        rows.insert(index, rows[index])
    elif len(rows) > 1:
        rows[index - 1], rows[index] = rows[index], rows[index - 1]
    else:
        return
    try:
        rebuilt = replay(rows)
    except ValueError:
        return
    assert how == "drop"
    assert rebuilt != original, "a shortened history must not stand for the whole"


def test_a_value_moved_from_one_field_to_the_next_is_a_change():
    (row,) = event_rows([register(an_order(tag="a"), at=AT, actor="b")])
    assert replay([row])["tag"] == "a"
    with pytest.raises(ValueError, match="content was changed"):
        replay([row | {"tag": None, "actor": "ab"}])


@pytest.mark.parametrize("phase", sorted(p for p in Phase if Phase.FILLED in TRANSITIONS[p]))
@pytest.mark.parametrize("missing", [None, ""])
def test_executed_is_impossible_without_a_broker_order_id(phase, missing):
    order = replace(an_order(phase), broker_order_id=missing)
    with pytest.raises(IllegalTransition, match="needs a broker order id"):
        advance(order, Phase.FILLED, at=AT, actor="test")
    known = replace(order, broker_order_id="B1")
    with pytest.raises(IllegalTransition, match="needs a broker order id"):
        advance(known, Phase.FILLED, at=AT, actor="test", broker_order_id=missing)
    assert advance(known, Phase.FILLED, at=AT, actor="test").after.status is Status.EXECUTED
    named = advance(order, Phase.FILLED, at=AT, actor="test", broker_order_id="B2")
    assert named.after.broker_order_id == "B2"


@pytest.mark.parametrize("current", Phase)
def test_advance_keeps_to_the_table(current):
    for target in Phase:
        if target not in TRANSITIONS[current]:
            with pytest.raises(IllegalTransition):
                advance(an_order(current, broker_order_id="B1"), target, at=AT, actor="test")


def test_registration_writes_every_column_into_the_first_event():
    order = an_order(updated_at=None)
    change = register(order, at=AT, actor="webhook")
    assert (change.before, change.event.from_status, change.event.from_phase) == (None, None, None)
    assert replay(event_rows([change])) == order_row(change.after)
    assert change.after == replace(order, updated_at=AT, event_hash=change.event.hash)


def test_nothing_but_the_named_fields_and_the_state_changes():
    order = an_order(Phase.WORKING)
    after = advance(order, Phase.PARTIALLY_FILLED, at=AT, actor="w", filled_quantity=Decimal(7)).after
    differing = {name for name in COLUMNS if getattr(order, name) != getattr(after, name)}
    assert differing == {"phase", "filled_quantity", "updated_at", "event_hash"}


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"reason_message": "new (y)", "reason_detail": "y"}, "y"),
        ({"reason_message": "new"}, None),
        ({"reason_message": None}, None),
        ({}, "x"),
    ],
)
def test_the_detail_of_a_reason_comes_and_goes_with_its_message(changes, detail):
    order = an_order(Phase.REGISTERED, reason_message="old (x)", reason_detail="x")
    assert advance(order, Phase.REGISTERED, at=AT, actor="w", **changes).after.reason_detail == detail


def test_the_reason_of_an_unknown_outcome_is_all_detail():
    order = an_order(Phase.UNKNOWN, reason_message="outcome unknown: x", reason_detail="x")
    after = advance(order, Phase.UNKNOWN, at=AT, actor="w", reason_message="it may be broker order 7").after
    assert after.reason_detail == "it may be broker order 7"


def test_two_orders_with_the_same_life_have_different_chains():
    one = register(an_order(command_id="a-1"), at=AT, actor="w")
    two = register(an_order(command_id="a-2"), at=AT, actor="w")
    assert one.event.hash != two.event.hash


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (3, 3),
        (Decimal("112.50"), "112.5"),
        (AT, "2026-11-20T04:00:00.000000Z"),
        (Side.BUY, "BUY"),
        ("x", "x"),
    ],
)
def test_a_value_as_its_column_holds_it(value, text):
    assert column(value) == text
    assert type(column(value)) is type(text)


def test_an_order_is_a_value():
    assert astuple(an_order()) == astuple(an_order())
    with pytest.raises(AttributeError):
        an_order().quantity = Decimal(1)
