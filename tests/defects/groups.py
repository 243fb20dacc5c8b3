"""Mistakes with groups of legs: what is unwound in the wrong order, twice, never, or by nobody's word."""

from tests.defects.defect import Defect, Edit

DECIDED, UNWINDING = "domain/leg_groups.py", "use_cases/unwind_groups.py"
PATHS = (
    "tests/domain/test_group_paths.py::test_every_order_of_outcomes_comes_to_an_end_and_no_hedge_leaves_first"
)
UNWOUND, ORDERED = "tests/engine/test_groups_unwound.py", "tests/engine/test_exit_order.py"

GROUPS = (
    Defect(
        "hedge-unwound-first",
        "A spread was unwound in the order of its legs: the hedge was sold, and for minutes the sold leg was naked.",
        (
            Edit(
                DECIDED,
                "        if not (leg.is_sold or is_covered) or leg.order.status not in _OVER:\n",
                "        if leg.order.status not in _OVER:\n",
            ),
        ),
        (f"{UNWOUND}::test_the_hedge_stays_while_the_buying_back_is_not_filled_and_that_is_told",),
    ),
    Defect(
        "unknown-leg-taken-for-none",
        "A sold leg of unknown outcome counted as not sent: its hedge was sold, and then it was filled.",
        (
            Edit(
                DECIDED,
                "        return not (self.may_move(now) or self.is_exiting(now) or self.left)\n",
                "        return not (self.is_exiting(now) or self.left)\n",
            ),
        ),
        (f"{UNWOUND}::test_an_unknown_leg_is_not_guessed_and_what_need_not_wait_for_it_goes",),
    ),
    Defect(
        "a-second-exit-beside-the-first",
        "The exit of a leg rested for some seconds, and another one was asked for beside it at each round.",
        (Edit(DECIDED, "        if not leg.left or leg.is_exiting(now):\n", "        if not leg.left:\n"),),
        (PATHS,),
    ),
    Defect(
        "a-group-waits-for-ever",
        "One leg rested and the other one was filled: nobody counted the time, and half a spread was held for the day.",
        (Edit(DECIDED, "    if _is_late(group, now) and whole < needed:\n", "    if False:\n"),),
        (f"{UNWOUND}::test_what_is_not_filled_in_time_is_cancelled_and_the_rest_is_unwound",),
    ),
    Defect(
        "completed-while-halted",
        "Entries were halted with half a spread filled: the rest was sent as soon as the halt was over.",
        (
            Edit(
                DECIDED,
                "    if halt is not None and whole < needed and group.when_incomplete is WhenIncomplete.UNWIND:\n",
                "    if halt is not None and whole < 0:\n",
            ),
        ),
        (f"{UNWOUND}::test_a_group_is_unwound_and_not_completed_while_entries_are_halted",),
    ),
    Defect(
        "what-a-person-closed-is-exited-again",
        "A person had flattened a leg; the unwinding sold as much again, from what another entry had brought.",
        (
            Edit(
                DECIDED,
                "        return max(min(self.order.filled_quantity - self.exited, self.held), ZERO)\n",
                "        return max(self.order.filled_quantity - self.exited, ZERO)\n",
            ),
        ),
        (PATHS,),
    ),
    Defect(
        "late-fill-of-an-unwound-group-stays",
        "A leg was filled after the broker had called it rejected; its group was over, and one leg of a spread stayed.",
        (
            Edit(
                UNWINDING,
                "    if after.status is Status.FAILED and after.filled_quantity <= before.filled_quantity:\n",
                "    if after.status is not Status.FAILED or after.filled_quantity >= before.filled_quantity:\n",
            ),
        ),
        (f"{UNWOUND}::test_a_leg_that_is_filled_after_its_group_was_unwound_leaves_too",),
    ),
    Defect(
        "exits-in-the-alert-s-order",
        "An alert closed a spread and named the hedge first: it was sold while the sold leg was still open.",
        (Edit("engine/exit_order.py", "        if not sold:\n", "        if sold:\n"),),
        (f"{ORDERED}::test_the_hedge_is_sold_when_the_sold_leg_is_bought_back",),
    ),
    Defect(
        "rolled-before-it-was-out",
        "A roll entered the new contract while the exit of the old one rested: twice the margin, and twice the risk.",
        (
            Edit(
                "blockers/adjusting.py",
                "        if any(each.status not in _OVER or each.is_provisional(now) for each in rows):\n",
                "        if any(each.is_provisional(now) for each in rows):\n",
            ),
            Edit(
                "blockers/adjusting.py",
                "        if may_open or is_left or failed or is_unread:\n",
                "        if may_open or is_unread:\n",
            ),
        ),
        (
            "tests/engine/test_adjusting.py::test_the_entry_waits_until_the_exit_is_filled_and_a_read_says_flat",
        ),
    ),
    Defect(
        "an-exit-that-waits-for-ever",
        "The buying back was rejected, and the hedge waited for it until it was worth nothing.",
        (
            Edit(
                "engine/exit_order.py",
                "        if not has_elapsed(order.created_at, now, handling.group_exit_wait):\n",
                "        if now >= order.created_at:\n",
            ),
        ),
        (f"{ORDERED}::test_after_that_time_it_is_sold_all_the_same_and_people_are_told",),
    ),
    Defect(
        "rolled-while-the-old-entry-could-fill",
        "A roll sold the ten units that its old entry had filled, entered the new contract, and the entry filled on.",
        (
            Edit(
                "blockers/adjusting.py",
                "        if may_open or is_left or failed or is_unread:\n",
                "        if is_left or failed or is_unread:\n",
            ),
        ),
        (
            "tests/engine/test_adjusting.py::"
            "test_the_entry_waits_while_an_older_entry_may_still_open_what_the_exit_closed",
        ),
    ),
    Defect(
        "rolled-after-the-first-slice",
        "A roll left in three slices: the first was filled, and the new contract was entered beside the rest.",
        (
            Edit(
                "use_cases/leg_groups.py",
                "    rows = [(leg, *tx.parts(leg.command_id)) for leg in exits]\n",
                "    rows = [(leg,) for leg in exits]\n",
            ),
        ),
        (
            "tests/engine/test_adjusting.py::test_the_entry_waits_until_each_slice_of_the_exit_is_filled",
            "tests/engine/test_adjusting.py::test_an_exit_that_was_priced_anew_and_filled_is_over_after_a_read",
        ),
    ),
    Defect(
        "hedge-sold-after-the-first-slice",
        "The buying back left in three slices: the first one was filled, and the hedge of all of them was sold.",
        (
            Edit(
                "engine/exit_order.py",
                "            _to_come((leg, *self._store.parts(leg.command_id))) for leg",
                "            _to_come((leg,)) for leg",
            ),
        ),
        (f"{ORDERED}::test_the_hedge_waits_until_each_slice_of_the_sold_leg_is_bought_back",),
    ),
    Defect(
        "half-a-spread-from-ten-past-three",
        "The time came from which entries only reduce: the group that was half filled could not be completed any more.",
        (
            Edit(
                "blockers/pipeline.py",
                "        if bound.scheduled is AccountState.REDUCING:\n",
                "        if bound.scheduled is AccountState.HALTED:\n",
            ),
        ),
        (f"{UNWOUND}::test_a_group_is_completed_after_the_time_from_which_entries_only_reduce",),
    ),
)
