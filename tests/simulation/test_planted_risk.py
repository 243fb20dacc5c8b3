"""What bots have made of limits, planted into the engine: worlds with limits on money notice each."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain import risk_messages
from domain.limits import LimitAction, Limits
from domain.ports import Transaction
from domain.risk_stops import RiskRule
from engine.risk_monitor import RiskMonitor
from persistence.sqlite.queries import rule_facts
from tests.simulation.plan import slower
from tests.simulation.risking import Money
from tests.simulation.runs import first_breach
from use_cases import forced_exit

pytestmark = pytest.mark.gate

FLATTENS = Money(Limits(max_daily_loss=Decimal(300), on_daily_loss=LimitAction.FLATTEN))
PLACES = Money(Limits(max_open_positions=3))


def a_latch_is_forgotten_after_a_restart(patch):
    original = RiskMonitor.watch

    def watch(self, context, *, may_look=True):
        if not hasattr(self, "begun"):
            self.begun = True
            for stop in self._store.risk_stops(context.client_id):
                self._store.write(lambda tx, key=stop.key: tx.drop_stop(key))
        return original(self, context, may_look=may_look)

    patch.setattr(RiskMonitor, "watch", watch)


def a_flatten_is_sent_twice(patch):
    original, times = forced_exit._intent, iter(range(10**9))
    patch.setattr(forced_exit, "_intent", lambda *args: f"{original(*args)}|{next(times)}")


def a_breach_is_told_twice(patch):
    original = RiskMonitor._put

    def put(self, tx: Transaction, stop, now):
        original(self, tx, stop, now)
        if stop.is_confirmed and stop.key.rule is RiskRule.DAILY_LOSS:
            tx.notify(risk_messages.hit_notice(stop))

    patch.setattr(RiskMonitor, "_put", put)


def entries_do_not_look_at_latches(patch):
    patch.setattr(rule_facts, "stops_of", lambda client_id, rows: ())


def limits_are_judged_by_what_an_earlier_transaction_read(patch):
    original, kept = rule_facts.limit_facts, {}

    def limit_facts(connection, q, limits, now, *, reduces):
        at, found = kept.get(q.client_id, (None, None))
        if at is None or abs((now - at).total_seconds()) > 2.0:
            at, found = kept[q.client_id] = (now, original(connection, q, limits, now, reduces=reduces))
        return found

    patch.setattr(rule_facts, "limit_facts", limit_facts)


def a_flatten_sees_nothing_that_is_held(patch):
    original = RiskMonitor._open_of
    patch.setattr(RiskMonitor, "_open_of", lambda *args: original(*args)._replace(parts=[]))


PLANTED = {
    a_latch_is_forgotten_after_a_restart: ("17 a latch stays", FLATTENS, {"crash": 0.02}),
    a_flatten_is_sent_twice: ("17 one exit at a time", FLATTENS, {"a limit exit rests": 1.0, "slow": 0.6}),
    a_breach_is_told_twice: ("17 told once", FLATTENS, {}),
    entries_do_not_look_at_latches: ("17 no entry after a breach", FLATTENS, {}),
    limits_are_judged_by_what_an_earlier_transaction_read: ("17 places are counted", PLACES, {}),
    a_flatten_sees_nothing_that_is_held: ("17 flat or told", FLATTENS, {}),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_mistake_with_limits_breaks_its_promise(monkeypatch, plant):
    promise, money, often = PLANTED[plant]

    def provoked(plan):
        plan = slower(replace(plan, alerts=plan.alerts[:80]), 1.0 if plan.money else 6.0)
        return replace(plan, money=money, rates={**plan.rates, **often})

    plant(monkeypatch)
    assert first_breach(promise, most=12, change=provoked) is not None, "not noticed"
