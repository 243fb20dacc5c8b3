"""Mistakes about the file, the clock and the switches."""

from tests.defects.defect import Defect, Edit

IDENTITY = "persistence/sqlite/identity.py"
REPLACED = "tests/persistence/test_identity.py"
FULL = "tests/persistence/test_full_disk.py"

STORE = (
    Defect(
        "a-commit-during-a-start-is-an-older-copy",
        "A watcher committed while a web server started: the database passed for an older copy, and everything ended.",
        (
            Edit(IDENTITY, "    noted = witness.read()\n    found = _fetch(connection, _READ)\n", ""),
            Edit(
                IDENTITY,
                "    witness = IdentityFile(path)\n    # Before the database",
                "    found = _fetch(connection, _READ)\n    witness = IdentityFile(path)\n"
                "    noted = witness.read()\n    # Before the database",
            ),
        ),
        (f"{REPLACED}::test_a_commit_of_another_process_during_a_start_is_no_older_copy",),
    ),
    Defect(
        "replaced-file-written-to",
        "orders.db was replaced by a copy while the bot ran; alerts were acknowledged into the file that was gone.",
        (
            Edit(
                IDENTITY,
                "        if (found.st_dev, found.st_ino) != self._place:\n",
                "        if False:\n",
            ),
            Edit(IDENTITY, "        elif log_place != self._log_place:\n", "        elif False:\n"),
        ),
        (f"{REPLACED}::test_a_file_moved_into_its_place_is_not_written_to",),
    ),
    Defect(
        "copy-over-the-same-inode",
        "A copy was written over orders.db itself; the inode was the same, so nobody noticed.",
        (Edit(IDENTITY, "        if found.generation <= newest:\n", "        if False:\n"),),
        (f"{REPLACED}::test_a_process_that_has_not_written_for_long_knows_how_far_others_came",),
    ),
    Defect(
        "full-disk-is-a-damaged-database",
        "The disk was full, a checkpoint ended midway; the intact database was called another one, and all ended.",
        (Edit(IDENTITY, "            self._look_with_the_log(file, error)\n", "            raise\n"),),
        (f"{FULL}::test_a_checkpoint_that_did_not_end_is_no_damaged_database",),
        also=("tests/e2e/test_full_disk.py",),
    ),
    Defect(
        "judged-while-the-disk-is-full",
        "What could not be read while the disk was full was called damaged for good, with the advice to restore.",
        (Edit("persistence/sqlite/damage.py", "    if no_room(path) is not None:\n", "    if False:\n"),),
        (f"{FULL}::test_nothing_is_called_damaged_while_the_disk_is_full",),
    ),
    Defect(
        "unreadable-row-is-ready",
        "A row of the positions could not be read, entries were blocked and an exit waited; all was called ready.",
        (
            Edit("console/health.py", "        ok=read.ok and not stopped,\n", "        ok=read.ok,\n"),
            Edit(
                "persistence/sqlite/doctor.py",
                "        yield _readable(read, client_id, vitals.unreadable.get(client_id, ()), expected)\n",
                "        yield read\n",
            ),
        ),
        (
            "tests/console/test_health.py::"
            "test_a_row_that_cannot_be_read_is_told_and_ready_is_only_where_entries_can_pass",
            "tests/cli/test_doctor.py::test_a_row_that_cannot_be_read_is_named_and_so_is_what_it_stops",
        ),
    ),
    Defect(
        "restored-under-a-running-process",
        "A database was restored while a process had it open, which went on with the old one.",
        (
            Edit(
                "persistence/sqlite/restore.py",
                "        if database.exists() and _is_open(database):\n",
                "        if False:\n",
            ),
        ),
        (
            "tests/persistence/test_restore.py::test_nothing_is_restored_while_a_process_has_the_database_open",
        ),
    ),
    Defect(
        "stamp-of-the-future-is-young",
        "The clock was set back by an hour; for that hour an identical alert was a repeat, however long ago it came.",
        (
            Edit(
                "domain/times.py",
                "    return abs(now - since) < window\n",
                "    return now - since < window\n",
            ),
        ),
        (
            "tests/domain/test_elapsed.py::test_a_stamp_is_young_for_a_window_and_one_of_the_future_is_not_young_for_longer",
            "tests/test_command_duplicates.py::test_a_clock_that_was_set_back_does_not_make_an_old_alert_young",
        ),
    ),
    Defect(
        "lease-of-the-future-honoured",
        "The clock went forward and back; a dead sender's lease lay in the future and Telegram was silent until then.",
        (
            Edit(
                "persistence/sqlite/queries/take_lease.sql",
                "OR until < ? OR until > ?",
                "OR until < ? OR ? IS NULL",
            ),
        ),
        ("tests/persistence/test_leases.py::test_a_lease_of_before_the_clock_was_set_back_is_not_honoured",),
    ),
    Defect(
        "read-is-not-compared",
        "The order book could not be read and nothing was compared, but positions were read, so all was called fine.",
        (
            Edit(
                "persistence/sqlite/doctor.py",
                "    if compared_state(account.read, now, max_age) is ComparedState.CURRENT:\n",
                "    if account.read_error is None and account.positions_read_at is not None:\n",
            ),
        ),
        (
            "tests/cli/test_doctor.py::"
            "test_positions_that_are_read_while_the_order_book_is_not_are_not_called_compared",
        ),
    ),
    Defect(
        "another-instance-answers",
        "The port was taken; another instance answered, and this one was called ready.",
        (
            Edit(
                "cli_doctor.py",
                "    if writes_to != database:\n",
                "    if not writes_to:\n",
            ),
        ),
        ("tests/cli/test_doctor.py::test_the_doctor_does_not_take_another_instance_for_this_one",),
    ),
    Defect(
        "exits-switched-off-unasked",
        "Live trading was switched off while positions were open; their exits were then not sent either.",
        (
            Edit(
                "app/starting.py",
                "    if refused:\n",
                "    if refused and not services:\n",
            ),
        ),
        ("tests/test_exits_off.py::test_the_start_is_refused_while_something_is_held",),
    ),
)
