"""Protections on many paths: stops only tighten, each fires once, and no more than is held goes."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side
from domain.further_terms import further_text
from domain.money import ZERO
from domain.protection import (
    Covered,
    EventKind,
    ExitSeen,
    ExitState,
    Protection,
    Rule,
    Step,
    allotted,
)
from domain.protection_exits import followed_exits
from domain.protection_step import step
from domain.protection_terms import LockTexts, Terms, TrailingType
from tests.domain.protecting import SECOND, d, mark, protection
from tests.support import START

PRICES = st.one_of(st.none(), st.integers(60, 140).map(Decimal), st.sampled_from([ZERO, d("NaN"), d(-5)]))
DISTANCES = st.one_of(
    st.none(), st.integers(60, 140).map(str), st.integers(1, 30).map(lambda n: f"{n}%"), st.just("7.5pt")
)
TRAILS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {
            "trailing_type": st.sampled_from(list(TrailingType)),
            "trailing_value": st.integers(1, 20).map(Decimal),
            "trail_when": st.one_of(st.none(), st.integers(1, 20).map(Decimal)),
        }
    ),
)


LOCKS = st.sampled_from([None, LockTexts("5pt", "2pt"), LockTexts("4%", None, "3%", "2%")])
FATES = st.tuples(st.sampled_from([False, False, True]), st.booleans())  # an exit fails; it takes its time


@st.composite
def paths(draw):
    """A protection, and moments: a price, fills so far, whether the entry is over, and what others have taken."""
    terms = {"stop_loss": draw(DISTANCES), "target": draw(DISTANCES), **draw(TRAILS)}
    further = further_text(Terms(lock=draw(LOCKS)))
    p = protection(side=draw(st.sampled_from(list(Side))), protection_json=further, **terms)
    moments, units, taken = [], 0, 0
    for _ in range(draw(st.integers(1, 9))):
        units = min(units + draw(st.sampled_from([0, 0, 5, 20])), 50)
        taken = min(taken + draw(st.sampled_from([0, 0, 0, 5, 30])), units)
        beside = draw(st.sampled_from([0, 0, 25]))  # what the strategy holds by entries without protection
        average = d(draw(st.integers(95, 105))) if units else None
        moments.append((draw(PRICES), units, units == 50, taken, beside, average, *draw(FATES)))
    return p, moments


@dataclass
class Market:
    """What a strategy holds and its exits under way, which end one or more moments later: sold in full, or not."""

    live: dict[str, tuple[Decimal, bool, bool]] = field(default_factory=dict)  # units, ends now, fails
    ends: dict[str, ExitSeen] = field(default_factory=dict)
    sold: Decimal = ZERO

    def pass_a_moment(self) -> None:
        for id_, (units, is_ending, fails) in tuple(self.live.items()):
            if not is_ending:
                self.live[id_] = units, True, fails
                continue
            del self.live[id_]
            took = units // 2 if fails else units
            self.sold += took
            self.ends[id_] = ExitSeen(ExitState.FAILED if fails else ExitState.DONE, took)

    @property
    def under_way(self) -> Decimal:
        return sum((units for units, _, _ in self.live.values()), ZERO)


def walk(p: Protection, moments: list, *, twice: bool = False) -> tuple[list[Step], Decimal]:
    """Follow the path. No exit takes units that another one may take. Returns the steps and what is left."""
    steps, left, market = [], ZERO, Market()
    for number, (price, units, is_over, taken, beside, average, fails, waits) in enumerate(moments, start=1):
        now = START + number * 15 * SECOND
        market.pass_a_moment()
        seen = None if price is None else mark(price, number * 15)
        held = max(d(units - taken) - market.sold, ZERO) + beside
        known = followed_exits(p, market.ends, now)[0]
        share = allotted([replace(known, filled=d(units))], held)[p.protection_id]
        covered = Covered(d(units), average, is_over, share, share == held, units == 50, dict(market.ends))
        done = step(p, covered, seen, now)
        if twice:  # a crash before the commit: whoever comes next makes the same of it
            assert step(p, covered, seen, now) == done
        if done.exit is not None:
            asked = held if done.exit.quantity is None else done.exit.quantity
            assert (
                ZERO < asked <= max(held - market.under_way, ZERO) or taken
            )  # a hand took what was under way
            done = done.with_exit(f"x{number}")
            market.live[f"x{number}"] = asked, not waits, fails
        steps.append(done)
        p = done.after
        left = held
    return steps, left


def check_path(path: tuple, *, twice: bool = True) -> tuple[list[Step], Decimal]:
    p, moments = path
    steps, left = walk(p, moments, twice=twice)
    sign = p.side.sign
    intents = [s.exit.intent for s in steps if s.exit is not None]
    assert len(intents) == len(set(intents))  # fires once a generation
    failures = [s for s in steps if any(e.kind is EventKind.EXIT_FAILED for e in s.events)]
    assert len(intents) <= 50 and all(s.after.failures <= 4 for s in failures)
    for done, (price, *_) in zip(steps, moments, strict=True):
        before, after = done.before, done.after
        if before.stop_price is not None and after.stop_price is not None:
            assert (after.stop_price - before.stop_price) * sign >= 0  # only tightens
        if before.best_price is not None and (before.is_armed or before.average_price == after.average_price):
            assert after.best_price is not None and (after.best_price - before.best_price) * sign >= 0
        if price is None or not price.is_finite() or price <= 0:
            assert done.exit is None or done.after.fired_by is Rule.TIME or "again" in done.events[-1].facts
            assert after.best_price in (before.best_price, None)
        if not before.is_watched:
            assert not done.changes
        if done.exit is not None:
            assert done.exit.side is p.side.opposite
            assert after.exited <= after.filled
        assert done.changes == (after.version == before.version + 1)
    return steps, left


@settings(max_examples=300, deadline=None)
@given(paths())
def test_on_every_path_stops_tighten_each_fires_once_and_no_more_than_is_held_goes(path):
    check_path(path)


def random_path(rng: Random) -> tuple[Protection, list]:
    """A longer path of a protection with any terms, and an end in which every exit succeeds and the stop is met."""
    side = rng.choice(list(Side))
    sign = side.sign
    further = Terms(
        targets=rng.choice([(), (("4pt", d(30)), ("9pt", d(30)), ("15pt", d(40)))]),
        cost_trigger=rng.choice([None, "3pt"]),
        cost_offset="1pt",
        exit_at=None,
        lock=rng.choice([None, LockTexts("6pt", "2pt"), LockTexts("4%", None, "2%", "1%")]),
    )
    at = rng.choice([None, None, START + rng.randrange(1, 300) * SECOND])
    terms: dict[str, Any] = {"stop_loss": rng.choice([None, "5pt", "3%", str(100 - 7 * sign)])}
    terms["target"] = None if further.targets else rng.choice([None, "6pt", "8%"])
    if rng.random() < 0.5:
        terms["trailing_type"] = rng.choice([TrailingType.POINTS, TrailingType.PERCENT])
        terms |= {"trailing_value": d(rng.randrange(1, 9)), "trail_when": rng.choice([None, d(4)])}
    p = protection(side=side, protection_json=further_text(further, at), **terms)
    moments: list = []
    units = taken = 0
    price = d(100)
    for _ in range(rng.randrange(1, 16)):
        units = min(units + rng.choice([0, 0, 5, 20]), 50)
        taken = min(taken + rng.choice([0, 0, 0, 0, 5]), units)
        price += rng.randrange(-4, 5)
        seen = rng.choice([price, price, price, price, None, ZERO, d("NaN")])
        average = d(rng.randrange(98, 103)) if units else None
        fate = rng.random() < 0.4, rng.random() < 0.3
        moments.append((seen, units, units == 50, taken, rng.choice([0, 0, 0, 25]), average, *fate))
    for _ in range(12):
        moments.append((price - 60 * sign, 50, True, taken, 0, average or d(100), False, False))
    return p, moments


@pytest.mark.gate
@pytest.mark.timeout(300)  # a busy machine is no finding
def test_on_many_more_paths_what_had_a_stop_ends_flat_or_is_told():
    rng = Random(20261130)
    for _ in range(10_000):
        p, moments = random_path(rng)
        steps, _ = check_path((p, moments), twice=False)
        last = steps[-1].after
        if last.stop_price is not None and last.reason != "EXIT_FAILED":
            assert not last.is_watched and not last.quantity and not last.exits


def check_shares(asked: list[tuple[int, int]], held: int) -> None:
    all_ = [
        replace(protection(), protection_id=f"p{n}", filled=d(units), exited=min(d(exited), d(units)))
        for n, (units, exited) in enumerate(asked)
    ]
    shares = allotted(all_, d(held))
    assert sum(shares.values()) <= held
    assert all(ZERO <= shares[p.protection_id] <= p.filled - p.exited for p in all_)
    assert sum(shares.values()) == min(d(held), sum((p.filled - p.exited for p in all_), ZERO))


def test_the_youngest_protection_is_served_first():
    old, young = (
        replace(
            protection(), protection_id=name, filled=d(50), created_at=protection().created_at + n * SECOND
        )
        for n, name in enumerate(("old", "young"))
    )
    assert allotted([old, young], d(60)) == {"young": 50, "old": 10}


SHARES = (st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60)), max_size=6), st.integers(0, 300))


@settings(max_examples=200, deadline=None)
@given(*SHARES)
def test_protections_of_one_holding_share_what_is_held(asked, held):
    check_shares(asked, held)


@pytest.mark.gate
@settings(max_examples=3000, deadline=None)
@given(*SHARES)
def test_the_same_for_many_more_holdings(asked, held):
    check_shares(asked, held)
