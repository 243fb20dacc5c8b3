"""Mistakes in what the console shows as needing a person, and in what a tap on it does."""

from tests.defects.defect import Defect, Edit

RULE, GATHERED = "domain/attention.py", "console/attention.py"
NEEDS, EXITS, PAGES = (
    "tests/console/test_attention.py",
    "tests/console/test_exiting.py",
    "tests/console/test_desk_pages.py",
)

DESK = (
    Defect(
        "an-acknowledged-matter-stays-hidden",
        "What somebody had seen once stayed hidden, also when it had become another matter: the second halt of a night "
        "was on no screen.",
        (
            Edit(
                RULE,
                "        if item.facts != self.facts or self.decided is Decided.REOPENED:\n",
                "        if self.decided is Decided.REOPENED:\n",
            ),
        ),
        (
            f"{NEEDS}::test_what_somebody_has_seen_leaves_the_strip_and_comes_back_when_it_changes",
            f"{NEEDS}::test_a_decision_hides_only_the_facts_that_were_seen_and_only_for_its_time",
        ),
    ),
    Defect(
        "a-snooze-without-end",
        "An item that was snoozed for a quarter of an hour never came back.",
        (
            Edit(
                RULE,
                "        return self.at <= now < self.until\n",
                "        return self.at <= now\n",
            ),
        ),
        (f"{NEEDS}::test_a_snooze_ends_by_itself_and_each_decision_is_kept",),
    ),
    Defect(
        "a-failure-acknowledged-for-ever",
        "Somebody had acknowledged the watcher that failed in March: that of June was on no screen.",
        (Edit(RULE, "            return item.may_be_acknowledged\n", "            return True\n"),),
        (f"{NEEDS}::test_what_was_acknowledged_before_hides_only_what_its_facts_tell_apart",),
    ),
    Defect(
        "a-failed-exit-is-forgotten",
        "The list looked for any failed exit of the day: it named those that a later exit had put right, and operators "
        "learned to look past it.",
        (
            Edit(
                "persistence/sqlite/queries/failed_exits.sql",
                "    ORDER BY o.created_at DESC LIMIT 1)\n    AND orders.status = 'FAILED' AND",
                "        AND o.status = 'FAILED'\n    ORDER BY o.created_at DESC LIMIT 1)\n    AND",
            ),
        ),
        (f"{NEEDS}::test_a_failed_exit_stands_until_nothing_is_held",),
    ),
    Defect(
        "a-second-tap-exits-twice",
        "Each tap on the button made a new id: a slow page and an impatient thumb asked for the exit twice.",
        (
            Edit(
                "console/exiting.py",
                '    act, asked_at = fields.required("act"), _asked_at(fields)\n',
                "    act, asked_at = secrets.token_urlsafe(12), _asked_at(fields)\n",
            ),
        ),
        (f"{EXITS}::test_a_second_tap_exits_nothing_more",),
    ),
    Defect(
        "an-old-page-still-exits",
        "A tab from the morning was confirmed in the afternoon: what was closed was not what was shown.",
        (
            Edit(
                "console/exiting.py",
                "        if not is_within(_asked_at(fields), desk.clock.now(), VALID_FOR):\n",
                "        if _asked_at(fields) > desk.clock.now():\n",
            ),
        ),
        (f"{EXITS}::test_what_was_shown_too_long_ago_is_shown_anew_and_not_sent",),
    ),
    Defect(
        "a-late-tap-says-that-nothing-was-sent",
        "The answer was lost and the page came again late: it said that nothing was sent, and offered the exits anew.",
        (Edit("console/exiting.py", "    if not any(stories):\n", "    if stories:\n"),),
        (f"{EXITS}::test_an_act_that_was_sent_is_not_called_unsent_when_it_comes_again_late",),
    ),
    Defect(
        "the-distance-of-a-short-is-turned-round",
        "The stop of a short position was shown as far away while the price stood on it.",
        (
            Edit(
                "console/positions.py",
                'protection["side"] == "BUY"\n',
                'protection["side"] in ("BUY", "SELL")\n',
            ),
        ),
        (f"{PAGES}::test_a_distance_is_above_zero_while_a_level_is_not_met",),
    ),
    Defect(
        "an-unread-broker-is-a-calm-one",
        "Before the first read the page said that nothing needed anybody.",
        (
            Edit(
                "console/templates/console/needs.html",
                "{{ 'Nothing needs you.' if header.accounts else",
                "{{ 'Nothing needs you.' if header.accounts is defined else",
            ),
            Edit(
                GATHERED,
                "        if not check.ok:\n",
                '        if not check.ok and "never read" not in check.sentence and name != "watcher":\n',
            ),
        ),
        (f"{NEEDS}::test_nothing_is_called_calm_that_was_not_read",),
    ),
)
