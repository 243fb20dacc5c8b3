"""Mistakes in how an order is found, counted and told, in what is replayed, and in what describes the interface."""

from tests.defects.defect import Defect, Edit

STORY = (
    Defect(
        "a-short-id-finds-nothing",
        "The search looked for the end of an alert's id alone: the id that a message ends with, with the leg's number "
        "behind it, found no order.",
        (
            Edit(
                "persistence/sqlite/id_ends.py",
                """    ends = {text, without_part, re.sub(r"-\\d+\\Z", "", without_part)}\n""",
                "    ends = {text, without_part}\n",
            ),
        ),
        ("tests/persistence/test_id_ends.py::test_it_finds_what_a_walk_through_all_ids_finds",),
    ),
    Defect(
        "archived-orders-are-still-counted",
        "The counts followed the orders' events and forgot that orders leave for the archive: the book counted orders "
        "that no page of it showed.",
        (
            Edit(
                "persistence/sqlite/queries/status_counts.py",
                "if known is None or known.archived != archived or known.event_id > event_id:",
                "if known is None:",
            ),
        ),
        ("tests/console/test_counts.py::test_orders_that_were_archived_are_counted_no_more",),
    ),
    Defect(
        "a-clock-set-back-turns-the-story-round",
        "After the clock had been set back, the page told the refusal before the claim.",
        (
            Edit(
                "console/story.py",
                "            latest = max(latest, line.at)\n",
                "            latest = line.at\n",
            ),
        ),
        ("tests/console/test_story.py::test_the_history_keeps_its_order_where_the_clock_was_set_back",),
    ),
    Defect(
        "another-legs-group-is-told",
        "A leg that belongs to no group was told to be given up with those of its alert.",
        (
            Edit(
                "persistence/sqlite/queries/orders.py",
                """                    if command_id in json.loads(row["legs"])\n""",
                "",
            ),
        ),
        ("tests/console/test_story.py::test_a_group_of_legs_is_told_on_the_page_of_each_leg_alone",),
    ),
    Defect(
        "what-was-sent-is-replayed",
        "An alert of which the broker had refused one leg and taken another was registered anew: the other was bought "
        "twice.",
        (
            Edit(
                "domain/replays.py",
                "        if leg.attempts or leg.sent_at is not None or leg.broker_order_id is not None:\n",
                "        if leg.broker_order_id is not None:\n",
            ),
        ),
        ("tests/test_replaying.py::test_an_alert_whose_leg_was_sent_is_never_replayed",),
    ),
    Defect(
        "two-people-replay-the-same",
        "Two people replayed the same alert, one after the other: both were sent.",
        (
            Edit(
                "use_cases/replay_alert.py",
                """            _check(tx, done, f"it was replayed as {done.alert_id} already, and of that")\n""",
                "",
            ),
        ),
        ("tests/test_replaying.py::test_what_was_registered_anew_is_registered_by_nobody_again",),
    ),
    Defect(
        "a-preview-registers",
        "Who only wanted to see what the alert would do had it registered.",
        (
            Edit(
                "use_cases/replay_alert.py",
                "            raise _Previewed(self._replay(tx, prepared, delivery, asked, kept, number=None))\n",
                "            return self._replay(tx, prepared, delivery, asked, kept, number=None)\n",
            ),
        ),
        ("tests/test_replaying.py::test_a_blocked_alert_is_shown_registered_once_and_recorded",),
    ),
    Defect(
        "the-description-lacks-what-acts",
        "The description of the interface listed what reads, and nothing of what acts: programs that were made from it "
        "could not halt.",
        (Edit("console/openapi_routes.py", "(*_READING, *_ACTING, *_OPEN)", "(*_READING, *_OPEN)"),),
        ("tests/test_openapi.py::test_it_describes_every_route_and_no_other",),
    ),
    Defect(
        "delivered-again-after-a-replay",
        "A refused alert was replayed and traded; then its sender delivered it again, and it was traded twice.",
        (
            Edit(
                "use_cases/replay_alert.py",
                "                anew = replace(alert, replay=asked._replace(number=each))\n",
                '                anew = replace(alert, replay=asked._replace(number=each), signal_id=f"r-{each}")\n',
            ),
        ),
        ("tests/test_replaying.py::test_what_its_sender_delivers_after_a_replay_is_a_duplicate_of_it",),
    ),
)
