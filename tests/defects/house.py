"""Mistakes of our own house: clients that vanish from the settings, processes and locks that do not go on."""

from tests.defects.defect import Defect, Edit

RENAMED, LOCKED = "tests/engine/test_renamed_client.py", "tests/broker/test_rate_limit_locked.py"
SESSIONS = "tests/broker/noren/test_sessions.py"

HOUSE = (
    Defect(
        "account-of-another-client-is-served",
        "A renamed client's own orders were nobody's under its new id, and an exit sold them once more.",
        (
            Edit(
                "persistence/sqlite/accounts.py",
                "    return AccountStanding(mine, taken_by)\n",
                "    return AccountStanding(mine)\n",
            ),
        ),
        (f"{RENAMED}::test_an_exit_of_the_new_id_waits_and_goes_once_the_rows_are_moved",),
    ),
    Defect(
        "vanished-clients-are-nobodys-concern",
        "A client was taken out of the settings with a live order: nobody followed it, and nobody was told.",
        (
            Edit(
                "persistence/sqlite/unconfigured_clients.py",
                "    if not left:\n        return []\n",
                "    return []\n",
            ),
        ),
        (f"{RENAMED}::test_a_client_that_is_configured_no_more_is_told_of_once",),
    ),
    Defect(
        "moved-orders-keep-no-trace",
        "Rows were moved by a plain UPDATE: their history told of another client than they did.",
        (
            Edit(
                "domain/order_events.py",
                '{"client_id": client_id, "moved_from": order.client_id}',
                '{"moved_from": order.client_id}',
            ),
        ),
        ("tests/persistence/test_client_rename.py::test_an_order_of_any_phase_is_moved_and_verifies",),
    ),
    Defect(
        "budget-lock-for-ever",
        "A process was stopped inside the rate budget's lock, and the exits of all others waited for it.",
        (
            Edit(
                "broker/rate_limit/limiter.py",
                "            if not urgent or not self._reserve.take(self._now()):\n",
                "            if True:\n",
            ),
        ),
        (f"{LOCKED}::test_an_exit_and_the_read_that_it_needs_go_soon",),
    ),
    Defect(
        "refused-code-costs-a-minute",
        "One TOTP at the edge of its 30 seconds cost a minute in which no exit went.",
        (Edit("broker/sessions.py", "_ONCE_MORE = 10.0\n", "_ONCE_MORE = 60.0\n"),),
        (f"{SESSIONS}::test_after_one_refused_code_an_exit_waits_no_longer_than_fifteen_seconds",),
    ),
    Defect(
        "refused-code-again",
        "The refused code was sent once more within its 30 seconds, and counted against the account again.",
        (Edit("broker/noren/session.py", '        self._refused_code = fields["factor2"]\n', ""),),
        (f"{SESSIONS}::test_after_one_refused_code_an_exit_waits_no_longer_than_fifteen_seconds[10]",),
    ),
    Defect(
        "pulse-waits-for-the-database",
        "The watcher told its supervisor of itself only after it had written to a database that others had locked.",
        (
            Edit(
                "app/watcher.py",
                "            pulse()\n",
                "            self._save_beats()\n            pulse()\n",
            ),
        ),
        ("tests/app/test_client_workers.py::test_a_locked_database_and_a_hanging_broker_take_no_pulse_away",),
    ),
    Defect(
        "stopped-writer-holds-all",
        "A command was stopped with Ctrl-Z in the middle of a write: no alert and no exit got in until it went on.",
        (
            Edit(
                "app/stopped_holder.py",
                "        os.kill(pid, signal.SIGKILL)\n",
                "        os.kill(pid, signal.SIGTERM)\n",
            ),
        ),
        ("tests/app/test_stopped_holder.py::test_one_that_was_stopped_is_ended_and_others_write_on",),
    ),
    Defect(
        "child-outlives-its-supervisor",
        "The supervisor was killed: its watcher went on unwatched, its web server kept the port from the next start.",
        (
            Edit(
                "app/child_process.py",
                "    _let_kernel_end_it()\n    if os.getppid() != parent:  #",
                "    if os.getppid() != parent:  #",
            ),
        ),
        (
            "tests/app/test_child_process.py::test_it_ends_with_a_parent_that_is_killed_and_is_shown_under_its_title",
        ),
    ),
    Defect(
        "signal-at-the-fork-is-lost",
        "A stop reached a child that had just been forked, in its parent's handler: it ran on until it was killed.",
        (
            Edit(
                "app/child_process.py",
                "signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)",
                "signal.pthread_sigmask(signal.SIG_BLOCK, ())",
            ),
        ),
        (
            "tests/app/test_child_process.py::"
            "test_a_signal_at_its_first_instruction_is_not_lost_in_the_handlers_of_its_parent",
        ),
    ),
    Defect(
        "ready-while-the-broker-refuses",
        "The bot told that its broker could not be read and that exits waited, and its own health check was green.",
        (
            Edit(
                "domain/health.py",
                "    if account.error is not None and age >=",
                "    if account.error is None and age >=",
            ),
        ),
        (
            "tests/console/test_health.py::test_a_broker_that_cannot_be_read_is_not_ready_as_soon_as_it_is_told",
        ),
        also=("tests/console",),
    ),
)
