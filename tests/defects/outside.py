"""Mistakes at the edges: the broker's wire, the messenger, the database, numbers and times."""

from tests.defects.defect import Defect, Edit

ERRORS, ADAPTER = "broker/noren/errors.py", "broker/noren/adapter.py"
TRANSACTION, REPOSITORY = "persistence/sqlite/transaction.py", "persistence/sqlite/repository.py"
OUTCOMES = "tests/broker/noren/test_outcomes.py"
TRIGGERS = "tests/persistence/test_triggers.py"

OUTSIDE = (
    Defect(
        "not-ok-is-always-a-refusal",
        "Every `Not_Ok` counted as a refusal, also `Server Timeout`, behind which the order was live.",
        (Edit(ERRORS, "    if proves_refusal(error):\n", "    if error:\n"),),
        (f"{OUTCOMES}::test_an_answer_that_proves_nothing_leaves_the_outcome_open",),
    ),
    Defect(
        "unreadable-answer-is-a-refusal",
        "An answer cut off in the middle had no order number in it, so the order was called refused.",
        (
            Edit(
                ERRORS,
                '        raise OutcomeUnknown(\n            f"HTTP',
                '        raise Refused(\n            f"HTTP',
            ),
        ),
        (f"{OUTCOMES}::test_what_cannot_be_understood_leaves_the_outcome_open[truncated, and called whole]",),
        "https://github.com/sonvister/Binance/issues/77",
    ),
    Defect(
        "ok-without-a-number-is-accepted",
        "An OK without an order number was kept as an order with an empty id, which nothing could follow.",
        (
            Edit(
                ADAPTER,
                "        if not broker_order_id:\n"
                '            raise OutcomeUnknown(_with("the broker accepted the order and gave no number for it", '
                "detail))\n",
                "",
            ),
        ),
        (f"{OUTCOMES}::test_an_answer_that_proves_nothing_leaves_the_outcome_open",),
    ),
    Defect(
        "any-error-is-an-empty-book",
        "Any error of the order book was read as `no data`: no orders, no positions.",
        (Edit(ERRORS, "_NO_DATA.fullmatch(_words(reply.error))", "reply.error"),),
        (f"{OUTCOMES}::test_no_other_error_is_an_empty_book",),
        "https://github.com/nautechsystems/nautilus_trader/pull/3715",
    ),
    Defect(
        "unreadable-position-left-out",
        "A position whose quantity could not be read was left out, and so passed for flat.",
        (
            Edit(
                "broker/delivered_shares.py",
                "return PositionsSnapshot(started, together, (*unreadable, *hidden))",
                "return PositionsSnapshot(started, together, hidden)",
            ),
        ),
        (
            "tests/broker/noren/test_reading.py::"
            "test_a_position_that_cannot_be_read_is_not_known_and_the_others_are",
        ),
    ),
    Defect(
        "rate-limit-is-a-refusal",
        "An order turned away with 429 was closed as rejected instead of being sent a moment later.",
        (
            Edit(
                ERRORS,
                "        raise NotSent(error, RATE_LIMIT, look_first=True)\n",
                "        raise Refused(error, RATE_LIMIT)\n",
            ),
        ),
        (f"{OUTCOMES}::test_what_the_rate_turned_away_was_not_sent",),
        "https://github.com/tradeparadex/QuantZone/pull/3",
    ),
    Defect(
        "expired-session-loses-the-order",
        "The session had ended overnight; the first order of the day failed with it and was not sent again.",
        (
            Edit(
                ADAPTER,
                "            if not expired(reply):\n                return accepted(reply)\n",
                "            if expired(reply):\n"
                '                raise Refused("the session has expired", AUTHENTICATION)\n'
                "            return accepted(reply)\n",
            ),
        ),
        ("tests/broker/noren/test_sessions.py::test_an_order_survives_an_expired_session",),
        "https://github.com/jerokpradeep/pya3/issues/7",
    ),
    Defect(
        "ampersand-cuts-the-form",
        "`M&M-EQ` went into the form as it stood, and the broker read another symbol, or none.",
        (
            Edit(
                "broker/noren/wire.py",
                '_FORMS_OWN.sub(lambda mark: f"\\\\u{ord(mark[0]):04x}", text)',
                "text",
            ),
        ),
        ("tests/broker/noren/test_sending.py::test_the_body_looks_as_public_clients_make_it",),
        "https://github.com/marketcalls/openalgo/pull/130",
    ),
    Defect(
        "clients-share-a-rate-budget",
        "All accounts shared one rate limiter: a busy one kept the exits of another waiting.",
        (
            Edit(
                "broker/budgets.py",
                'with_name(f"{setup.client_id}{what}.budget")',
                'with_name("orders.budget")',
            ),
        ),
        ("tests/app/test_container.py::test_each_client_has_a_rate_budget_of_its_own",),
    ),
    Defect(
        "messenger-fails-message-gone",
        "Telegram timed out twice, the bot gave up on the message, and nobody heard of the failed order.",
        (
            Edit(
                "notifications/outbox.py",
                "            self._store.mark_attempt(ids, str(failure), now)\n            return\n",
                "            self._store.mark_failed(ids, str(failure), now)\n            return\n",
            ),
        ),
        (
            "tests/notifications/test_outbox.py::test_failure_is_retried_ever_more_slowly_until_it_is_delivered",
        ),
        "https://github.com/freqtrade/freqtrade/issues/627",
    ),
    Defect(
        "words-of-a-message-decide",
        "A person's reason held the words by which failures are found: the filled order was told as one that failed.",
        (
            Edit(
                "notifications/digest.py",
                "    if message.facts.is_failure if message.facts is not None else message.kind in _FAILED:\n",
                '    if "ORDER FAILED" in message.text:\n',
            ),
        ),
        ("tests/notifications/test_digest.py::test_words_that_imitate_ours_change_nothing",),
    ),
    Defect(
        "a-brokers-words-name-a-part",
        "What had not been read was looked for in a sentence, and the broker's words in it named another part.",
        (
            Edit(
                "console/health.py",
                '    parts = ", ".join(part for part in TO_BE_READ if part in missing)\n',
                '    parts = ", ".join(part for part in TO_BE_READ if f"{part}: " in waiting[0]["detail"])\n',
            ),
        ),
        (
            "tests/console/test_health.py::test_a_stranger_is_told_what_is_missing_but_not_in_the_brokers_words",
        ),
    ),
    Defect(
        "a-watchers-name-is-a-persons",
        "A watcher's name began like the door of people, and what the program did was told as done by hand.",
        (
            Edit(
                "domain/notices.py",
                '    by = actor if actor_of(actor).is_person else ""\n',
                '    by = actor if actor.startswith(("cli", "console", "api")) else ""\n',
            ),
        ),
        ("tests/domain/test_notices.py::test_who_did_it_is_told_where_that_was_a_person",),
    ),
    Defect(
        "a-reason-keeps-another-reasons-detail",
        "The order's new reason came without figures and was told with those of the reason before it.",
        (
            Edit(
                "domain/order_events.py",
                '    if "reason_message" in changes and "reason_detail" not in changes:\n',
                '    if phase is Phase.UNKNOWN and "reason_message" in changes and "reason_detail" not in changes:\n',
            ),
        ),
        ("tests/domain/test_order_events.py::test_the_detail_of_a_reason_comes_and_goes_with_its_message",),
    ),
    Defect(
        "message-outside-the-transaction",
        "The message was written after the order's commit: a crash between the two, and the failure was never told.",
        (
            Edit(
                TRANSACTION,
                "        for notice in change.notices:\n            self.notify(notice)\n",
                "        self.told.extend(change.notices)\n",
            ),
            Edit(
                TRANSACTION,
                "        self._now = now\n",
                "        self._now = now\n        self.told: list[Notice] = []\n",
            ),
            Edit(
                REPOSITORY,
                "        result: T = self._commits.run(lambda connection: work(self._transaction(connection)))\n",
                "        told: list[Any] = []\n\n"
                "        def kept(connection: sqlite3.Connection) -> T:\n"
                "            tx = self._transaction(connection)\n"
                "            done = work(tx)\n"
                "            told.extend(tx.told)\n"
                "            return done\n\n"
                "        result: T = self._commits.run(kept)\n"
                "        if told:\n"
                "            self.write(lambda tx: [tx.notify(notice) for notice in told])\n",
            ),
        ),
        ("tests/engine/test_crash_sweep.py::test_death_at_every_boundary[refused-C1]",),
    ),
    Defect(
        "told-every-time",
        "What stayed wrong was told at every look: a hundred messages an hour, and nobody read the one that mattered.",
        (
            Edit(
                "persistence/sqlite/queries/note_told.sql",
                "WHERE state <> excluded.state",
                "WHERE true",
            ),
        ),
        (
            "tests/persistence/test_told_notices.py::test_a_key_is_told_once_and_its_message_is_in_the_outbox",
            "tests/engine/test_cancelling.py::test_a_cancel_that_the_book_does_not_confirm_is_told_once",
        ),
    ),
    Defect(
        "told-again-after-an-upgrade",
        "After an upgrade the bot told once more what had been told for weeks, as that a client is not served.",
        (Edit("persistence/sqlite/migrations.py", "    carry_over(db)\n", ""),),
        ("tests/persistence/test_told_by_earlier_versions.py::test_an_account_that_is_not_served",),
    ),
    Defect(
        "history-can-be-rewritten",
        "The audit table was an ordinary table: an update made by hand changed what had happened.",
        (
            Edit(
                "persistence/sqlite/triggers.py",
                "CREATE TRIGGER order_events_no_update BEFORE UPDATE ON order_events\n",
                "CREATE TRIGGER order_events_no_update BEFORE UPDATE ON order_events WHEN 0\n",
            ),
        ),
        (f"{TRIGGERS}::test_history_and_orders_are_kept",),
    ),
    Defect(
        "status-changed-without-history",
        "A status was set straight in the orders table; the order moved, and no event said why.",
        (
            Edit(
                "persistence/sqlite/triggers.py",
                "WHEN NEW.event_hash = OLD.event_hash OR NOT EXISTS (",
                "WHEN NEW.event_hash <> OLD.event_hash AND NOT EXISTS (",
            ),
        ),
        (f"{TRIGGERS}::test_a_change_without_an_event_is_refused",),
        "https://github.com/freqtrade/freqtrade/issues/7444",
    ),
    Defect(
        "money-in-floats",
        "Prices and quantities went through floats: 16.9 became 16.89, and the order was refused or too small.",
        (
            Edit(
                "alerts/strict_json.py",
                "        return Decimal(numeral)\n",
                "        return Decimal(float(numeral))\n",
            ),
        ),
        ("tests/alerts/test_strict_json.py::test_keys_are_lowered_at_every_depth_and_fractions_are_exact",),
        "https://github.com/Polymarket/py-clob-client-v2/issues/68",
    ),
    Defect(
        "times-without-a-zone",
        "A time without an offset was taken for UTC; it was local, and every age was five and a half hours wrong.",
        (
            Edit(
                "domain/times.py",
                '        raise ValueError(f"{text!r} has no UTC offset")\n',
                "        at = at.replace(tzinfo=UTC)\n",
            ),
        ),
        ("tests/domain/test_times.py::test_what_is_no_instant_is_refused",),
    ),
    Defect(
        "day-begins-at-utc-midnight",
        "The daily limits began anew at midnight UTC, in the middle of the market's day.",
        (
            Edit(
                "domain/times.py",
                "    day = at.astimezone(zone).date()\n    return day if at >= day_start(day, zone, starts) else "
                "day - timedelta(days=1)\n",
                "    return at.astimezone(UTC).date()\n",
            ),
        ),
        ("tests/domain/test_times.py::test_a_trading_day_begins_at_the_markets_midnight",),
    ),
)
