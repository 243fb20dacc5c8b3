"""More mistakes with limits: earlier days, symbols, prices beside the market, reads that are older than our fills."""

from tests.defects.defect import Defect, Edit

SHAPES, RULES = "tests/blockers/test_order_shape.py", "tests/blockers/test_limits.py"
EXITS, DAYS = "tests/engine/test_risk_exits.py", "tests/engine/test_past_days.py"

LIMITS = (
    Defect(
        "cooldown-after-a-first-target",
        "The exit of a first target began the cooldown, and adding to what was still held was blocked.",
        (
            Edit(
                "blockers/limits.py",
                "    if minutes is None or last is None or facts.own_net:\n",
                "    if minutes is None or last is None:\n",
            ),
        ),
        (f"{EXITS}::test_a_cooldown_begins_when_the_last_unit_has_left",),
    ),
    Defect(
        "flatten-by-an-older-read",
        "A flatten of the account asked once more for what it had just sold: the last read still showed it.",
        (
            Edit(
                "use_cases/forced_exit.py",
                "        if part.strategy_name == OPERATOR and _moved_since(tx, part, shows_until, now):\n",
                "        if part.strategy_name == OPERATOR and shows_until is None:\n",
            ),
        ),
        (f"{EXITS}::test_what_was_just_sold_is_not_asked_for_again_from_an_older_read",),
    ),
    Defect(
        "waiting-entry-opens-a-place",
        "An entry that waited for an exit made its symbol free for others, and both were sent beyond the limit.",
        (
            Edit(
                "blockers/limits.py",
                "        is_open = here in places and here not in waiting\n",
                "        is_open = here in places\n",
            ),
        ),
        (f"{RULES}::test_a_place_of_nothing_but_a_waiting_entry_is_not_free_for_another",),
    ),
    Defect(
        "no-price-no-collar",
        "Without a last price nothing was compared, and an order at ten times the market's price went.",
        (Edit("blockers/order_shape.py", "        if not order.event_hash:\n", "        if True:\n"),),
        (f"{SHAPES}::test_each_rule_at_and_beside_its_figure",),
    ),
    Defect(
        "a-winning-day-between",
        "Days with a loss were counted across days without one, and the week was over on a Wednesday.",
        (
            Edit(
                "domain/past_days.py",
                "        streak = streak + 1 if result < 0 else 0\n",
                "        streak = streak + 1 if result < 0 else streak\n",
            ),
        ),
        ("tests/domain/test_past_days.py::test_losing_days_in_a_row_pause_until_the_next_monday",),
    ),
    Defect(
        "losing-days-latch-again",
        "An operator lifted the pause, and the next look put it back.",
        (
            Edit(
                "domain/risk_stops.py",
                "    if until is None or found is not None:\n",
                "    if until is None or (found is not None and found.lifted_at is None):\n",
            ),
        ),
        (f"{DAYS}::test_losing_days_block_until_next_week_through_restarts_and_are_told_once",),
    ),
    Defect(
        "drawdown-of-today-alone",
        "The drawdown was counted from this morning, and what the days before had lost did not matter.",
        (
            Edit(
                "domain/risk_stops.py",
                "        start = asked.past.above if rule is RiskRule.DRAWDOWN else ZERO\n",
                "        start = ZERO\n",
            ),
        ),
        (f"{DAYS}::test_a_drawdown_counts_from_the_best_of_the_window",),
    ),
    Defect(
        "symbol-s-table-loosens",
        "A symbol's table with a larger quantity replaced the account's limit.",
        (
            Edit(
                "domain/tighter.py",
                "            changes[field] = tighter(field, changes.get(field, getattr(limits, field)), value)\n",
                "            changes[field] = value\n",
            ),
        ),
        (
            "tests/config/test_limits.py::test_a_symbol_s_table_tightens_what_else_applies_and_counts_its_symbols",
        ),
    ),
    Defect(
        "schedule-ends-at-midnight",
        "After midnight entries went again, though the trading day had not ended.",
        (
            Edit(
                "domain/schedule.py",
                "day if at >= policy.day_starts else day + timedelta(days=1)",
                "now.astimezone(policy.zone).date()",
            ),
        ),
        (f"{SHAPES}::test_the_state_follows_the_client_s_clock_until_the_trading_day_ends",),
    ),
)
