"""What bots have made of late, partial and wrong evidence, planted into the engine: the simulation notices each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from blockers.execution_guard import ExecutionGuard
from domain import exit_sizing, exit_view, leg_groups, protection_step, reconciliation
from domain.broker_capabilities import IdClass
from domain.broker_reports import Book, BrokerStatus
from domain.exit_sizing import ExitDispute, NothingToExit
from domain.limits import ExitScope
from domain.states import Phase
from engine import exit_follower, position_reconciliation, protection_watcher
from engine import exit_sizer as sizing
from engine import reconciler as following
from engine.missing_order_tracker import MissingOrderTracker
from engine.order_matcher import OrderMatcher
from engine.reconciler import Reconciler
from persistence.sqlite import differences
from tests.simulation.plan import with_pause
from tests.simulation.runs import first_breach
from use_cases import leg_groups as groups_of_legs

pytestmark = pytest.mark.gate


def absence_proven_by_a_timer(patch):
    original = reconciliation.shows_all_since

    def shows_all_since(order, book, traits, *, sending_ends):
        return original(order, book, replace(traits, acceptance_horizon=0.0), sending_ends=sending_ends)

    patch.setattr(reconciliation, "shows_all_since", shows_all_since)


def absence_is_final(patch):
    original = Reconciler._late_evidence

    def late_evidence(self, tx, context, command_id, book):
        if tx.get(command_id).phase is not Phase.ABSENT:
            original(self, tx, context, command_id, book)

    patch.setattr(Reconciler, "_late_evidence", late_evidence)


def other_exits_do_not_count(patch):
    patch.setattr(exit_view, "_may_take", lambda *_: False)


def whatever_is_there_is_the_strategys(patch):
    patch.setattr(sizing, "scope_of", lambda context, order: ExitScope.POSITION)


def the_side_that_was_asked_says_nothing(patch):
    original = sizing.size_exit

    def size(order, snapshot, facts, **options):
        return original(replace(order, requested_side=None), snapshot, facts, **options)

    patch.setattr(sizing, "size_exit", size)


def one_read_ends_the_exit(patch):
    original = sizing.size_exit

    def size(order, snapshot, facts, **options):
        answer = original(order, snapshot, facts, **options)
        if isinstance(answer, ExitDispute):
            return answer.smaller or NothingToExit("the position is flat")
        return answer

    patch.setattr(sizing, "size_exit", size)


def older_entries_do_not_count(patch):
    patch.setattr(exit_sizing, "_older_entries", lambda order, facts: ())


def what_an_entry_fills_after_its_exit_stays(patch):
    patch.setattr(following, "keep_exits_true", lambda tx, before, after, **options: after)


def a_stop_waits_behind_its_target(patch):
    patch.setattr(exit_sizing, "in_the_way", lambda order, facts: ())


def one_read_forgets_what_is_held(patch):
    def forget(self, held, settled):
        place = held[0]
        return self._store.write(
            lambda tx: tx.clear_holdings(
                place.client_id, symbol=place.symbol, exchange=place.exchange, settled_before=settled
            )
        )

    patch.setattr(ExecutionGuard, "_forget", forget)


def contradictions_are_nobodys_concern(patch):
    patch.setattr(MissingOrderTracker, "heard", lambda self, client_id, orders, book: {})


def the_dead_row_of_a_turned_away_call_is_the_orders(patch):
    patch.setattr(reconciliation, "turned_away", lambda order: frozenset())


def what_stood_before_a_gap_still_stands(patch):
    for module in (differences, position_reconciliation):
        patch.setattr(module, "READS_APART_AT_MOST", timedelta(days=1))


def a_stop_is_never_met(patch):
    patch.setattr(protection_step, "met", lambda p, price: None)


def a_protection_stays_when_its_position_is_gone(patch):
    original = protection_watcher.allotted

    def allotted(protections, held):
        if held:
            return original(protections, held)
        return {p.protection_id: p.filled - p.exited for p in protections}

    patch.setattr(protection_watcher, "allotted", allotted)


LATE = {
    absence_proven_by_a_timer: ("3 false FAILED", 60.0),
    absence_is_final: ("8 revived, told", 20.0),
}
"""With the broker's horizon."""
PAUSED = {
    what_stood_before_a_gap_still_stands: ("12 forgotten", {"positions empty": 0.01, "outage": 1.0}),
}
"""In worlds with a pause, in which differences are believed."""


def a_rest_is_nobodys(patch):
    patch.setattr(exit_follower, "_take_over", lambda *_, **__: None)


def a_rest_is_the_whole_again(patch):
    original = exit_follower.rest_of

    def rest_of(order, leg, now):
        return order.quantity if original(order, leg, now) else original(order, leg, now)

    patch.setattr(exit_follower, "rest_of", rest_of)


def any_quantity_is_one_order(patch):
    patch.setattr(sizing, "sliced", lambda size, largest: size)


