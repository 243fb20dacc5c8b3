"""The real engine in simulated worlds: promises hold, seeds repeat, and the checker catches what is wrong."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from command_service import CommandService
from domain import reconciliation
from domain.broker_capabilities import IdClass
from domain.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from domain.exit_sizing import ExitSize
from engine import exit_sizer as sizing
from engine import submitter as submitting
from engine.order_watcher import OrderWatcherEngine
from engine.reconciler import Reconciler
from engine.submitter import Submitter
from persistence.sqlite.transaction import SqliteTransaction
from tests.simulation.__main__ import line
from tests.simulation.plan import ALERTS, make_plan
from tests.simulation.runs import first_breach, run_many, run_plan, shrink
from use_cases.register_alert import RegisterAlert

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("seed", "lifecycles", "alerts"),
    [("test", 1_000, 100), pytest.param("suite", 14_000, ALERTS, marks=pytest.mark.gate)],
)
def test_no_promise_is_broken(capsys, seed, lifecycles, alerts):
    total = run_many(seed, lifecycles, jobs=os.cpu_count() or 1, tell=lambda total: None, alerts=alerts)
    with capsys.disabled():
        print(f"\n{line(total, seed, 1.0, 1)}")
    assert total.broken == []
    assert total.lifecycles >= lifecycles
    assert total.counts["crash"] > lifecycles / 140, "worlds in which nothing goes wrong prove nothing"


# the same seed is the same run ----------------------------------------------------------------------------------


def record(seed: str, hash_seed: str) -> str:
    """All steps of a world and its database in the end, from a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--world", seed, "--alerts", "120", "--record"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


@pytest.mark.parametrize("seed", ["same/1", pytest.param("same/0", marks=pytest.mark.gate)])
def test_a_seed_repeats_to_the_byte(seed):
    first, second = record(seed, "1"), record(seed, "2")
    assert first == second
    assert 'INSERT INTO "orders"' in first and " dies" in first


def test_another_seed_is_another_run():
    assert run_plan(make_plan("same/0", alerts=20)).digest != run_plan(make_plan("same/1", alerts=20)).digest


@pytest.mark.timeout(300)
def test_the_worlds_do_not_depend_on_how_many_run_at_once():
    one, two = (run_many("jobs", 100, jobs=jobs, tell=lambda total: None, alerts=20) for jobs in (1, 2))
    assert (one.digest, one.lifecycles, one.counts) == (two.digest, two.lifecycles, two.counts)


# what is wrong is caught ----------------------------------------------------------------------------------------


def timeout_taken_as_failure(patch):
    original = Submitter.send

    def send(self, context, order):
        outcome = original(self, context, order)
        return Refused("timed out", "TIMEOUT") if isinstance(outcome, OutcomeUnknown) else outcome

    patch.setattr(Submitter, "send", send)


def unanswered_taken_as_never_sent(patch):
    original = Submitter.send

    def send(self, context, order):
        outcome = original(self, context, order)
        return NotSent("connection reset") if isinstance(outcome, OutcomeUnknown) else outcome

    patch.setattr(Submitter, "send", send)


def absent_because_it_is_not_in_the_book_yet(patch):
    patch.setattr(reconciliation, "shows_all_since", lambda order, book, traits, *, sending_ends: True)


def sent_again_whatever_the_class(patch):
    patch.setattr(IdClass, "may_send_again", True)


def claimed_in_memory_only(patch):
    def claim(self, context, order):
        now = self._clock.now()
        return submitting.claimed(order, at=now, claimant=self._claimant).after

    patch.setattr(Submitter, "_claim_entry", claim)


def acknowledged_before_it_is_durable(patch):
    original = CommandService.register

    def register(self, alert, delivery):
        try:
            return original(self, alert, delivery)
        except StoreUnavailable:
            with suppress(StoreUnavailable):
                original(self, alert, replace(delivery, received_at=delivery.received_at - timedelta(days=1)))
            return original(_forgetful(self), alert, delivery)

    patch.setattr(CommandService, "register", register)


