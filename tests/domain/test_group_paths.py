"""Groups on many paths: every order of outcomes comes to an end, and no hedge leaves before its sold leg."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import ExecutionType, Side
from domain.leg_groups import MOST_TRIES, GroupState, LegGroup, LegSeen, decide
from domain.limits import GroupPolicy, WhenIncomplete
from domain.money import ZERO
from domain.order import Order
from domain.states import STATUS_OF, Phase, Status
from tests.domain.making import AT, an_order

QUANTITY = Decimal(50)
POLICIES = (GroupPolicy.HEDGE_FIRST, GroupPolicy.ALL_OR_NONE, GroupPolicy.BEST_EFFORT)
OVER = (Status.EXECUTED, Status.FAILED)


def moved(order: Order, phase: Phase, at: datetime, **changes: object) -> Order:
    changes.setdefault("broker_order_id", order.broker_order_id or "B1")
    return replace(order, phase=phase, status=STATUS_OF[phase], updated_at=at, **changes)  # type: ignore[arg-type]


@dataclass
class Model:
    """A group at a broker that does what chance says: legs fill, fail or stay unknown; exits fill, in part, or fail."""

    random: Random
    group: LegGroup
    legs: list[Order]
    exits_fail: float
    now: datetime = AT
    tries: dict[str, list[Order]] = field(default_factory=dict)
    taken_by_others: dict[str, Decimal] = field(default_factory=dict)

    def held(self, leg: Order) -> Decimal:
        gone = sum((each.filled_quantity for each in self.tries.get(leg.command_id, [])), ZERO)
        return leg.filled_quantity - gone - self.taken_by_others.get(leg.command_id, ZERO)

    def seen(self) -> list[LegSeen]:
        return [
            LegSeen(leg, self.held(leg), tuple((each,) for each in self.tries.get(leg.command_id, [])))
            for leg in self.legs
        ]

    def decide(self) -> None:
        """What a watcher does, and what must be true of it whenever it does it."""
        if not self.group.state.is_open:
            return
        found = decide(self.group, self.seen(), self.now)
        for wish in found.exits:
            leg = next(each for each in self.legs if each.command_id == wish.leg.command_id)
            assert ZERO < wish.units <= self.held(leg)
            assert not any(e.status not in OVER for e in self.tries.get(leg.command_id, [])), (
                "two exits at once"
            )
            if leg.side is Side.BUY:
                self.no_sold_leg_is_left()
            self.ask(leg, wish.units, wish.number)
        for order in found.take_back:
            self.cancel(order.command_id)
        self.group = found.after

    def no_sold_leg_is_left(self) -> None:
        for leg in self.legs:
            if leg.side is Side.SELL:
                assert leg.status in OVER, "a hedge is sold while its sold leg may fill"
                assert not self.held(leg), "a hedge is sold while its sold leg is held"

    def ask(self, leg: Order, units: Decimal, number: int) -> None:
        tried = self.tries.setdefault(leg.command_id, [])
        assert number == len(tried) + 1 <= MOST_TRIES
        exit_ = an_order(
            command_id=f"{leg.command_id}x{number}", execution_type=ExecutionType.EXIT, side=leg.side.opposite,
            quantity=units, created_at=self.now, updated_at=self.now,
        )  # fmt: skip
        tried.append(exit_)

    def cancel(self, command_id: str) -> None:
        index = next(i for i, leg in enumerate(self.legs) if leg.command_id == command_id)
        leg = self.legs[index]
        if leg.phase is Phase.REGISTERED:
            self.legs[index] = moved(leg, Phase.BLOCKED, self.now, tag="GUARD_BLOCKED:GROUP_INCOMPLETE")
        else:
            self.legs[index] = replace(leg, cancel_requested_at=self.now)

    def happens(self) -> None:
        """One thing at the broker."""
        if self.random.random() < 0.5:
            self.a_leg_moves(self.random.randrange(len(self.legs)))
        else:
            self.an_exit_moves()

    def a_leg_moves(self, index: int) -> None:
        leg, at = self.legs[index], self.now
        if leg.status in OVER:
            return
        bought = [each for each in self.legs if each.side is Side.BUY]
        if leg.phase is Phase.REGISTERED:
            may_go = leg.side is Side.BUY or all(each.status is Status.EXECUTED for each in bought)
            if may_go:
                phase = self.random.choice((Phase.WORKING, Phase.UNKNOWN, Phase.REFUSED))
                self.legs[index] = moved(
                    leg, phase, at, broker_order_id="B1" if phase is Phase.WORKING else None
                )
            return
        ways = [Phase.PARTIALLY_FILLED, Phase.FILLED, Phase.REJECTED]
        if leg.cancel_requested_at is not None:
            ways += [Phase.CANCELLED, Phase.CANCELLED]  # or it is filled first
        if leg.phase is Phase.UNKNOWN:
            ways += [Phase.ABSENT, Phase.WORKING]
        self.leg_goes(index, self.random.choice(ways))

    def leg_goes(self, index: int, phase: Phase) -> None:
        leg = self.legs[index]
        filled = leg.filled_quantity
        if phase is Phase.FILLED:
            filled = leg.quantity
        elif phase is Phase.PARTIALLY_FILLED:
            filled = min(filled + 10, Decimal(40))
        self.legs[index] = moved(leg, phase, self.now, filled_quantity=filled)

    def an_exit_moves(self) -> None:
        open_ = [
            (id_, i) for id_, tried in self.tries.items() for i, e in enumerate(tried) if e.status not in OVER
        ]
        if not open_:
            return
        id_, i = self.random.choice(open_)
        exit_ = self.tries[id_][i]
        if self.random.random() < self.exits_fail:
            part = self.random.choice((ZERO, min(exit_.quantity, Decimal(10))))
            self.tries[id_][i] = moved(exit_, Phase.REJECTED, self.now, filled_quantity=part)
        else:
            self.tries[id_][i] = moved(exit_, Phase.FILLED, self.now, filled_quantity=exit_.quantity)

    def a_person_closes_some(self) -> None:
        """By hand, or another exit of the strategy: what no exit of ours is about to take."""
        leg = self.random.choice(self.legs)
        if self.group.state is GroupState.UNWINDING and not any(
            e.status not in OVER for e in self.tries.get(leg.command_id, [])
        ):
            self.taken_by_others[leg.command_id] = self.taken_by_others.get(leg.command_id, ZERO) + self.held(
                leg
            )


def a_model(seed: int, sides: list[Side], policy: GroupPolicy, minimum: int, exits_fail: float) -> Model:
    legs = [
        an_order(
            command_id=f"leg-{n}", leg_index=n, side=side, symbol=f"S{n}", quantity=QUANTITY, updated_at=AT
        )
        for n, side in enumerate(sides)
    ]
    group = LegGroup(
        group_id="leg-0", alert_id="a", client_id="default", strategy_name="STRADDLE", policy=policy,
        when_incomplete=WhenIncomplete.UNWIND, minimum=minimum, legs=tuple(leg.command_id for leg in legs),
        created_at=AT, updated_at=AT, deadline=AT + timedelta(seconds=30),
    )  # fmt: skip
    return Model(Random(seed), group, legs, exits_fail)


PATHS = given(
    seed=st.integers(0, 2**32),
    sides=st.lists(st.sampled_from(list(Side)), min_size=2, max_size=4),
    policy=st.sampled_from(POLICIES),
    minimum=st.integers(1, 4),
    exits_fail=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
)


@settings(max_examples=200, deadline=None)
@PATHS
def test_every_order_of_outcomes_comes_to_an_end_and_no_hedge_leaves_first(
    seed, sides, policy, minimum, exits_fail
):
    comes_to_an_end(a_model(seed, sides, policy, minimum, exits_fail), minimum)


@pytest.mark.gate
@pytest.mark.timeout(300)
@settings(max_examples=2500, deadline=None)
@PATHS
def test_so_do_many_more(seed, sides, policy, minimum, exits_fail):
    comes_to_an_end(a_model(seed, sides, policy, minimum, exits_fail), minimum)


def comes_to_an_end(model: Model, minimum: int) -> None:
    """Let chance have its way, then let the broker answer: the group ends, as it may."""
    for _ in range(model.random.randrange(60)):
        model.now += timedelta(seconds=model.random.choice((0.2, 1, 6)))
        model.random.choice((model.happens, model.happens, model.decide, model.a_person_closes_some))()
    model.now += timedelta(seconds=30)  # from now on the broker answers
    for _ in range(60):
        model.decide()
        for index, leg in enumerate(model.legs):
            if leg.status not in OVER and (leg.phase is not Phase.REGISTERED):
                ended = leg.cancel_requested_at is not None or leg.phase is Phase.UNKNOWN
                model.leg_goes(index, Phase.CANCELLED if ended else Phase.PARTIALLY_FILLED)
        model.an_exit_moves()
        model.now += timedelta(seconds=61)
    assert not model.group.state.is_open, model.group
    held = [model.held(leg) for leg in model.legs]
    if model.group.state is GroupState.UNWOUND:
        assert not any(held)
    elif model.group.state is GroupState.COMPLETE:
        several = len(model.legs)
        needed = min(minimum, several) if model.group.policy is GroupPolicy.BEST_EFFORT else several
        whole = sum(leg.status is Status.EXECUTED for leg in model.legs)
        assert whole >= needed
    else:
        assert model.exits_fail, "left to a person though each exit was filled"
        hedged = any(leg.side is Side.SELL and model.held(leg) for leg in model.legs)
        for leg in model.legs:
            if leg.side is Side.BUY and hedged:
                assert not model.tries.get(leg.command_id), "a hedge was sold and its sold leg is left"


def seen(*legs: Order) -> list[LegSeen]:
    return [LegSeen(leg, leg.filled_quantity) for leg in legs]


def test_the_same_facts_lead_to_the_same_exit():
    model = a_model(1, [Side.BUY, Side.BUY], GroupPolicy.ALL_OR_NONE, 1, 0.0)
    filled = moved(model.legs[0], Phase.FILLED, AT, filled_quantity=QUANTITY)
    failed = moved(model.legs[1], Phase.REJECTED, AT)
    first = decide(model.group, seen(filled, failed), AT)
    again = decide(first.after, seen(filled, failed), AT + timedelta(seconds=9))
    assert [w.intent for w in first.exits] == [w.intent for w in again.exits]
    assert [w.asked_at for w in first.exits] == [w.asked_at for w in again.exits] == [AT]