def a_sold_leg_is_like_any_other(patch):
    original = leg_groups._unwind

    def unwind(before, group, legs, now):
        with pytest.MonkeyPatch.context() as within:
            within.setattr(leg_groups.LegSeen, "is_sold", property(lambda _: False))
            return original(before, group, legs, now)

    patch.setattr(leg_groups, "_unwind", unwind)


def no_group_is_ever_late(patch):
    patch.setattr(leg_groups, "_is_due", lambda *_: False)


def new_legs_do_not_wait_for_old_ones(patch):
    patch.setattr(groups_of_legs, "behind_its_exits", lambda *_: None)


def a_row_without_our_tag_is_not_ours(patch):
    patch.setattr(OrderMatcher, "untagged", lambda *_: ())


def what_a_hand_made_smaller_and_is_filled_is_all(patch):
    original = reconciliation._phase_said

    def phase_said(order, report):
        phase, tag = original(order, report)
        is_smaller = phase is Phase.CANCELLED and report.status is BrokerStatus.COMPLETE
        return (Phase.FILLED, None) if is_smaller else (phase, tag)

    patch.setattr(reconciliation, "_phase_said", phase_said)


def the_clock_shows_how_much_time_has_passed(patch):
    patch.setattr(Book, "counted_from", lambda book, at: at)


PLANTED = {
    the_dead_row_of_a_turned_away_call_is_the_orders: (
        "3 false FAILED",
        {"turned away": 0.15, "dead row kept": 0.9, "unanswered": 0.2, "late": 0.1},
    ),
    other_exits_do_not_count: ("11 reversed", {}),
    whatever_is_there_is_the_strategys: ("11 not its own", {}),
    the_side_that_was_asked_says_nothing: ("11 the side that was asked", {}),
    one_read_ends_the_exit: ("11 exit FAILED too soon", {}),
    older_entries_do_not_count: ("11 exit FAILED too soon", {}),
    what_an_entry_fills_after_its_exit_stays: (
        "11 an exit ends flat",
        {"filled later": 0.5, "a market exit rests": 0.0},
    ),
    a_stop_waits_behind_its_target: ("11 a stop passes a target", {"a limit exit rests": 1.0}),
    one_read_forgets_what_is_held: ("12 forgotten", {"positions empty": 0.01}),
    a_stop_is_never_met: ("14 a stop fires", {}),
    a_protection_stays_when_its_position_is_gone: ("14 gone with its position", {}),
    a_rest_is_nobodys: ("15 a rest goes on", {}),
    a_rest_is_the_whole_again: ("15 more than the leg", {}),
    any_quantity_is_one_order: ("15 too much for one order", {}),
    a_sold_leg_is_like_any_other: ("16 a hedge stays", {}),
    no_group_is_ever_late: ("16 nothing stays naked", {}),
    new_legs_do_not_wait_for_old_ones: ("18 out first", {}),
    a_row_without_our_tag_is_not_ours: ("3 false FAILED", {"tag lost": 0.1, "unanswered": 0.2}),
    what_a_hand_made_smaller_and_is_filled_is_all: ("3 false EXECUTED", {"made smaller by hand": 0.2}),
    contradictions_are_nobodys_concern: ("8 a contradiction is told", {"complete of nothing": 0.1}),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_belief_breaks_its_promise(monkeypatch, plant):
    promise, often = PLANTED[plant]

    def provoked(plan):
        return replace(plan, rates={**plan.rates, **often})

    plant(monkeypatch)
    assert first_breach(promise, change=provoked) is not None, "not noticed"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", LATE, ids=lambda plant: plant.__name__)
def test_a_planted_belief_in_absence_breaks_its_promise(monkeypatch, plant):
    promise, horizon = LATE[plant]

    def provoked(plan):
        """A small world in which orders often come late, at a broker that tells whose they are."""
        rates = {**plan.rates, "accepted late": 0.1, "revived": 0.1}
        late = {"id_class": IdClass.C1, "claims_together": 1, "acceptance_horizon": horizon}
        return replace(plan, alerts=plan.alerts[:60], rates=rates, **late)

    plant(monkeypatch)
    assert first_breach(promise, most=6, change=provoked) is not None, "not noticed"


@pytest.mark.timeout(300)
def test_a_clock_that_is_believed_breaks_its_promise(monkeypatch):
    def provoked(plan):
        """A machine whose clock is set forward four times."""
        steps = tuple((each, 400.0) for each in (2.0, 5.0, 9.0, 14.0))
        return replace(
            plan,
            clock=steps,
            id_class=IdClass.C1,
            claims_together=1,
            rates={**plan.rates, "late": 0.1, "unanswered": 0.1},
        )

    the_clock_shows_how_much_time_has_passed(monkeypatch)
    assert first_breach("3 false FAILED", change=provoked) is not None, "not noticed"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PAUSED, ids=lambda plant: plant.__name__)
def test_a_planted_belief_about_time_breaks_its_promise(monkeypatch, plant):
    promise, often = PAUSED[plant]

    def provoked(plan):
        paused = plan if plan.pause else with_pause(plan, 260.0)
        return replace(paused, rates={**plan.rates, **often})

    plant(monkeypatch)
    assert first_breach(promise, change=provoked) is not None, "not noticed"