def _forgetful(service):
    """The same service on a store that keeps nothing."""

    class Nothing:
        def write(self, work):
            class Undone(Exception):
                pass

            result = []

            def undone(tx):
                result.append(work(tx))
                raise Undone

            with suppress(Undone):
                service._store._commits.run(
                    lambda connection: undone(service._store._transaction(connection))
                )
            return result[0]

    other = object.__new__(CommandService)
    other.__dict__.update(service.__dict__, _store=Nothing())
    return other


def a_repeated_signal_is_a_new_alert(patch):
    patch.setattr(RegisterAlert, "_duplicate", lambda self, tx, alert, content, first, at: None)


def exit_sized_from_the_alert(patch):
    original = sizing.size_exit

    def size(order, snapshot, facts, **options):
        sized = original(order, snapshot, facts, **options)
        if order.requested_quantity:
            return ExitSize(order.side, order.requested_quantity, order.product)
        return sized

    patch.setattr(sizing, "size_exit", size)


def dead_is_dead(patch):
    patch.setattr(Reconciler, "_late_evidence", lambda *args, **kwargs: None)


def nobody_is_told_of_an_unknown_outcome(patch):
    patch.setattr(Reconciler, "_loudness", lambda self, order: 0)


def messages_of_failures_are_dropped(patch):
    original = SqliteTransaction.notify

    def notify(self, notice):
        if notice.kind != "REJECTED":
            original(self, notice)

    patch.setattr(SqliteTransaction, "notify", notify)


def one_broker_call_at_a_time(patch):
    original, busy = OrderWatcherEngine.execute_next, [False]

    def execute_next(self, client_id, *, exits_only=False):
        if busy[0]:
            return False
        busy[0] = True
        try:
            return original(self, client_id, exits_only=exits_only)
        finally:
            busy[0] = False

    patch.setattr(OrderWatcherEngine, "execute_next", execute_next)


DEFECTS = {
    timeout_taken_as_failure: "3 false FAILED",
    unanswered_taken_as_never_sent: "2 one order a leg",
    absent_because_it_is_not_in_the_book_yet: "3 false FAILED",
    sent_again_whatever_the_class: "2 one order a leg",
    claimed_in_memory_only: "4 first durable",
    acknowledged_before_it_is_durable: "1 acknowledged and lost",
    a_repeated_signal_is_a_new_alert: "2 one alert a signal",
    exit_sized_from_the_alert: "11 ",
    dead_is_dead: "3 false FAILED",
    nobody_is_told_of_an_unknown_outcome: "6 ",
    messages_of_failures_are_dropped: "8 told",
    one_broker_call_at_a_time: "10 isolation",
}
OFTEN = {
    one_broker_call_at_a_time: {"hangs": 0.05},
    acknowledged_before_it_is_durable: {"store fails": 0.02},
}
"""What has to happen more often than usual for a defect to show in a few worlds."""


@pytest.mark.gate
@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", DEFECTS, ids=lambda plant: plant.__name__)
def test_a_planted_defect_breaks_its_promise(monkeypatch, plant):
    def provoked(plan):
        return replace(plan, rates={**plan.rates, **OFTEN.get(plant, {})})

    plant(monkeypatch)
    assert first_breach(DEFECTS[plant], change=provoked) is not None, "not noticed"


@pytest.mark.timeout(300)
@pytest.mark.gate
def test_a_failure_is_made_small(monkeypatch):
    timeout_taken_as_failure(monkeypatch)
    seed = first_breach("3 false FAILED")
    assert seed is not None
    whole = make_plan(seed, alerts=150)
    small = shrink(whole, most_runs=120)
    assert run_plan(small).broken[0][1].promise == "3 false FAILED"
    assert len(small.alerts) <= 10
    assert sum(rate > 0 for rate in small.rates.values()) < sum(rate > 0 for rate in whole.rates.values()) / 2
