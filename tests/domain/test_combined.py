"""Combined stop, target, trail and lock of a group: exact sums, levels that only grow, and one leaving."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.combined import Combined, CombinedEvent, CombinedTerms, CombinedUnit, combined_of, looked, unseen
from domain.combined_reading import combined_terms, read_amounts, unit_fault
from domain.combined_step import decide_combined, why_of
from domain.combined_text import combined_from, combined_text
from domain.enums import ExecutionType, Side
from domain.group_profit import CLOSED_UNPRICED, NotKnown, in_unit, profit_of
from domain.leg_groups import GroupState, LegGroup, LegSeen, decide, reopened
from domain.limits import GroupPolicy, WhenIncomplete
from domain.locks import Lock
from domain.marks import Mark
from domain.money import ZERO
from domain.order import Order
from domain.protection import Rule
from domain.states import Phase, Status
from tests.domain.making import AT, an_order

SECOND = timedelta(seconds=1)
NOW = AT + 10 * SECOND


def d(value: object) -> Decimal:
    return Decimal(str(value))


def a_leg(
    symbol: str, side: Side, units: object, average: object, *, filled: object = None, number: int = 1
) -> Order:
    done = d(units if filled is None else filled)
    return an_order(
        command_id=f"a1-{number}", symbol=symbol, side=side, quantity=d(units), filled_quantity=done,
        average_price=None if average is None else d(average), status=Status.EXECUTED, phase=Phase.FILLED,
        broker_order_id=f"B{number}", created_at=AT, updated_at=AT,
    )  # fmt: skip


def an_exit(leg: Order, units: object, price: object, number: int) -> Order:
    return replace(
        leg, command_id=f"b{number}-1", execution_type=ExecutionType.EXIT, side=leg.side.opposite,
        quantity=d(units), filled_quantity=d(units), average_price=None if price is None else d(price),
    )  # fmt: skip


def marks(second: Any = 9, **prices: Any) -> dict[tuple[str, str], Mark]:
    at = AT + second * SECOND
    return {("NFO", name): Mark("NFO", name, d(price), at, "test") for name, price in prices.items()}


SOLD, HEDGE = a_leg("CE", Side.SELL, 50, "112.5"), a_leg("HEDGE", Side.BUY, 50, 40, number=2)
BOTH = (LegSeen(SOLD, d(50)), LegSeen(HEDGE, d(50)))


def no_exits(order: Order) -> list[Order]:
    return []


def profit(legs=BOTH, exits=no_exits, *, now=NOW, **prices: Any):
    return profit_of(legs, exits, marks(**prices), now)


# what the group has brought ------------------------------------------------------------------------------------


def test_the_profit_is_the_exact_sum_of_the_legs():
    assert profit(CE="112.5", HEDGE=40) == ZERO
    assert profit(CE="120.05", HEDGE="41.15") == d("-320")
    unlike = (LegSeen(a_leg("CE", Side.SELL, 100, "0.1"), d(100)), LegSeen(HEDGE, d(50)))
    found = profit(unlike, CE="0.3", HEDGE="40.7")
    assert (found, in_unit(found, unlike, CombinedUnit.POINTS)) == (d(15), d("0.3"))  # one pair is 2 and 1


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (marks(CE=120), "MISSING"),
        (marks(CE=120, HEDGE=0), "NO_PRICE"),
        (marks(CE=120, HEDGE="NaN"), "NO_PRICE"),
        (marks(CE=120) | marks(-1, HEDGE=40), "STALE"),
        (marks(CE=120) | {("NFO", "HEDGE"): Mark("NFO", "OTHER", d(40), NOW, "test")}, "FOREIGN"),
        (marks(CE=120) | marks(20, HEDGE=40), "FROM_FUTURE"),
    ],
)
def test_a_leg_without_a_usable_price_makes_the_profit_unknown_and_never_0(seen, why):
    assert profit_of(BOTH, no_exits, seen, NOW) == NotKnown(why, "HEDGE")


def test_what_is_gone_of_a_leg_counts_at_the_price_of_its_exits():
    exits = {"a1-1": [an_exit(SOLD, 20, 100, 3), an_exit(SOLD, 30, 110, 2)]}
    closed = (LegSeen(SOLD, ZERO), LegSeen(HEDGE, d(50)))
    found = profit(closed, lambda order: exits.get(order.command_id, []), HEDGE=41)
    assert found == d("12.5") * 20 + d("2.5") * 30 + 50  # no price of CE is needed
    half = (LegSeen(SOLD, d(30)), LegSeen(HEDGE, d(50)))  # another entry's 30 were bought back before
    assert profit(half, lambda order: exits.get(order.command_id, []), CE=112, HEDGE=40) == d(250) + 15


@pytest.mark.parametrize("exits", [[], [an_exit(SOLD, 30, 100, 2)], [an_exit(SOLD, 50, None, 2)]])
def test_units_that_are_gone_at_no_known_price_make_it_unknown(exits):
    closed = (LegSeen(SOLD, ZERO), LegSeen(HEDGE, d(50)))
    assert profit(closed, lambda order: exits, HEDGE=41) == NotKnown(CLOSED_UNPRICED, "CE")


def test_a_fill_without_its_price_makes_it_unknown_and_a_leg_that_is_not_filled_is_none():
    unpriced = (LegSeen(a_leg("CE", Side.SELL, 50, None), d(50)), BOTH[1])
    assert profit(unpriced, CE=100, HEDGE=40) == NotKnown("FILL_UNPRICED", "CE")
    waiting = (LegSeen(a_leg("CE", Side.SELL, 50, None, filled=0), ZERO), BOTH[1])
    assert profit(waiting, HEDGE=42) == d(100)


# what follows from it ------------------------------------------------------------------------------------------


def terms(**values: object) -> CombinedTerms:
    given = {name: value if isinstance(value, Lock) else d(value) for name, value in values.items()}
    return CombinedTerms(CombinedUnit.MONEY, **given)  # type: ignore[arg-type]


LOCK = Lock(d(1000), d(400), d(500), d(200))


def walked(agreed: CombinedTerms, *profits: object) -> tuple[Combined, list[CombinedEvent]]:
    c, told = combined_of(agreed), list[CombinedEvent]()
    for number, each in enumerate(profits):
        if c.is_live:
            found = looked(c, d(each), AT + number * SECOND)
            c, told = found.after, told + [event.kind for event in found.events]
    return c, told


@pytest.mark.parametrize(
    ("agreed", "profits", "rule", "kept"),
    [
        (terms(stop_loss=1000), (0, "-999.99", -1000), Rule.STOP, -1000),
        (terms(stop_loss=1000, target=500), (0, "499.95", 500), Rule.TARGET, -1000),
        (terms(trailing_value=300), (-300,), Rule.TRAIL, -300),
        (terms(trailing_value=300, trail_when=500), (-400, 500, 450, 700, 401, 400), Rule.TRAIL, 400),
        (terms(stop_loss=1000, lock=LOCK), (999, 400, 1000, 401, 400), Rule.LOCK, 400),
        (terms(lock=LOCK), (1000, 2100, 801, 800), Rule.LOCK, 800),
        (terms(trailing_value=300, lock=LOCK), (1600, 1300), Rule.TRAIL, 1300),
        (terms(stop_loss=1000, target=500), (300, 499), None, -1000),
    ],
)
def test_each_rule_is_met_at_its_level_and_at_no_other(agreed, profits, rule, kept):
    c, _ = walked(agreed, *profits)
    assert (c.fired_by, c.kept) == (rule, d(kept))
    before, _ = walked(agreed, *profits[:-1])
    assert before.is_live
    assert c.fired_by is None or why_of(c).endswith(f"profit {profits[-1]}, agreed {c.fired_profit}")


def test_a_lock_is_told_once_and_each_step_is_an_event():
    assert walked(terms(lock=LOCK), 1000, 1200, 1500, 1100, 1500, 2000)[1] == [
        CombinedEvent.LOCKED,
        CombinedEvent.LOCK_STEPPED,
        CombinedEvent.LOCK_STEPPED,
    ]


def test_an_unknown_profit_moves_nothing_and_is_told_once_after_a_while():
    c, told = combined_of(terms(stop_loss=10, trailing_value=5)), list[CombinedEvent]()
    for second in range(40):
        found = unseen(c, "STALE", "CE", AT + second * SECOND)
        c, told = found.after, told + [event.kind for event in found.events]
    assert told == [CombinedEvent.UNKNOWN] and c.is_live and (c.best, c.kept) == (ZERO, d(-10))
    found = looked(c, d(1), AT + 40 * SECOND)
    assert found.events[0].kind is CombinedEvent.KNOWN and not found.after.is_unknown


def a_group(c: Combined, state: GroupState = GroupState.COMPLETE) -> LegGroup:
    return LegGroup(
        "a1-1", "a1", "default", "S", GroupPolicy.HEDGE_FIRST, WhenIncomplete.TELL, 1, ("a1-1", "a1-2"), AT, AT,
        state=state, combined=c,
    )  # fmt: skip


def test_a_group_that_is_met_leaves_once_sold_legs_first():
    group = a_group(combined_of(terms(stop_loss=1000)))
    found = decide_combined(group, BOTH, d(-1000), NOW)
    assert (found.after.state, found.after.unwinding_since) == (GroupState.UNWINDING, NOW)
    assert [(w.leg.symbol, w.units, w.intent) for w in found.exits] == [("CE", 50, "group|a1-1|1")]
    assert not found.after.is_combined
    assert not reopened(replace(found.after, state=GroupState.UNWOUND), NOW).is_combined


def test_a_group_of_which_nothing_is_held_any_more_is_not_watched():
    group = a_group(combined_of(terms(stop_loss=1000)))
    gone = (LegSeen(SOLD, ZERO), LegSeen(HEDGE, ZERO))
    found = decide_combined(group, gone, NotKnown(CLOSED_UNPRICED, "CE"), NOW)
    assert [event.kind for event in found.events] == [CombinedEvent.ENDED]
    assert not found.after.is_watched and found.after.state is GroupState.COMPLETE


def test_without_it_and_while_it_leaves_nothing_of_it_is_asked():
    group = a_group(combined_of(terms(stop_loss=1000)), GroupState.INCOMPLETE)
    plain = replace(group, combined=None)
    same = decide_combined(group, BOTH, d(5), NOW)
    assert replace(same.after, combined=None, version=0) == replace(decide(plain, BOTH, NOW).after, version=0)
    assert not replace(group, state=GroupState.UNWINDING, unwinding_since=NOW).is_combined


AMOUNTS = st.integers(1, 40).map(Decimal)
OPTIONAL = st.one_of(st.none(), AMOUNTS)


@st.composite
def agreements(draw):
    at = draw(st.integers(2, 30))
    step = draw(st.one_of(st.none(), st.integers(1, 8)))
    trail = None if step is None else d(draw(st.integers(1, step)))
    lock = Lock(d(at), d(draw(st.integers(0, at - 1))), None if step is None else d(step), trail)
    trailing = draw(OPTIONAL)
    when = draw(OPTIONAL) if trailing is not None else None
    found = CombinedTerms(
        CombinedUnit.MONEY,
        draw(OPTIONAL),
        draw(OPTIONAL),
        trailing,
        when,
        draw(st.sampled_from([None, lock])),
    )
    return found if found.fault is None else replace(found, stop_loss=d(7))


PROFITS = st.lists(st.one_of(st.none(), st.integers(-60, 60).map(Decimal)), max_size=25)


def follow(agreed: CombinedTerms, profits: list, restarts: set[int]) -> tuple[list[Combined], list]:
    """Follow the profits; at a restart what was computed and not committed is lost, and the rest is read anew."""
    c, states, events = combined_of(agreed), list[Combined](), list[object]()
    for number, each in enumerate(profits):
        if not c.is_live:
            break
        now = AT + number * 20 * SECOND
        for _ in range(1 + (number in restarts)):
            c = combined_from(combined_text(c) or "") if number in restarts else c
            found = unseen(c, "STALE", "CE", now) if each is None else looked(c, each, now)
        c = found.after
        states.append(c)
        events += found.events
    return states, events


def check_path(agreed: CombinedTerms, profits: list, restarts: set[int]) -> None:
    states, events = follow(agreed, profits, set())
    kept = [c.kept for c in states if c.kept is not None]
    assert kept == sorted(kept)
    fired = [event for event in events if event.kind is CombinedEvent.FIRED]
    assert len(fired) <= 1 and all(c.is_live for c in states[:-1])
    for c, each in zip(states, profits, strict=False):
        if each is None:
            assert c.is_live
        elif c.is_live:
            assert c.kept is None or each > c.kept
            assert agreed.target is None or each < agreed.target
    assert follow(agreed, profits, restarts) == (states, events)


@settings(max_examples=300, deadline=None)
@given(agreements(), PROFITS, st.sets(st.integers(0, 24)))
def test_on_every_path_it_keeps_only_more_is_met_once_and_restarts_change_nothing(agreed, profits, restarts):
    check_path(agreed, profits, restarts)


@pytest.mark.gate
def test_the_same_on_many_more_paths():
    rng = Random(20261130)
    for _ in range(10_000):
        trailing = rng.choice([None, d(rng.randrange(1, 20))])
        agreed = CombinedTerms(
            CombinedUnit.MONEY,
            rng.choice([None, d(rng.randrange(1, 30))]),
            rng.choice([None, d(rng.randrange(5, 40))]),
            trailing,
            None if trailing is None else rng.choice([None, d(rng.randrange(1, 15))]),
            rng.choice([None, Lock(d(8), d(3)), Lock(d(6), ZERO, d(4), d(2))]),
        )
        level, profits = 0, list[Decimal | None]()
        for _ in range(rng.randrange(1, 15)):
            level += rng.randrange(-9, 10)
            profits.append(rng.choice([d(level), d(level), d(level), None]))
        if agreed.fault is None:
            check_path(agreed, profits, {n for n in range(15) if rng.random() < 0.2})


# as it is brought ----------------------------------------------------------------------------------------------


def number(value: object) -> Decimal:
    return d(value)


def test_numbers_are_money_and_pt_are_points_of_the_net_premium():
    amounts = read_amounts(
        {
            "stop_loss": "20pt",
            "target": 0,
            "trailing_value": "5.5pt",
            "trail_when": None,
            "lock_and_trail": {"lock_at": "10pt", "lock_floor": 0, "step": "5pt", "trail": "2pt"},
        },
        number,
    )
    assert unit_fault(amounts) is None
    assert combined_terms(amounts) == CombinedTerms(
        CombinedUnit.POINTS, d(20), trailing_value=d("5.5"), lock=Lock(d(10), ZERO, d(5), d(2))
    )
    assert combined_terms(read_amounts({"stop_loss": 2000}, number)) == terms(stop_loss=2000)


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({}, "stop_loss"),
        ({"trail_when": 5, "target": 5}, "trailing_value"),
        ({"stop_loss": 5, "target": "5pt"}, "target"),
        ({"lock_and_trail": {"lock_at": 5, "lock_floor": 5}}, "lock_and_trail.lock_floor"),
        ({"lock_and_trail": {"lock_at": 5, "lock_floor": 1, "step": 2, "trail": 3}}, "lock_and_trail.trail"),
    ],
)
def test_what_cannot_be_meant_is_named(given_, field):
    amounts = read_amounts(given_, number)
    fault = unit_fault(amounts) or combined_terms(amounts).fault
    assert fault is not None and fault[0] == field and fault[1].startswith("expected ")
