"""Mistakes around the one call that sends an order."""

from tests.defects.defect import Defect, Edit

SUBMITTER, MOVES, WIRE = "engine/submitter.py", "domain/transitions.py", "broker/http_calls.py"
CLAIMING = "tests/engine/test_claiming.py"
OUTCOMES = "tests/engine/test_outcomes.py"
UNKNOWN = "tests/engine/test_unknown.py"
OWN_TAGS = "tests/engine/test_tag_lookup.py"
SWEEP = "tests/engine/test_crash_sweep.py::test_death_at_every_boundary"

_COMMAND = "        command = UniversalOrderCommand.of(order)\n"
SENDING = (
    Defect(
        "timeout-is-failure",
        "A read timeout was recorded as a failed order; the order was at the exchange and filled.",
        (
            Edit(
                MOVES,
                "    return unknown(order, outcome.message, at=at, actor=actor)\n",
                '    return refused(order, "TIMEOUT", outcome.message, at=at, actor=actor)\n',
            ),
        ),
        (f"{UNKNOWN}::test_an_unknown_outcome_that_reached_the_broker_is_found_by_its_tag",),
        "https://github.com/ccxt/ccxt/issues/2599",
    ),
    Defect(
        "timeout-sends-again",
        "A timed-out buy was rescued by placing another one; the first one had been taken as well.",
        (
            Edit(
                "domain/broker_capabilities.py",
                "in (IdClass.C3, IdClass.C4)",
                "in (IdClass.C1, IdClass.C3, IdClass.C4)",
            ),
        ),
        (f"{UNKNOWN}::test_where_the_id_is_not_unique_for_ever_nothing_is_sent_twice[C1]",),
        "https://github.com/AlbatrossAutomated/blue_collar_gdax/issues/1",
    ),
    Defect(
        "retry-under-a-new-id",
        "Each retry signed a new request with an id of its own, so the exchange could not see that it was one order.",
        (
            Edit(SUBMITTER, "import logging\n", "import dataclasses\nimport logging\n"),
            Edit(
                SUBMITTER,
                _COMMAND,
                _COMMAND + "        if order.attempts > 1:\n"
                '            retry_id = f"{order.client_order_id[:18]}r{order.attempts}"\n'
                "            command = dataclasses.replace(command, client_order_id=retry_id)\n",
            ),
        ),
        (f"{CLAIMING}::test_an_order_that_is_sent_again_is_one_order_at_the_broker",),
        "https://github.com/Reya-Labs/reya-python-sdk/pull/55",
    ),
    Defect(
        "id-from-the-clock",
        "The client order id was made of the time of the call: after a crash nobody knew under which id to look.",
        (
            Edit(SUBMITTER, "import logging\n", "import dataclasses\nimport logging\n"),
            Edit(
                SUBMITTER,
                _COMMAND,
                _COMMAND + '        now = f"ow{self._clock.now():%d%H%M%S%f}"\n'
                "        command = dataclasses.replace(command, client_order_id=now)\n",
            ),
        ),
        (f"{CLAIMING}::test_the_claim_and_the_client_id_are_durable_before_the_broker_hears_of_it",),
    ),
    Defect(
        "row-after-the-call",
        "The order was placed first and written down after it: a crash in between left a position nobody knew of.",
        (
            Edit(
                SUBMITTER,
                "        return self._store.write(work)\n\n    def _claim_exit",
                "        row = claimed(order, at=self._clock.now(), claimant=self._claimant).after\n"
                "        outcome = self.send(context, row)\n"
                "        kept = self._store.write(work)\n"
                "        if kept is not None:\n"
                "            self.outcomes.record(kept, outcome, resend=False)\n"
                "        return None\n\n    def _claim_exit",
            ),
        ),
        (f"{CLAIMING}::test_the_claim_and_the_client_id_are_durable_before_the_broker_hears_of_it",),
    ),
    Defect(
        "claim-not-committed",
        "Claim, call and answer shared one transaction: a crash during the call took the claim back, and the order "
        "was sent again.",
        (
            Edit(
                SUBMITTER,
                "                return tx.apply(claimed(order, at=now, claimant=self._claimant, **kept))\n",
                "                row = tx.apply(claimed(order, at=now, claimant=self._claimant, **kept))\n"
                "                self.outcomes.apply_outcome(tx, row, self.send(context, row), resend=False)\n"
                "                return None\n",
            ),
        ),
        (f"{CLAIMING}::test_the_claim_and_the_client_id_are_durable_before_the_broker_hears_of_it",),
    ),
    Defect(
        "claim-without-compare-and-swap",
        "Two workers read the same new order, both marked it as theirs, and both sent it.",
        (
            Edit(
                "persistence/sqlite/rows.py",
                ' AND event_hash = ?"',
                ' AND ? IS NOT NULL"',
            ),
            Edit(
                "persistence/sqlite/triggers.py",
                "WHEN NEW.previous_hash <> coalesce(\n"
                "            (SELECT event_hash FROM orders WHERE command_id = NEW.command_id), '')\n"
                "            OR EXISTS",
                "WHEN EXISTS",
            ),
            Edit("persistence/sqlite/triggers.py", " AND previous_hash = OLD.event_hash)", ")"),
        ),
        (f"{CLAIMING}::test_of_two_watchers_that_picked_one_order_one_sends_it",),
    ),
    Defect(
        "restart-resets-what-was-being-sent",
        "At the start, every order that was left in SENDING was set back to NEW and sent again.",
        (
            Edit(
                SUBMITTER,
                "            self._mark_unknown(\n"
                '                tx, order.command_id, "the watcher that sent it ended before it recorded an answer"\n'
                "            )\n"
                "            return tx.get(order.command_id) or order\n",
                "            current = tx.get(order.command_id) or order\n"
                "            if current.phase is not Phase.SUBMITTING:\n"
                "                return current\n"
                "            now = self._clock.now()\n"
                '            return tx.apply(not_sent(current, "restarted", at=now, actor=self._claimant))\n',
            ),
            Edit(SUBMITTER, "    never_sent,\n", "    never_sent,\n    not_sent,\n"),
        ),
        (f"{SWEEP}[entry at market-C1]",),
    ),
    Defect(
        "refused-resend-is-proof",
        "The second attempt was refused as a duplicate, and the refusal was taken for the fate of the first.",
        (
            Edit(
                MOVES,
                "        if resend or order.phase not in",
                "        if order.phase not in",
            ),
        ),
        (f"{UNKNOWN}::test_the_refusal_of_a_resend_proves_nothing",),
    ),
    Defect(
        "old-answer-on-a-new-claim",
        "An answer that was kept while the database was away was written onto the next attempt's row.",
        (
            Edit(
                "engine/outcome_recorder.py",
                "        if isinstance(outcome, OrderResult) or not another:\n",
                "        if isinstance(outcome, OrderResult) or another or not another:\n",
            ),
        ),
        (f"{OUTCOMES}::test_an_answer_that_was_kept_too_long_does_not_touch_a_later_claim",),
    ),
    Defect(
        "sleeper-sends-late",
        "A process that had been suspended woke up and sent an order that others had long given up.",
        (
            Edit(
                SUBMITTER,
                "        if has_elapsed(order.sent_at, self._clock.now(), self._rules.submit_window):\n",
                "        if order.sent_at > self._clock.now():\n",
            ),
        ),
        (f"{CLAIMING}::test_a_claim_whose_process_slept_is_not_sent",),
    ),
    Defect(
        "old-alert-still-sent",
        "After an outage, the alerts of the past days were sent at once, at prices that were long gone.",
        (
            Edit(
                SUBMITTER,
                "        if sent_before is None and order.is_over(now):\n",
                "        if sent_before is None and order.expires_at > order.expires_at:\n",
            ),
        ),
        (f"{CLAIMING}::test_an_entry_whose_life_is_over_is_not_sent_where_nothing_else_stops_it",),
        "https://github.com/soranoo/TradingView-Free-Webhook-Alerts/issues/4",
    ),
    Defect(
        "halt-checked-at-the-webhook-only",
        "The operator pressed halt, and what was already queued went out all the same.",
        (
            Edit(
                SUBMITTER,
                "        answer = judged_in_group(tx, context.policy, order, now)\n",
                "        answer = None\n",
            ),
        ),
        (f"{CLAIMING}::test_a_halt_between_registration_and_claim_stops_the_entry",),
    ),
    Defect(
        "library-repeats-the-post",
        "The HTTP library was set to try again by itself, also the POST that places an order.",
        (
            Edit(
                WIRE,
                "max_retries=Retry(0, read=False)",
                "max_retries=Retry(3, allowed_methods=None)",
            ),
        ),
        (
            "tests/broker/noren/test_outcomes.py::"
            "test_what_cannot_be_understood_leaves_the_outcome_open[dropped after reading]",
        ),
        "https://github.com/bennycode/trading-signals/pull/1178",
    ),
    Defect(
        "exception-is-failure",
        "Any exception around the order call ended in FAILED, also one raised while the answer was read.",
        (
            Edit(
                SUBMITTER,
                '            return OutcomeUnknown(f"{type(error).__name__}: {error}")\n',
                '            return Refused(f"{type(error).__name__}: {error}")\n',
            ),
        ),
        (f"{OUTCOMES}::test_an_adapters_defect_is_an_unknown_outcome",),
        "https://github.com/CoinAlpha/hummingbot/pull/20",
    ),
    Defect(
        "live-trading-switch-ignored",
        "The bot traded real money while its switch still said paper.",
        (
            Edit(
                "blockers/execution_guard.py",
                "    return None if facts.live_allowed else Block(Reason.ORDER_BLOCKED_LIVE_TRADING)\n",
                "    return None\n",
            ),
        ),
        (f"{CLAIMING}::test_live_trading_off_blocks_everything_visibly",),
    ),
    Defect(
        "own-tag-in-the-book-is-sent-again",
        "A backup was restored, the alert came again, and its exit went out under the tag that stood in the broker's "
        "book already: it sold another strategy's units.",
        (
            Edit(
                SUBMITTER,
                "        sent_before = self.own_tags.sent_before(tx, order)\n",
                "        sent_before = None\n",
            ),
        ),
        (
            f"{OWN_TAGS}::test_a_repeated_exit_whose_tag_is_in_the_book_is_followed_and_not_sent",
            f"{OWN_TAGS}::test_one_that_was_turned_away_and_taken_is_followed",
        ),
    ),
    Defect(
        "session-answer-is-sent-again-unlooked",
        "The front end said that the session had ended and took the order all the same; two seconds later it was sent "
        "once more.",
        (
            Edit(
                MOVES,
                "        sent_at=order.sent_at if look_first else None,\n",
                "        sent_at=None,\n",
            ),
        ),
        (f"{OWN_TAGS}::test_a_book_of_before_the_answer_is_no_look",),
    ),
    Defect(
        "the-look-comes-too-soon",
        "A book takes seconds to show an order; the look a tenth of a second after the refusal did not find it, and it "
        "was sent once more.",
        (
            Edit(
                MOVES,
                "max(backoff(at - order.created_at), look_after or timedelta(0))",
                "backoff(at - order.created_at)",
            ),
        ),
        (f"{OWN_TAGS}::test_the_look_waits_until_a_taken_order_would_show",),
    ),
    Defect(
        "its-age-ends-what-may-be-at-the-broker",
        "An alert's life ended before the book was looked at: the order was called not sent, and was filled.",
        (Edit(MOVES, "    if not look_first and (not_before", "    if (not_before"),),
        (f"{OWN_TAGS}::test_one_turned_away_in_the_last_seconds_of_its_life_ends_only_after_its_look",),
    ),
    Defect(
        "a-cancel-ends-what-may-be-at-the-broker",
        "An operator cancelled an order of which the broker had said that it was turned away: it was called not sent, "
        "and was filled.",
        (
            Edit(
                "domain/cancellation.py",
                "    if order.phase is Phase.REGISTERED and not order.look_first:\n",
                "    if order.phase is Phase.REGISTERED:\n",
            ),
        ),
        (f"{OWN_TAGS}::test_a_cancel_of_what_was_turned_away_waits_for_its_look",),
    ),
    Defect(
        "a-contradiction-is-a-refusal",
        "The book said COMPLETE and nothing filled of an order that was turned away: that was taken for its refusal, "
        "and the order was sent once more.",
        (
            Edit(
                "domain/broker_reports.py",
                "is_dead = self.has_ended and self.status is not BrokerStatus.COMPLETE",
                "is_dead = self.has_ended",
            ),
            Edit("domain/broker_reports.py", " and not self.contradiction", ""),
        ),
        (f"{OWN_TAGS}::test_a_row_that_contradicts_itself_is_no_refusal",),
    ),
    Defect(
        "a-look-where-nothing-is-echoed",
        "The broker echoes no tag, so the look found none and the order that it had taken was sent once more.",
        (
            Edit(
                "engine/outcome_recorder.py",
                "            if echoes_nothing and isinstance",
                "            if not echoes_nothing and isinstance",
            ),
        ),
        (f"{OWN_TAGS}::test_where_nothing_is_echoed_no_look_can_find_it_and_its_outcome_is_unknown",),
    ),
    Defect(
        "late-acceptance-is-a-hands-order",
        "Where nothing is echoed, what the broker accepted half a minute after the call was given up was taken for a "
        "hand's order, and ours for absent.",
        (Edit("domain/order_matching.py", " + sending_ends + late + error", " + sending_ends + error"),),
        (
            "tests/domain/test_order_matching.py::test_what_the_broker_accepted_late_may_be_it_as_long_as_it_may_accept",
        ),
    ),
    Defect(
        "session-answer-is-sent-again-at-once",
        "After a login the adapter sent the order anew by itself, whatever had become of the first one.",
        (
            Edit(
                "broker/noren/adapter.py",
                '            if endpoint == "PlaceOrder":',
                '            if endpoint == "PlaceOrder" and not key:',
            ),
        ),
        (
            "tests/broker/noren/test_sessions.py::"
            "test_an_order_whose_session_was_refused_is_not_sent_again_unlooked",
        ),
    ),
    Defect(
        "our-tag-is-somebody-elses",
        "An order under this program's own tag was told as one that is not ours, and a person looked for a stranger.",
        (
            Edit(
                "engine/reconciler.py",
                "        if is_ours(report.client_order_id):\n            kind, what",
                "        if is_ours(report.client_order_id) and False:\n            kind, what",
            ),
        ),
        (f"{OWN_TAGS}::test_a_repeated_exit_whose_tag_is_in_the_book_is_followed_and_not_sent",),
    ),
    Defect(
        "a-test-order-is-sent",
        "An alert that was meant as a rehearsal was sent to the broker, and filled with real money.",
        (
            Edit(
                "broker/test_mode.py",
                "        if command.test_mode is not None:\n            return simulated_result",
                "        if command.test_mode is None:\n            return simulated_result",
            ),
        ),
        ("tests/broker/test_test_mode.py::test_an_order_in_test_mode_never_reaches_the_broker",),
    ),
    Defect(
        "a-test-order-is-sent-where-nobody-stands-before",
        "One of several ways to the broker had no check for rehearsals, and sent one.",
        (
            Edit(
                "broker/description.py",
                "        return replace(built, port=BrokerWithTestMode(port, setup.clock))",
                "        return replace(built, port=port)",
            ),
        ),
        ("tests/broker/test_registry.py::test_an_order_in_test_mode_is_answered_without_the_broker",),
    ),
    Defect(
        "a-rehearsal-reaches-the-adapter",
        "The adapter sent whatever it was handed: a rehearsal that went past the one check was filled.",
        (Edit("broker/noren/adapter.py", "        refuse_test_mode(command)\n", ""),),
        ("tests/broker/test_registry.py::test_an_adapter_itself_refuses_an_order_in_test_mode",),
    ),
)
