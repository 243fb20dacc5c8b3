"""Mistakes on the way in, and in what may trade: duplicates, blockers, the size of an exit."""

from tests.defects.defect import Defect, Edit

COMMANDS, EXITS = "command_service.py", "domain/exit_sizing.py"
EXIT_VIEW = "domain/exit_view.py"
REGISTER = "use_cases/register_alert.py"
SUBMITTER = "engine/submitter.py"
UNKNOWN = "tests/engine/test_unknown.py"
EXITING = "tests/engine/test_exit_sizing.py"
REGISTERING = "tests/test_command_service.py"
DUPLICATES = "tests/test_command_duplicates.py"
BLOCKERS = "tests/test_command_blockers.py"
LATCH = "tests/engine/test_loss_latch.py"
LOSS, RISK = "domain/daily_loss.py", "blockers/risk.py"

_AGE = "has_elapsed(first.delivery.received_at, at, self._dedup_window)"

ENTERING = (
    Defect(
        "dedup-outside-the-transaction",
        "Whether an alert was new was asked before the transaction that wrote it: two at one instant were both new.",
        (
            Edit(
                COMMANDS,
                "        return self._store.write(lambda tx: self._register_alert(tx, alert, delivery))\n",
                "        key = alert_key(alert, content_hash(alert))\n"
                "        first = self._store.write(lambda tx: tx.last_accepted(key))\n"
                "        return self._store.write(lambda tx: self._register_alert(tx, alert, delivery, first))\n",
            ),
            Edit(
                COMMANDS,
                "from domain.ids import client_order_id\n",
                "from domain.ids import alert_key, client_order_id, content_hash\n",
            ),
            Edit(
                REGISTER,
                "def __call__(self, tx: Transaction, alert: ParsedAlert, delivery: Delivery) -> Receipt:",
                "def __call__(\n"
                "        self, tx: Transaction, alert: ParsedAlert, delivery: Delivery, first: Alert | None\n"
                "    ) -> Receipt:",
            ),
            Edit(REGISTER, "        first = tx.last_accepted(key)\n", ""),
            Edit(
                "persistence/sqlite/schema.py",
                "idempotency_key TEXT NOT NULL UNIQUE",
                "idempotency_key TEXT NOT NULL",
            ),
        ),
        (f"{DUPLICATES}::test_of_two_identical_alerts_at_one_instant_one_is_accepted",),
    ),
    Defect(
        "dedup-window-in-buckets",
        "Duplicates were looked for within one minute of the clock: a repetition just after it passed as new.",
        (
            Edit(
                REGISTER,
                _AGE,
                "at.timestamp() // self._dedup_window.total_seconds() != "
                "first.delivery.received_at.timestamp() // self._dedup_window.total_seconds()",
            ),
        ),
        (
            f"{DUPLICATES}::"
            "test_a_delivery_is_a_duplicate_exactly_when_the_last_accepted_one_is_younger_than_the_window",
        ),
    ),
    Defect(
        "failed-commit-acknowledged",
        "The alert was answered with OK although the disk had not taken it.",
        (
            Edit(
                "persistence/sqlite/database.py",
                "                if not committed and job.error is None:\n",
                "                if committed and job.error is failure:\n",
            ),
        ),
        (f"{REGISTERING}::test_a_commit_that_fails_is_no_ack",),
    ),
    Defect(
        "accepted-before-it-is-kept",
        "The webhook said 202 and put the alert into a queue in memory; what was not durable was not sent again.",
        (
            Edit(
                "alerts/receiver.py",
                '        return Answer(503, error_json("UNAVAILABLE", message), headers)\n',
                '        return Answer(202, error_json("UNAVAILABLE", message))\n',
            ),
        ),
        ("tests/alerts/test_webhook.py::test_what_could_not_be_made_durable_is_asked_for_again",),
    ),
    Defect(
        "blocker-stops-an-exit",
        "The daily loss limit was hit, and from then on the exits were blocked with the entries.",
        (
            Edit(
                "blockers/pipeline.py",
                "    rules = ALWAYS if order.execution_type is ExecutionType.EXIT else (*ALWAYS, *ENTRY_RULES)\n",
                "    rules = (*ALWAYS, *ENTRY_RULES)\n",
            ),
        ),
        (f"{EXITING}::test_an_exit_passes_a_halt_and_every_limit",),
    ),
    Defect(
        "unknown-does-not-block",
        "While one order's fate was not known, the next entry in the same symbol went out beside it.",
        (
            Edit(
                "persistence/sqlite/queries/rule_facts.py",
                "        found.unknown += count if is_unknown else 0\n",
                "        found.unknown += count if is_unknown and strategy == query.strategy_name else 0\n",
            ),
        ),
        (f"{UNKNOWN}::test_no_new_entry_on_a_symbol_with_an_unknown_outcome",),
    ),
    Defect(
        "stale-positions-believed",
        "The position feed had stopped; entries went on by what had been read long before.",
        (
            Edit(
                "blockers/execution_guard.py",
                "    if abs(age) > facts.limits.positions_max_age_seconds:",
                "    if age < 0:",
            ),
        ),
        (f"{BLOCKERS}::test_positions_that_are_old_or_were_never_read_block_entries_only",),
        "https://github.com/nautechsystems/nautilus_trader/pull/4517",
    ),
    Defect(
        "unreadable-positions-are-flat",
        "A position query that failed was read as flat: the exit ended with nothing to close, or the bot traded "
        "against the difference.",
        (
            Edit(
                SUBMITTER,
                "            self._hold_unread(context, order, str(error))\n            return None\n",
                "            snapshot = PositionsSnapshot(self._clock.now(), ())\n",
            ),
        ),
        (f"{EXITING}::test_an_exit_whose_position_cannot_be_read_waits_and_is_not_lost",),
        "https://github.com/nautechsystems/nautilus_trader/issues/4617",
    ),
    Defect(
        "exit-sized-by-the-alert",
        "The exit took its quantity from the alert, closed more than there was, and opened the other side.",
        (
            Edit(
                EXITS,
                "return available if order.requested_quantity is None else min(available, order.requested_quantity)",
                "return order.requested_quantity or available",
            ),
            Edit(EXITS, "first = min(may, quantity)", "first = quantity"),
        ),
        (f"{EXITING}::test_an_exit_takes_its_side_and_quantity_from_the_position",),
        "https://github.com/richkuo/go-trader/issues/966",
    ),
    Defect(
        "exit-sells-anothers-fill",
        "The position showed what another strategy had just bought, no fill told of it yet, and the exit sold it.",
        (
            Edit(
                EXIT_VIEW,
                "        min(left, by_fills),\n        min(left, by_read),\n",
                "        by_read,\n        by_read,\n",
            ),
            Edit(
                EXIT_VIEW,
                "    if _shows(facts.last_fill_at, snapshot) or (is_whole and not missing):\n",
                "    if facts:\n",
            ),
        ),
        (
            "tests/engine/test_holdings.py::test_one_strategys_exit_does_not_sell_what_another_has_just_bought",
        ),
    ),
    Defect(
        "flat-is-forgotten-under-an-exit",
        "A holding was cleared because the broker was flat, and then the exit that made it so was counted.",
        (
            Edit(
                "persistence/sqlite/queries/clear_holdings.sql",
                "WHERE o.status = 'SENT_TO_BROKER'",
                "WHERE o.status = 'NOWHERE'",
            ),
        ),
        (
            "tests/engine/test_holdings.py::test_a_flat_position_is_not_forgotten_while_an_exit_is_at_the_broker",
        ),
    ),
    Defect(
        "two-exits-reverse",
        "Two exits at once each took the whole position, and together turned it round.",
        (
            Edit(
                EXIT_VIEW,
                "for o in facts.orders if _may_take(o, order, sign)]",
                "for o in facts.orders[:0] if _may_take(o, order, sign)]",
            ),
        ),
        (f"{EXITING}::test_two_exits_at_once_never_reverse",),
    ),
    Defect(
        "absence-proven-by-a-timer",
        "A front end accepted an order long after the caller had hung up; it was called absent, sent again, and both "
        "were filled.",
        (
            Edit(
                "domain/order_matching.py",
                "traits.visibility_horizon + traits.acceptance_horizon",
                "traits.visibility_horizon",
            ),
        ),
        (
            "tests/engine/test_late_evidence.py::test_what_the_broker_accepts_long_after_we_hung_up_is_never_called_absent",
        ),
    ),
    Defect(
        "absence-is-final",
        "What had been shown absent did not count any more, and was accepted after all.",
        (
            Edit(
                "domain/reconciliation.py",
                "book.read_started_at + late if late else None",
                "None",
            ),
        ),
        ("tests/engine/test_late_evidence.py::test_absence_stays_provisional_for_as_long_again",),
    ),
    Defect(
        "exit-leaves-its-entry-resting",
        "The exit ended flat while its strategy's own entry rested, which was filled later.",
        (
            Edit(
                "engine/exit_follower.py",
                "    for order in entries_to_take_back(exit_, facts):",
                "    for order in entries_to_take_back(exit_, facts)[:0]:",
            ),
        ),
        ("tests/engine/test_late_evidence.py::test_an_exit_takes_its_resting_entry_back",),
    ),
    Defect(
        "late-units-stay",
        "What an entry still filled after its exit had been sized stayed open.",
        (
            Edit(
                "engine/exit_follower.py",
                "    if filled and (exit_.status is not Status.CREATED or exit_.look_first):",
                "    if filled and exit_.status is None:",
            ),
        ),
        ("tests/engine/test_late_evidence.py::test_the_rest_of_a_partly_filled_entry_leaves_too",),
    ),
    Defect(
        "exit-sells-units-by-hand",
        "The exit closed the whole position, units that were bought by hand among them.",
        (
            Edit(
                "engine/exit_sizer.py",
                "    return context.policy.strategy(order.strategy_name).exit_scope",
                "    return ExitScope.POSITION",
            ),
        ),
        (
            "tests/engine/test_late_evidence.py::test_units_by_hand_are_the_strategys_only_where_its_scope_says_so",
        ),
    ),
    Defect(
        "one-read-forgets-holdings",
        "One read without the position, and what strategies held was forgotten for good.",
        (
            Edit(
                "blockers/execution_guard.py",
                "            if not tx.is_closed_by_others(client_id, exchange, symbol, units):",
                "            if not held:",
            ),
            Edit(
                "blockers/execution_guard.py",
                "        if not self._store.may_forget(client_id, exchange, symbol):",
                "        if not held:",
            ),
        ),
        ("tests/blockers/test_execution_guard.py::test_one_read_that_shows_it_flat_forgets_nothing",),
    ),
    Defect(
        "other-products-close-ours",
        "A long position that a hand had in another product was set off against the strategy's short one: nothing was "
        "left to close, and the exit waited for ever.",
        (
            Edit(
                EXIT_VIEW,
                "    elsewhere = _beside(own, nets, facts, sign) - min(",
                "    elsewhere = -min(",
            ),
        ),
        (
            "tests/domain/test_exit_sizing.py::test_what_others_have_on_the_other_side_in_a_product_of_their_own_closes_nothing_of_ours",
        ),
    ),
    Defect(
        "one-read-ends-the-exit",
        "The read that sized the exit lacked the position: nothing to exit, said the bot.",
        (
            Edit(
                "domain/exit_sizing.py",
                "    if ours != read or (ours and view.is_behind):\n",
                "    ours = read\n    if ours != read or (ours and view.is_behind):\n",
            ),
        ),
        ("tests/engine/test_late_evidence.py::test_empty_reads_send_nothing_forget_nothing_and_end_no_exit",),
    ),
    Defect(
        "stop-waits-behind-the-target",
        "A resting target kept the stop waiting until it was too late.",
        (
            Edit(
                "domain/exit_sizing.py",
                "    if order.order_type is not OrderType.MARKET or not is_urgent:",
                "    if order is not None:",
            ),
        ),
        ("tests/engine/test_late_evidence.py::test_a_stop_passes_a_target",),
    ),
    Defect(
        "exit-turns-to-the-other-side",
        "The close of a long came once more, found a short, and bought it back.",
        (
            Edit(
                "domain/exit_sizing.py",
                "    if view.sign and order.requested_side not in (None, view.closing):",
                "    if view.sign and order.requested_side is None and not view.sign:",
            ),
        ),
        ("tests/engine/test_late_evidence.py::test_a_sale_cannot_close_a_short",),
    ),
    Defect(
        "exits-behind-entries",
        "First come, first served: the exit waited behind a burst of entries.",
        (
            Edit(
                "persistence/sqlite/queries/claimable.sql",
                "ORDER BY claim_priority, created_at LIMIT ?5",
                "ORDER BY created_at LIMIT ?5",
            ),
        ),
        (f"{EXITING}::test_exits_go_first",),
    ),
    Defect(
        "loss-limit-lifts-itself",
        "The daily loss was compared with the profit of the moment: a short recovery switched trading on again.",
        (
            Edit(
                LOSS,
                "    if state.lowest is not None:\n        confirmed.append(state.lowest)\n",
                "",
            ),
        ),
        (f"{BLOCKERS}::test_a_daily_loss_stays_hit_after_a_recovery_and_is_gone_the_next_trading_day",),
    ),
    Defect(
        "yesterdays-loss-blocks-today",
        "The broker showed yesterday's loss until its morning reset; taken for today's, it stopped the whole day.",
        (
            Edit(
                LOSS,
                "    if read.day_starts is None or read.has_filled_today or read.pnl != state.carried_pnl:\n",
                "    if read.pnl is not None:\n",
            ),
        ),
        (f"{LATCH}::test_yesterdays_loss_does_not_block_today",),
    ),
    Defect(
        "yesterdays-figure-for-ever",
        "A loss of exactly yesterday's amount was taken for yesterday's all day long.",
        (Edit(LOSS, "return timedelta(0) <= read.at - read.day_starts < RESET_WITHIN\n", "return True\n"),),
        (
            f"{LATCH}::test_a_figure_that_repeats_yesterdays_counts_once_the_session_may_be_open_and_is_told_as_that",
        ),
    ),
    Defect(
        "one-read-stops-the-day",
        "The broker gave one wild figure; the daily loss limit stayed hit until the next morning.",
        (Edit(LOSS, "[] if not earlier else [max(min(earlier), pnl)]", "[pnl]"),),
        (f"{LATCH}::test_a_loss_seen_once_makes_entries_wait_and_is_forgotten_with_the_next_read",),
    ),
    Defect(
        "loss-seen-once-passes",
        "Until a second read confirmed the loss, entries went on.",
        (Edit(RISK, "    if facts.pnl <= floor:\n", "    if facts.pnl is None:\n"),),
        (f"{LATCH}::test_a_loss_seen_once_makes_entries_wait_and_is_forgotten_with_the_next_read",),
    ),
    Defect(
        "unknown-loss-is-none",
        "A position's row could not be read, the day's loss was not known, and entries passed as if there were none.",
        (
            Edit(
                "blockers/execution_guard.py",
                "    if facts.pnl is None and facts.limits.max_daily_loss is not None:\n",
                "    if facts.pnl is None and facts.lowest_pnl is None:\n",
            ),
        ),
        (f"{LATCH}::test_a_row_that_cannot_be_read_makes_the_loss_unknown",),
    ),
    Defect(
        "higher-limit-lifts-the-latch",
        "The limit was hit; somebody raised it and restarted, and entries went on without anybody's word.",
        (Edit(RISK, "    if facts.loss_latched or (\n", "    if (\n"),),
        (f"{LATCH}::test_another_limit_lifts_nothing_that_was_told",),
    ),
    Defect(
        "lift-ends-the-limit",
        "After a lift the limit was off for the rest of the day, whatever was lost then.",
        (Edit(LOSS, "counts_from=min(pnl, ZERO), latched", "counts_from=Decimal(-(10**12)), latched"),),
        (f"{LATCH}::test_a_lift_is_recorded_told_and_counts_the_limit_from_the_loss_of_now",),
    ),
    Defect(
        "word-unknown-becomes-market",
        "An order type that was not understood was sent as a market order.",
        (
            Edit(
                "alerts/formats/fields.py",
                "        if not isinstance(value, str) or (found := words.get(value.strip().upper())) is None:\n",
                "        word = value.strip().upper() if isinstance(value, str) else None\n"
                '        if word and "MARKET" in words:\n'
                '            return words.get(word, words["MARKET"])\n'
                "        if not isinstance(value, str) or (found := words.get(value.strip().upper())) is None:\n",
            ),
        ),
        ("tests/alerts/test_native.py::test_what_is_wrong_with_a_leg_is_named",),
    ),
)
