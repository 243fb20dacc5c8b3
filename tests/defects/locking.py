"""Mistakes in keeping a part of a profit: a lock that loosens, that is lost, or that exits at once."""

from tests.defects.defect import Defect, Edit

LEVELS, LOCKS = "domain/protection_levels.py", "domain/locks.py"
TESTS, NATIVE = "tests/domain/test_locks.py", "tests/alerts/test_native_protection.py"

LOCKING = (
    Defect(
        "a-lock-loosens-a-stop",
        "The stop had been set tighter by hand, and the lock moved it back to its own floor.",
        (
            Edit(
                LEVELS,
                "    stop = tighter(p.side, p.stop_price, average + p.side.sign * points.kept(steps))\n",
                "    stop = average + p.side.sign * points.kept(steps)\n",
            ),
        ),
        (f"{TESTS}::test_the_stop_never_goes_back_to_what_is_kept",),
    ),
    Defect(
        "a-lock-is-told-at-each-price",
        "Each price beyond the lock made a message of its own, until nobody read them.",
        (
            Edit(
                LEVELS,
                "    if steps is None or (p.locked_steps is not None and steps <= p.locked_steps):\n",
                "    if steps is None:\n",
            ),
            Edit(
                LEVELS,
                "EventKind.LOCKED if p.locked_steps is None else EventKind.LOCK_STEPPED",
                "EventKind.LOCKED",
            ),
        ),
        (f"{TESTS}::test_each_step_is_an_event_and_the_lock_is_told_once",),
    ),
    Defect(
        "a-lock-keeps-what-is-not-there",
        "What was kept grew faster than the profit, and the position was sold in the middle of its best move.",
        (
            Edit(
                LOCKS, "self.trail is not None and self.trail > self.step", "self.trail is not None and False"
            ),
        ),
        (f"{NATIVE}::test_what_cannot_be_meant_is_refused_by_name",),
    ),
    Defect(
        "a-step-counts-from-cost",
        "The second step was counted from the average fill and not from the lock: it kept more than was agreed.",
        (Edit(LOCKS, "int((best - self.at) // self.step)", "int(best // self.step)"),),
        (f"{TESTS}::test_from_the_agreed_profit_on_a_part_of_it_is_kept",),
    ),
    Defect(
        "a-cancelled-target-takes-the-lock",
        "A person cancelled the exit of a target before the profit was locked, and nothing was kept any more.",
        (Edit("domain/protection_exits.py", " or further_of(p.protection_json).lock is not None\n", "\n"),),
        (f"{TESTS}::test_a_target_whose_exit_was_cancelled_leaves_the_lock_to_come",),
    ),
)
