"""Mistakes with what protects a group as a whole: a sum of what is not known, levels that fall, exits that repeat."""

from tests.defects.defect import Defect, Edit

SUM, RULE, GROUP = "domain/group_profit.py", "domain/combined.py", "domain/leg_groups.py"
TESTS, WATCHED = "tests/domain/test_combined.py", "tests/engine/test_combined.py"
ASKED = "tests/engine/test_asked_groups.py"
PATHS = f"{TESTS}::test_on_every_path_it_keeps_only_more_is_met_once_and_restarts_change_nothing"

COMBINING = (
    Defect(
        "a-leg-without-a-price-counts-as-0",
        "The price of the hedge was missing, the sum was the sold leg's alone, and the spread was closed at a loss.",
        (
            Edit(
                SUM, "            return (fault or MarkFault.MISSING).value\n", "            return brought\n"
            ),
        ),
        (f"{TESTS}::test_a_leg_without_a_usable_price_makes_the_profit_unknown_and_never_0",),
    ),
    Defect(
        "a-closed-leg-counts-as-0",
        "A leg was closed by hand, and its loss was missing in the sum: the combined stop was never met.",
        (Edit(SUM, "            return CLOSED_UNPRICED\n", "            return ZERO\n"),),
        (f"{TESTS}::test_units_that_are_gone_at_no_known_price_make_it_unknown",),
    ),
    Defect(
        "what-a-leg-realised-is-forgotten",
        "The stop of one leg was hit, and its loss was not in the sum any more: the rest ran into twice the loss.",
        (Edit(SUM, "        brought = (paid - average * (filled - left)) * sign\n", ""),),
        (
            f"{TESTS}::test_what_is_gone_of_a_leg_counts_at_the_price_of_its_exits",
            f"{WATCHED}::test_a_leg_that_its_own_stop_has_closed_counts_with_what_it_realised",
        ),
    ),
    Defect(
        "points-counted-as-money",
        "A stop of 20 points of the net premium was met at a loss of 20 in money.",
        (Edit(SUM, " else money / units_of_points(legs)\n", " else money\n"),),
        (f"{TESTS}::test_the_profit_is_the_exact_sum_of_the_legs",),
    ),
    Defect(
        "a-trail-loosens-a-combined-stop",
        "A trail wider than the stop moved the exit of the whole group further away.",
        (Edit(RULE, "    return other if one is None else max(one, other)\n", "    return other\n"),),
        (PATHS,),
    ),
    Defect(
        "a-restart-forgets-what-is-locked",
        "The watcher was started again, told the lock once more, and counted its steps from the first.",
        (Edit("domain/combined_text.py", 'locked_steps=kept["locked_steps"],', "locked_steps=None,"),),
        (f"{WATCHED}::test_a_lock_is_told_once_and_a_restart_goes_on_at_what_is_kept",),
    ),
    Defect(
        "a-complete-group-is-not-watched",
        "A group that was filled counted as done, and nobody looked at its combined stop.",
        (
            Edit(
                GROUP,
                "        return self.state.is_open or self.is_combined\n",
                "        return self.state.is_open\n",
            ),
        ),
        (f"{WATCHED}::test_a_combined_stop_exits_all_legs_once_sold_legs_first",),
    ),
    Defect(
        "a-group-that-leaves-is-asked-to-leave",
        "A group that was being unwound met its combined stop as well, and began to leave a second time.",
        (Edit(GROUP, " and self.unwinding_since is None\n", "\n"),),
        (f"{TESTS}::test_without_it_and_while_it_leaves_nothing_of_it_is_asked",),
    ),
    Defect(
        "an-unknown-profit-is-told-at-each-look",
        "The feed was away for an hour, and each second a message said so.",
        (
            Edit(
                RULE,
                "    if c.is_unknown or now - since < UNKNOWN_TOLD_AFTER:",
                "    if now - since < UNKNOWN_TOLD_AFTER:",
            ),
        ),
        (f"{TESTS}::test_an_unknown_profit_moves_nothing_and_is_told_once_after_a_while",),
    ),
    Defect(
        "protection-of-no-group-is-ignored",
        "The legs were independent, and the combined stop that their alert brought was taken and never looked at.",
        (
            Edit(
                "use_cases/register_group.py",
                "    if alert.combined is not None and not found:\n",
                "    if False:\n",
            ),
        ),
        (f"{WATCHED}::test_entries_that_are_no_group_cannot_be_protected_as_one",),
    ),
    Defect(
        "a-policy-of-the-alert-ends-with-its-registration",
        "An alert asked for a hedged spread, its strategy was independent, and the sold leg went without its hedge.",
        (
            Edit(
                "use_cases/leg_groups.py",
                "handling_of(policy, order).is_grouped",
                "policy.strategy(order.strategy_name).is_grouped",
            ),
        ),
        (f"{ASKED}::test_a_sold_leg_waits_for_its_hedge_where_only_the_alert_asks_for_it",),
    ),
    Defect(
        "a-policy-of-the-alert-makes-no-group",
        "An alert asked for all or none, the file said independent, and half of it stayed.",
        (
            Edit(
                "use_cases/register_group.py",
                "    handling = with_group(policy.strategy(alert.strategy_name), alert.group)\n",
                "    handling = policy.strategy(alert.strategy_name)\n",
            ),
        ),
        (f"{ASKED}::test_all_or_none_of_an_alert_is_unwound_whatever_its_strategy_says",),
    ),
    Defect(
        "the-archive-takes-what-is-watched",
        "A spread was held for months, its orders went into the archive, and with them its combined stop.",
        (
            Edit(
                "persistence/sqlite/queries/choose_archivable.sql",
                " AND g.is_watched = 1)\n",
                " AND g.is_watched = 2)\n",
            ),
        ),
        ("tests/persistence/test_archive.py::test_what_a_watched_group_is_made_of_stays",),
    ),
)
