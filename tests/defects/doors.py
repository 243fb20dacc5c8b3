"""Mistakes at the HTTP door: what a sender that nobody knows yet can do."""

from tests.defects.defect import Defect, Edit

CONNECTIONS, FRONT, HANDOFF = "app/connections.py", "app/front.py", "app/wsgi_handoff.py"
FRONT_TESTS = "tests/app/test_front.py"
BEFORE = "tests/alerts/test_before_authentication.py"

DOORS = (
    Defect(
        "a-request-may-take-for-ever",
        "A sender that had sent half a request was waited for without limit; sixteen of them stopped every alert.",
        (Edit(CONNECTIONS, "if c.due <= now]", "if c.due < 0]"),),
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
                "self._calls.put((call,",
                'self._calls.put((lambda: Answer(500, [], b"") if answer.cancelled() else call(),',
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
        (Edit("config/settings.py", "len(token.get_secret_value()) < _SHORTEST_SECRET", "not token"),),
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
