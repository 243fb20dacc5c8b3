"""Mistakes at the HTTP door: what a sender that nobody knows yet can do."""

from tests.defects.defect import Defect, Edit

CONNECTIONS, FRONT, HANDOFF = "app/connections.py", "app/front.py", "app/wsgi_handoff.py"
FRONT_TESTS = "tests/app/test_front.py"
BEFORE = "tests/alerts/test_before_authentication.py"

DOORS = (
    Defect(
        "a-request-may-take-for-ever",
        "A sender that had sent half a request was waited for without limit; sixteen of them stopped every alert.",
        (Edit(CONNECTIONS, "if min(c.due, c.unread_due) <= now]", "if c.due < 0]"),),
        (f"{FRONT_TESTS}::test_a_trickle_does_not_prolong_the_deadline",),
    ),
    Defect(
        "a-full-house-turns-the-next-one-away",
        "Where silent connections filled the cap, it was the next alert that was refused.",
        (Edit(CONNECTIONS, "            goes.cut_off()\n", "            connection.cut_off()\n"),),
        (f"{FRONT_TESTS}::test_more_connections_than_the_cap_keep_no_honest_sender_out",),
    ),
    Defect(
        "an-alert-ends-with-its-sender",
        "A whole alert whose sender had hung up was dropped while it waited for its turn; nobody sends it again.",
        (
            Edit(
                HANDOFF,
                "_tell(loop, take, call())",
                '_tell(loop, take, Answer(500, [], b"") if answer.cancelled() else call())',
            ),
        ),
        (f"{FRONT_TESTS}::test_a_whole_alert_is_carried_out_though_its_sender_left",),
    ),
    Defect(
        "a-stop-waits-for-idle-connections",
        "A stop waited ten seconds for kept connections on which nobody was asking anything.",
        (Edit(FRONT, "            self.connections.close_idle()\n", "            pass\n"),),
        (f"{FRONT_TESTS}::test_a_stop_waits_for_no_idle_or_silent_sender",),
    ),
    Defect(
        "answered-before-the-commit",
        "The event loop answered an alert as soon as it was in the batch; a kill before the commit lost it.",
        (
            Edit(
                "app/alert_batches.py",
                "        answered = []\n",
                '        answered = []\n        deliver([(each.answer, Answer(200, b"{}")) for each in batch])\n',
            ),
        ),
        ("tests/app/test_alert_batches.py::test_nobody_is_answered_before_the_commit_has_ended",),
    ),
    Defect(
        "a-batch-acknowledged-on-a-full-disk",
        "Where the commit of a batch failed, its alerts were answered as taken.",
        (
            Edit(
                "alerts/receiver.py",
                "            return [answer_to_error(error)] * len(received)\n",
                "            return [Answer(200, answer_to_error(error).body)] * len(received)\n",
            ),
        ),
        (
            "tests/test_register_together.py::test_a_full_disk_at_the_commit_of_a_batch_acknowledges_none_of_it",
        ),
    ),
    Defect(
        "one-bad-alert-takes-its-neighbours-along",
        "One row that the database refused rolled back the whole batch, and its good neighbours were dropped with it.",
        (
            Edit(
                "use_cases/register_together.py",
                "            return [self._alone(tx, each) for each in beside]\n",
                "            return [written for _ in beside]\n",
            ),
        ),
        (
            "tests/test_register_together.py::"
            "test_a_row_that_the_database_refuses_drops_none_of_its_neighbours",
        ),
    ),
    Defect(
        "neighbours-do-not-see-each-other",
        "All alerts of a batch were judged by the facts before it: a strategy entered one symbol twice.",
        (
            Edit(
                "use_cases/register_together.py",
                "seen.isdisjoint(touched) and self._is_plain(alert)",
                "self._is_plain(alert)",
            ),
        ),
        (
            "tests/test_register_together.py::"
            "test_of_two_entries_of_one_strategy_in_one_symbol_the_second_is_blocked",
        ),
    ),
    Defect(
        "a-batch-outruns-the-limits",
        "A limit on open orders counted what was there before the batch, and let all of the batch pass.",
        (
            Edit(
                "domain/limits.py",
                "            self.max_open_orders,\n            self.max_trades",
                "            self.max_trades",
            ),
        ),
        ("tests/test_register_together.py::test_a_limit_counts_the_neighbours",),
    ),
    Defect(
        "a-batch-forgets-the-halt",
        "The facts of a batch were read without halts: what an operator had stopped was registered to be sent.",
        (
            Edit(
                "persistence/sqlite/queries/unusual_symbols.sql",
                "WHERE EXISTS (SELECT 1 FROM halts WHERE client_id = ?1)\n    OR EXISTS",
                "WHERE EXISTS",
            ),
        ),
        ("tests/test_register_together.py::test_what_stops_an_entry_stops_it_in_a_batch_too",),
    ),
    Defect(
        "the-square-of-the-keys",
        "Finding which key stood twice took the square of their number: ten seconds for 261 kB, without a secret.",
        (
            Edit("alerts/strict_json.py", "    seen: set[str] = set()\n", "    seen: list[str] = []\n"),
            Edit("alerts/strict_json.py", "        seen.add(twice)\n", "        seen.append(twice)\n"),
        ),
        (f"{BEFORE}::test_the_key_that_stands_twice_is_found_in_one_pass",),
    ),
    Defect(
        "members-are-not-counted",
        "Whoever sent 80,000 empty lists kept a processor busy for 60 ms with each body, without a secret.",
        (Edit("alerts/strict_json.py", "    _check_marks(text)\n    try:", "    try:"),),
        ("tests/alerts/test_strict_json.py::test_members_are_counted_whatever_the_texts_between_them_hold",),
    ),
    Defect(
        "an-exit-that-is-registered-as-an-entry",
        "The legs of an alert had no kind of their own, and the one that was assumed made entries of its exits.",
        (
            Edit("alerts/formats/native.py", "        kind=kind_of(type_, leg.qty),\n", ""),
            Edit(
                "domain/alert.py",
                "            if is_no_order or leg.kind is not kind_of(",
                "            if False and leg.kind is not kind_of(",
            ),
        ),
        ("tests/alerts/test_native.py::test_an_exit_needs_neither_side_nor_quantity",),
    ),
    Defect(
        "a-secret-of-another-type-is-none",
        "What was sent as the secret and was no text counted as none: a wrong secret beside a right one went unseen.",
        (
            Edit(
                "alerts/formats/secret_field.py",
                '        return given if isinstance(given, str) else ""\n',
                "        return given if isinstance(given, str) else None\n",
            ),
        ),
        ("tests/alerts/test_secret_field.py::test_in_a_document_it_is_the_value_of_its_key",),
    ),
    Defect(
        "a-broken-chunk-is-our-error",
        "A broken chunk of a body was answered with 500 and wrote a traceback, for anybody and without a secret.",
        (
            Edit(
                "alerts/webhook.py",
                "        except Exception as error:  # cut short",
                "        except OSError as error:  # cut short",
            ),
        ),
        (
            "tests/alerts/test_webhook.py::test_whatever_a_server_raises_over_a_broken_body_is_the_senders_fault",
        ),
    ),
    Defect(
        "a-console-token-of-one-letter",
        "`CONSOLE_TOKEN=a` was taken while orders were live: whoever guessed it lifted halts.",
        (
            Edit(
                "config/door_checks.py",
                '"CONSOLE_TOKEN", env.console_token.get_secret_value(), any_real, any_live',
                '"CONSOLE_TOKEN", env.console_token.get_secret_value(), any_real, False',
            ),
        ),
        ("tests/config/test_secret_length.py::test_whoever_guesses_the_consoles_token_trades_too",),
    ),
    Defect(
        "tokens-guessed-without-limit",
        "Bearer tokens could be guessed 200 times a second: only the login form counted wrong ones.",
        (Edit("console/access.py", "        self._guesses.failed(sender)\n", ""),),
        (
            "tests/console/test_access.py::"
            "test_guesses_at_the_api_are_slowed_down_and_the_right_token_comes_in_all_the_same",
        ),
    ),
    Defect(
        "everybody-reads-the-database",
        "orders.db and its log were made readable by every user of the machine.",
        (
            Edit(
                "persistence/sqlite/private_files.py",
                "                file.chmod(0o600)\n",
                "                pass\n",
            ),
        ),
        ("tests/persistence/test_private_files.py::test_a_database_and_its_lock_are_their_owners_alone",),
    ),
)
