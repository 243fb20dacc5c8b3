"""Mistakes with limits: wrong sums, breaches that are forgotten or fired twice, limits that let one too many in."""

from tests.defects.defect import Defect, Edit

PNL, STOPS = "domain/pnl.py", "domain/risk_stops.py"
MONITOR, LIMITS, FORCED = "engine/risk_monitor.py", "blockers/limits.py", "use_cases/forced_exit.py"
WATCHED, SUMS, RULES = (
    "tests/engine/test_risk.py",
    "tests/domain/test_pnl.py",
    "tests/blockers/test_limits.py",
)
QUIET = "tests/engine/test_quiet_clients.py"
TOGETHER = "tests/e2e/test_limits_together.py"

RISK = (
    Defect(
        "late-fill-ends-the-flatten",
        "A late fill of a failed attempt moved the next one's id: each round failed, and nothing more was exited.",
        (
            Edit(
                "use_cases/forced_exit.py",
                "key=lambda each: each.updated_at or each.created_at), known.created_at\n",
                "key=lambda each: each.updated_at or each.created_at), known.updated_at or known.created_at\n",
            ),
        ),
        (f"{WATCHED}::test_a_late_fill_of_a_failed_attempt_stops_no_further_one",),
    ),
    Defect(
        "low-limit-passes-the-exposure",
        "A sale with a limit far below the market counted at that limit, and was filled at the market.",
        (
            Edit(
                "blockers/limits.py",
                "    price = max((p for p in (*named, *known) if p is not None), default=None)\n",
                "    price = next((p for p in (*named, *known) if p is not None), None)\n",
            ),
        ),
        ("tests/blockers/test_limits.py::test_a_sale_s_limit_far_below_the_market_counts_at_the_market",),
    ),
    Defect(
        "flatten-misses-what-was-just-bought",
        "A flatten right after a fill said that nothing was open, because the last read was older.",
        (
            Edit(
                "domain/flatten.py",
                "        and (h.exchange, h.symbol) not in shown\n",
                "        and (h.exchange, h.symbol) in shown\n",
            ),
        ),
        (
            "tests/domain/test_flatten.py::test_what_a_strategy_has_just_bought_is_a_part_before_a_read_shows_it",
        ),
    ),
    Defect(
        "last-in-first-out",
        "The newest units were closed first, and the day's result was another than the broker's.",
        (Edit(PNL, "        lot = open_[0]\n", "        lot = open_[-1]\n"),),
        (f"{SUMS}::test_the_oldest_units_are_closed_first",),
    ),
    Defect(
        "fills-are-counted-again",
        "After each restart the fills of the day were counted once more, and the loss doubled.",
        (
            Edit(
                "persistence/sqlite/risk.py",
                '        self._connection.execute("UPDATE counted_fills SET last_event_id = ?", (cursor,))\n',
                "        return None\n",
            ),
        ),
        (
            "tests/persistence/test_store_contract.py::TestSqliteStore::test_fills_are_found_once_and_in_their_order",
        ),
    ),
    Defect(
        "missing-price-is-zero",
        "A symbol without a price counted as worth nothing, and the strategy was flattened on a loss that never was.",
        (
            Edit(
                PNL,
                '        return DayPnl(ZERO, None, f"no price of',
                '        return DayPnl(ZERO, -book.cost, f"no price of',
            ),
        ),
        (f"{WATCHED}::test_without_a_price_the_sum_is_unknown_and_told_once_and_exits_nothing",),
    ),
    Defect(
        "yesterday-s-gain-is-today-s",
        "What was unrealised when the day began counted as a result of the day, and hid its loss.",
        (Edit(PNL, "DayPnl(result.realized, -result.carried)", "DayPnl(result.realized)"),),
        (f"{SUMS}::test_what_was_unrealised_yesterday_is_no_result_of_today",),
    ),
    Defect(
        "one-wrong-price-flattens",
        "A single wrong price was looked at twice, and everything was sold at market.",
        (
            Edit(
                STOPS,
                "asked.evidence.oldest - first.since >= CONFIRMED_AFTER",
                "asked.now - first.since >= CONFIRMED_AFTER",
            ),
        ),
        (f"{WATCHED}::test_one_wrong_price_flattens_nothing",),
    ),
    Defect(
        "a-higher-limit-lifts",
        "Somebody raised the limit after it was hit, and trading went on.",
        (
            Edit(
                STOPS,
                "        if found is not None and found.lifted_at is None and found.is_confirmed:\n",
                "        if False:\n",
            ),
        ),
        (f"{WATCHED}::test_neither_a_restart_nor_another_limit_lifts_it_and_the_next_day_does",),
    ),
    Defect(
        "another-watcher-exits-again",
        "Two watchers saw the breach, and each sold the position.",
        (
            Edit(
                FORCED,
                "|{part.product}|{attempt}",
                "|{part.product}|{attempt}|{__import__('secrets').token_hex(4)}",
            ),
        ),
        (f"{WATCHED}::test_a_second_watcher_and_a_death_after_the_latch_ask_for_the_same_exit",),
    ),
    Defect(
        "a-failed-exit-is-the-last",
        "The exit was rejected, and the position that had reached its limit stayed open all day.",
        (Edit(FORCED, "MOST_ATTEMPTS = 8", "MOST_ATTEMPTS = 1"),),
        (f"{WATCHED}::test_a_failed_exit_is_asked_for_again_and_the_end_is_told",),
    ),
    Defect(
        "resting-entries-open-again",
        "What rested at the broker was filled after everything had been sold.",
        (
            Edit(
                MONITOR,
                "        return [o for o in self._of_stop(stop) if o.execution_type is ExecutionType.ENTRY]\n",
                "        return []\n",
            ),
        ),
        (f"{WATCHED}::test_resting_entries_are_taken_back",),
    ),
    Defect(
        "one-strategy-s-loss-flattens-another",
        "A strategy reached its limit, and what another one held was sold.",
        (
            Edit(
                MONITOR,
                "held_parts(holdings, stop.key.strategy_name)",
                "held_parts(holdings)",
            ),
        ),
        (f"{WATCHED}::test_a_strategy_that_lost_its_limit_is_flat_and_stays_out_and_nobody_else_does",),
    ),
    Defect(
        "trailing-limit-falls-back",
        "The limit that had risen with the profit fell with it again.",
        (
            Edit(
                STOPS,
                "        counted = max(counted, min(waiting, reached)) if is_old else counted\n",
                "        counted = min(waiting, reached) if is_old else ZERO\n",
            ),
        ),
        (f"{WATCHED}::test_a_trailing_limit_rises_with_the_best_profit_and_never_falls",),
    ),
    Defect(
        "one-trade-too-many",
        "Each of four workers counted the trades of the day without those under way, and all let one in.",
        (
            Edit(
                LIMITS,
                "if limit is not None and trades >= limit:\n"
                '            return Block(Reason.MAX_TRADES_PER_DAY, f"{trades} today, {_limit(whose, limit)}")',
                "if limit is not None and trades > limit:\n"
                '            return Block(Reason.MAX_TRADES_PER_DAY, f"{trades} today, {_limit(whose, limit)}")',
            ),
        ),
        (
            f"{RULES}::test_each_limit_at_and_beside_its_figure",
            f"{TOGETHER}::test_twenty_entries_at_once_take_five_places",
        ),
    ),
    Defect(
        "limits-beside-each-other",
        "Alerts that came together were all judged before any was written, and all took the last place.",
        (
            Edit(
                "use_cases/register_together.py",
                "        return not limits_of(policy.limits, name, alert.legs[0].symbol).counts_orders\n",
                "        return True\n",
            ),
        ),
        ("tests/test_register_together.py::test_a_limit_on_trades_counts_the_neighbours",),
    ),
    Defect(
        "exposure-without-what-is-under-way",
        "The value of entries that were still at the broker did not count, and the account held twice its limit.",
        (
            Edit(
                "persistence/sqlite/queries/exposure.sql",
                "    WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND execution_type = 'ENTRY'",
                "    WHERE status IN ('EXECUTED') AND client_id = ?1 AND execution_type = 'ENTRY'",
            ),
        ),
        (
            "tests/persistence/test_store_contract.py::TestSqliteStore::"
            "test_what_is_held_and_being_entered_is_counted_with_its_price",
        ),
    ),
    Defect(
        "two-waiting-entries-open-a-place-for-each-other",
        "With all places taken, two entries that waited in one symbol were both sent, each because of the other.",
        (
            Edit(
                "persistence/sqlite/queries/exposure.sql",
                "(status = 'CREATED' AND ?2 <> '' AND command_id > ?2)",
                "0",
            ),
        ),
        (
            "tests/persistence/test_store_contract.py::TestSqliteStore::"
            "test_two_entries_that_wait_do_not_open_a_place_for_each_other",
        ),
    ),
    Defect(
        "reducing-flips-the-position",
        "Two entries that each reduced the position were let through, and together they turned it.",
        (
            Edit(
                "persistence/sqlite/queries/limit_facts.py",
                "    return max(-net * q.sign - asked, ZERO)\n",
                "    return max(-net * q.sign, ZERO)\n",
            ),
        ),
        (
            f"{WATCHED}::test_while_entries_may_only_reduce_one_that_adds_is_blocked_and_one_that_takes_off_is_not",
        ),
    ),
    Defect(
        "quiet-though-limited",
        "A client with a limit and a position counted as one of whom there is nothing to judge: the limit came late.",
        (Edit(MONITOR, "        if scopes_of(context.policy.limits):\n            return None\n", ""),),
        (f"{QUIET}::test_a_limit_with_a_position_is_judged_in_each_round",),
    ),
    Defect(
        "quiet-after-a-fill",
        "A round was skipped by the clock alone: what a new fill brought was not judged before the next whole round.",
        (Edit(MONITOR, "(day, state) != (self.day, self.state)", "day != self.day"),),
        (f"{QUIET}::test_a_new_fill_is_counted_and_judged_at_once",),
    ),
    Defect(
        "quiet-with-a-stop",
        "A client with a stop counted as one of whom there is nothing to judge: what was over went on stopping.",
        (Edit(MONITOR, "return None if state.has_stops else state", "return state"),),
        (f"{QUIET}::test_a_stop_is_followed_in_each_round_until_it_is_over",),
    ),
    Defect(
        "quiet-after-a-failure",
        "A round that could not be written counted as done, and what it had found was not found again.",
        (
            Edit(
                MONITOR,
                "        asked = self._judge(context)\n        self._judged[context.client_id] = judged\n",
                "        self._judged[context.client_id] = judged\n        asked = self._judge(context)\n",
            ),
        ),
        (f"{QUIET}::test_a_round_that_failed_is_done_again",),
    ),
    Defect(
        "fills-of-an-ended-day-are-lost",
        "Of fills that were counted together, those of a day that had ended counted in no day's result.",
        (
            Edit(
                "engine/pnl_counter.py",
                "                tx.keep_result(last)  # a day that has ended\n",
                "                pass\n",
            ),
        ),
        ("tests/engine/test_pnl_counter.py::test_together_is_one_by_one",),
    ),
)
