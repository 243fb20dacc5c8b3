"""Mistakes of what watches the service: an alarm that never comes is worse than none."""

from tests.defects.defect import Defect, Edit

QUERIES = "persistence/sqlite/queries/metrics.py"

WATCHING = (
    Defect(
        "heartbeat-while-a-loop-hangs",
        "The outside monitor heard that all was well while no order was sent any more: only the database was asked.",
        (
            Edit(
                "app/container.py",
                "for name, check in self.checks().items() if not check.ok]",
                'for name, check in self.checks().items() if not check.ok and name == "database"]',
            ),
        ),
        (
            "tests/app/test_outside_monitor.py::"
            "test_it_is_asked_while_the_service_is_ready_and_not_once_a_loop_hangs",
        ),
    ),
    Defect(
        "metric-renamed-under-its-rule",
        "A metric was given a better name, and the rule that should have woken somebody never fired again.",
        (
            Edit(QUERIES, '"orderwatch_orders_unknown": pairs(', '"orderwatch_unknown_orders": pairs('),
            Edit("observability/metrics.py", '"orderwatch_orders_unknown":', '"orderwatch_unknown_orders":'),
        ),
        ("tests/test_watching.py::test_each_name_and_label_of_a_rule_or_a_panel_is_in_a_real_scrape",),
    ),
    Defect(
        "never-compared-is-fresh",
        "Positions that had never been compared had an age of 0, and the dashboard was green.",
        (Edit(QUERIES, 'never=float("inf")', "never=0.0"),),
        ("tests/test_watching.py::test_positions_that_were_never_compared_are_older_than_any_limit",),
    ),
)
