"""Mistakes on the way in, and in what may trade: duplicates, blockers, the size of an exit."""

from tests.defects.defect import Defect, Edit

COMMANDS, EXITS = "command_service.py", "domain/exits.py"
SUBMITTER = "engine/submitter.py"
UNKNOWN = "tests/engine/test_unknown.py"
EXITING = "tests/engine/test_exits.py"
REGISTERING = "tests/test_command_service.py"
DUPLICATES = "tests/test_command_duplicates.py"
BLOCKERS = "tests/test_command_blockers.py"

_AGE = "at - first.delivery.received_at >= self._dedup_window"

ENTERING = (
    Defect(
        "dedup-outside-the-transaction",
        "Whether an alert was new was asked before the transaction that wrote it: two at one instant were both new.",
        (
            Edit(
                COMMANDS,
                "        return self._store.write(lambda tx: self._register(tx, alert, delivery))\n",
                "        key = alert_key(alert, content_hash(alert))\n"
                "        first = self._store.write(lambda tx: tx.last_accepted(key))\n"
                "        return self._store.write(lambda tx: self._register(tx, alert, delivery, first))\n",
            ),
            Edit(
                COMMANDS,
                "def _register(self, tx: Transaction, alert: ParsedAlert, delivery: Delivery) -> Receipt:",
                "def _register(\n"
                "        self, tx: Transaction, alert: ParsedAlert, delivery: Delivery, first: Alert | None\n"
                "    ) -> Receipt:",
            ),
            Edit(COMMANDS, "        first = tx.last_accepted(key)\n        if first", "        if first"),
            Edit(
                "persistence/schema.py",
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
                COMMANDS,
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
                "persistence/sqlite.py",
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
                "alerts/webhook.py",
                '    return _answer(503, body, {"Retry-After": str(RETRY_SECONDS)})\n',
                "    return _answer(202, body)\n",
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
                "persistence/facts.py",
                "        unknown += count if is_unknown else 0\n",
                "        unknown += count if is_unknown and strategy == query.strategy_name else 0\n",
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
                "    if abs(age) <= facts.limits.positions_max_age_seconds:",
                "    if age >= 0:",
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
                '            self._hold(order, f"positions could not be read: {error}")\n            return None\n',
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
                "    quantity = sure if order.requested_quantity is None else min(sure, order.requested_quantity)\n",
                "    quantity = order.requested_quantity or sure\n",
            ),
        ),
        (f"{EXITING}::test_an_exit_takes_its_side_and_quantity_from_the_position",),
        "https://github.com/richkuo/go-trader/issues/966",
    ),
    Defect(
        "exit-sells-anothers-fill",
        "The position showed what another strategy had just bought, no fill told of it yet, and the exit sold it.",
        (Edit(EXITS, "available - _perhaps_of_others(net, others, facts, resting=True)", "available"),),
        (
            "tests/engine/test_holdings.py::test_one_strategys_exit_does_not_sell_what_another_has_just_bought",
        ),
    ),
    Defect(
        "flat-is-forgotten-under-an-exit",
        "A holding was cleared because the broker was flat, and then the exit that made it so was counted.",
        (
            Edit(
                "persistence/transaction.py",
                "SELECT 1 FROM orders o WHERE o.status = 'SENT_TO_BROKER'",
                "SELECT 1 FROM orders o WHERE o.status = 'NOWHERE'",
            ),
        ),
        (
            "tests/engine/test_holdings.py::test_a_flat_position_is_not_forgotten_while_an_exit_is_at_the_broker",
        ),
    ),
    Defect(
        "two-exits-reverse",
        "Two exits at once each took the whole position, and together turned it round.",
        (Edit(EXITS, "max(free - facts.exits_in_flight, ZERO)", "max(free, ZERO)"),),
        (f"{EXITING}::test_two_exits_at_once_never_reverse",),
    ),
    Defect(
        "exit-by-positions-older-than-the-fill",
        "The exit was sized by a position that did not show the last fill yet.",
        (
            Edit(
                EXITS,
                "snapshot.read_started_at <= fill_at + horizon",
                "snapshot.read_started_at < order.created_at",
            ),
        ),
        ("tests/domain/test_exits.py::test_a_read_that_a_recent_fill_may_not_show_in_is_not_used",),
    ),
    Defect(
        "exits-behind-entries",
        "First come, first served: the exit waited behind a burst of entries.",
        (
            Edit(
                "persistence/repository.py",
                "ORDER BY execution_type DESC, created_at LIMIT ?",
                "ORDER BY created_at LIMIT ?",
            ),
        ),
        (f"{EXITING}::test_exits_go_first",),
    ),
    Defect(
        "loss-limit-lifts-itself",
        "The daily loss was compared with the profit of the moment: a short recovery switched trading on again.",
        (
            Edit(
                "persistence/repository.py",
                "    lowest = min(parse_decimal(row[1]), pnl) if same_day else pnl\n",
                "    lowest = pnl\n",
            ),
        ),
        (f"{BLOCKERS}::test_a_daily_loss_stays_hit_after_a_recovery_and_is_gone_the_next_trading_day",),
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
