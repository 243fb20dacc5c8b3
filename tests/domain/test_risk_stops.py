"""Limits on a sum, look by look: what latches stays, what trails never falls, what is not known exits nothing."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.limits import LimitAction, LimitBook, Limits, OwnLimits
from domain.money import ZERO
from domain.pnl import DayPnl
from domain.reason_codes import Reason
from domain.risk_stops import Evidence, Judged, RiskRule, Scope, Stop, judge, scopes_of

START = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
ENDS = START + timedelta(hours=20)
DAY = START.date()


def scope(**changes: object) -> Scope:
    values: dict[str, object] = {
        "strategy_name": "S",
        "max_loss": Decimal(500),
        "max_profit": Decimal(900),
        "trailing_loss": Decimal(400),
        "trail_step": Decimal(100),
        "on_loss": LimitAction.FLATTEN,
        "on_profit": LimitAction.BLOCK,
        "warn_at": Decimal("0.8"),
    }
    return Scope(**(values | changes))  # type: ignore[arg-type]


class Looks:
    """Looks at one sum, whose verdicts are kept as the database keeps them."""

    def __init__(self, judged_by: Scope | None = None) -> None:
        self.scope, self.now = judged_by or scope(), START
        self.standing: dict[RiskRule, Stop] = {}
        self.hit: list[RiskRule] = []

    def at(self, total: object, *, realized: object = 0, seconds: float = 4, fresh: bool = True) -> None:
        self.now += timedelta(seconds=seconds)
        seen = self.now if fresh else START
        pnl = DayPnl(Decimal(str(realized)), None if total is None else Decimal(str(total)))
        evidence = Evidence(seen, seen) if total != 0 else None
        verdict = judge(Judged("c", self.scope, pnl, self.standing, self.now, ENDS, DAY, evidence))
        for stop in verdict.drop:
            del self.standing[stop.key.rule]
        for stop in verdict.put:
            self.standing[stop.key.rule] = stop
            if stop.is_confirmed and stop.key.rule not in (RiskRule.BEST, RiskRule.UNKNOWN):
                self.hit.append(stop.key.rule)

    @property
    def best(self) -> Decimal:
        found = self.standing.get(RiskRule.BEST)
        return ZERO if found is None or found.figure is None else found.figure


def test_a_limit_is_latched_by_a_second_look_with_a_newer_price():
    looks = Looks()
    looks.at(-500)
    assert looks.hit == []
    looks.at(-500, seconds=2)
    assert looks.hit == [], "too soon"
    looks.at(-499.99)
    assert RiskRule.DAILY_LOSS not in looks.standing, "it was one wrong price"
    looks.at(-500)
    looks.at(-500, fresh=False)
    assert RiskRule.DAILY_LOSS not in looks.hit, "the same price again"
    looks.at(-501)
    stop = looks.standing[RiskRule.DAILY_LOSS]
    assert (stop.is_confirmed, stop.until, stop.action) == (True, ENDS, LimitAction.FLATTEN)


def test_what_is_realised_needs_no_second_look():
    looks = Looks(scope(trailing_loss=None))
    looks.at(0, realized=-500)
    assert looks.hit == [RiskRule.DAILY_LOSS]


def test_only_what_is_limited_is_judged():
    own = OwnLimits(max_daily_profit=Decimal(5))
    book = LimitBook(Limits(max_daily_loss=Decimal(9)), {"A": Limits(own=own), "B": Limits()})
    assert [(s.strategy_name, s.max_loss, s.max_profit) for s in scopes_of(book)] == [
        ("", Decimal(9), None),
        ("A", None, Decimal(5)),
    ]


def test_after_a_lift_a_wrong_price_does_not_make_it_count_from_zero_again():
    looks = Looks(scope(trailing_loss=None, max_profit=None))
    looks.at(-600)
    looks.at(-600)
    looks.standing[RiskRule.DAILY_LOSS] = replace(looks.standing[RiskRule.DAILY_LOSS], lifted_at=looks.now)
    looks.at(-600)
    looks.at(-1100)
    assert not looks.standing[RiskRule.DAILY_LOSS].is_confirmed, "500 more, seen once"
    for total in (-700, -700, -1099, -1099):
        looks.at(total)
    stop = looks.standing[RiskRule.DAILY_LOSS]
    assert (stop.lifted_at is None, stop.counts_from) == (False, Decimal(-600))
    looks.at(-1100)
    looks.at(-1100)
    assert looks.standing[RiskRule.DAILY_LOSS].blocks(looks.now) is Reason.DAILY_LOSS_HIT


def test_a_limit_that_is_set_no_more_forgets_what_was_seen_once():
    looks = Looks(scope(trailing_loss=None, max_profit=None))
    looks.at(-600)
    looks.scope = scope(trailing_loss=None, max_loss=None)
    looks.at(-600)
    assert looks.standing == {}


def check(seed: int) -> None:
    chance = random.Random(seed)
    looks, confirmed, best = Looks(), set[RiskRule](), ZERO
    total: Decimal | None = ZERO
    highest = lowest = ZERO
    for _ in range(chance.randint(3, 14)):
        step = chance.choice((None, *range(-300, 301, 50)))
        total = None if step is None else (total or ZERO) + step
        before = dict(looks.standing)
        looks.at(total, seconds=chance.choice((1, 4, 60)), fresh=chance.random() < 0.8)
        if total is None:
            assert all(stop == before[rule] for rule, stop in looks.standing.items() if rule in before)
            assert looks.standing.keys() - before.keys() <= {RiskRule.UNKNOWN}, "not known asks for nothing"
            continue
        highest, lowest = max(highest, total), min(lowest, total)
        assert RiskRule.UNKNOWN not in looks.standing
        assert looks.best >= best, "it never falls"
        assert looks.best <= highest, "nor rises beyond what was seen"
        best = looks.best
        now: set[RiskRule] = {
            r for r, s in looks.standing.items() if s.is_confirmed and r is not RiskRule.BEST
        }
        assert confirmed <= now, "what is latched stays"
        for rule in now - confirmed:
            limit = {
                RiskRule.DAILY_LOSS: total <= -500,
                RiskRule.DAILY_PROFIT: total >= 900,
                RiskRule.TRAILING_LOSS: total <= highest - 400,
            }
            assert limit[rule], f"seed {seed}: {rule} at {total}"
        confirmed = now
    assert len(looks.hit) == len(set(looks.hit)), "each is hit once"
    if lowest > -400 and highest < 900:
        assert RiskRule.DAILY_LOSS not in confirmed and RiskRule.DAILY_PROFIT not in confirmed


def test_some_random_days():
    for seed in range(300):
        check(seed)


@pytest.mark.gate
def test_ten_thousand_random_days():
    for seed in range(300, 10_300):
        check(seed)
