"""Mistakes of a program that takes its machine's clock for the time that has passed."""

from tests.defects.defect import Defect, Edit

STEPS = "tests/app/test_clock_steps.py"
RECONCILIATION = "tests/domain/test_reconciliation.py"

CLOCKS = (
    Defect(
        "a-clock-set-forward-proves-absence",
        "The clock was set forward by 400 s; an order sent a second before was proven absent at once, and was filled.",
        (
            Edit(
                "domain/order_matching.py",
                "book.counted_from(order.sent_at) + sending_ends",
                "order.sent_at + sending_ends",
            ),
        ),
        (
            f"{RECONCILIATION}::test_after_the_clock_was_set_forward_an_absence_waits_for_time_that_has_passed",
        ),
    ),
    Defect(
        "a-clock-set-forward-misses-an-order",
        "An order that had just been taken was called gone from the book, because the clock had been set forward.",
        (
            Edit(
                "domain/reconciliation.py",
                "    settled = book.counted_from(order.updated_at) + timedelta",
                "    settled = order.updated_at + timedelta",
            ),
        ),
        (
            f"{RECONCILIATION}::"
            "test_one_that_is_gone_from_the_book_is_not_missed_before_time_has_passed_since_the_clock_was_set",
        ),
    ),
    Defect(
        "a-clock-set-forward-makes-the-look-early",
        "After a call that seemed turned away the book was looked at too early, and the order went a second time.",
        (
            Edit(
                "engine/tag_lookup.py",
                "        if self._may_not_show(book, order, context.broker.traits.visibility_horizon):\n",
                "        if False:\n",
            ),
        ),
        ("tests/engine/test_tag_lookup.py::test_a_clock_that_is_set_forward_makes_no_look_early",),
    ),
    Defect(
        "nobody-watches-the-clock",
        "The reads of the brokers did not say since when the clock was not set, so that every step was believed.",
        (
            Edit(
                "app/container.py",
                "            steadiness=self.steadiness,\n",
                "            steadiness=None,\n",
            ),
        ),
        ("tests/app/test_container.py::test_reads_say_since_when_the_clock_was_not_set",),
    ),
    Defect(
        "a-step-while-nobody-ran-is-not-noticed",
        "The service was stopped, the clock was set, and the next start trusted what stood in the file.",
        (
            Edit(
                "app/clock_steps.py",
                '            if is_same and abs(float(kept["ahead"]) - ahead) <= _STEP and since <= now:\n',
                "            if is_same and since <= now:\n",
            ),
        ),
        (f"{STEPS}::test_the_next_process_begins_anew_after_a_step_or_a_start_of_the_machine",),
    ),
)
