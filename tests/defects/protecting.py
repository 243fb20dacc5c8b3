"""Mistakes in protecting a position: stops that move back, fire twice or fire on nothing, exits of the wrong size."""

from tests.defects.defect import Defect, Edit

CORE, RULE, MARKS = "domain/protection.py", "domain/protection_step.py", "domain/marks.py"
TARGETS, FURTHER = "tests/domain/test_several_targets.py", "domain/further_terms.py"
COST_AND_TIME, BY_TIME = "tests/domain/test_cost_and_time.py", "tests/engine/test_exits_by_time.py"
EXITS, LEVELS = "domain/protection_exits.py", "domain/protection_levels.py"
TERMS = "domain/protection_terms.py"
WATCHER = "engine/protection_watcher.py"
RULE_TESTS, WATCHED = "tests/domain/test_protection.py", "tests/engine/test_protections.py"
EXIT_TESTS, EXITS_WATCHED = "tests/domain/test_protection_exits.py", "tests/engine/test_protective_exits.py"

PROTECTING = (
    Defect(
        "a-cancelled-target-takes-the-stop",
        "A person cancelled the exit of a first target, and the stop of all other units was gone with it.",
        (Edit(EXITS, "found.state is ExitState.WITHDRAWN and _has_stop_beside(p, asked.rule)", "False"),),
        (f"{EXIT_TESTS}::test_a_targets_exit_that_was_cancelled_leaves_the_stop",),
    ),
    Defect(
        "an-old-protection-sells-the-next-entry",
        "Exit and next entry came between two rounds, and the first entry's stop sold what the second had bought.",
        (Edit("use_cases/protect.py", "step.exit is not None and _was_closed(tx, step.before)", "False"),),
        (f"{WATCHED}::test_what_another_entry_has_brought_after_an_exit_of_everything_is_not_sold",),
    ),
    Defect(
        "stop-moves-back",
        "A trailing stop followed the price down again, so that it never protected a gain.",
        (
            Edit(
                TERMS,
                "    return max(one, other) if side is Side.BUY else min(one, other)\n",
                "    return other\n",
            ),
        ),
        (
            f"{RULE_TESTS}::test_a_trail_in_points_arms_and_follows_the_best_price",
            f"{RULE_TESTS}::test_a_stop_does_not_move_back_when_the_average_of_the_fills_does",
        ),
    ),
    Defect(
        "stop-fires-twice",
        "A stop that had fired fired again at the next price, and the account was short.",
        (
            Edit(
                CORE,
                "exit_command_id=command_id, exits=(*self.after.exits, asked))",
                "exit_command_id=command_id)",
            ),
        ),
        (f"{RULE_TESTS}::test_a_level_that_is_met_fires_once_for_all_that_is_held",),
    ),
    Defect(
        "price-of-zero-meets-the-stop",
        "The feed sent 0 for no price, and every stop was met.",
        (
            Edit(
                MARKS,
                "        return self.price.is_finite() and self.price > ZERO\n",
                "        return self.price.is_finite()\n",
            ),
        ),
        (f"{RULE_TESTS}::test_without_a_usable_price_nothing_moves_and_after_a_while_it_is_unknown",),
    ),
    Defect(
        "stale-price-fires",
        "The feed stood still over a reconnect, and an hour-old price met the stop.",
        (
            Edit(
                MARKS,
                "    if mark.at < since or now - mark.at > MARK_MAX_AGE:\n",
                "    if mark.at < since:\n",
            ),
        ),
        (f"{WATCHED}::test_without_a_reader_the_price_of_the_positions_counts_while_it_is_young",),
    ),
    Defect(
        "price-of-before-the-fill",
        "The last price of before the entry was filled met the stop, and the position was closed as it was opened.",
        (
            Edit(
                MARKS,
                "    if mark.at < since or now - mark.at > MARK_MAX_AGE:\n",
                "    if now - mark.at > MARK_MAX_AGE:\n",
            ),
        ),
        (f"{RULE_TESTS}::test_a_price_from_before_the_fill_does_not_count",),
    ),
    Defect(
        "short-is-protected-as-a-long",
        "The stop of a position that was sold stood below its price, and was met at once.",
        (
            Edit(
                RULE,
                "price_of(p.stop_loss, p.average_price, -p.side.sign)",
                "price_of(p.stop_loss, p.average_price, -1)",
            ),
        ),
        (
            f"{RULE_TESTS}::test_levels_count_from_the_average_fill",
            f"{RULE_TESTS}::test_a_position_that_was_sold_is_bought_back",
        ),
    ),
    Defect(
        "target-before-stop",
        "A price met stop and target at once, and was booked as a target.",
        (
            Edit(
                LEVELS,
                "* p.side.sign <= 0:\n        if p.is_armed:",
                "* p.side.sign < -p.stop_price:\n        if p.is_armed:",
            ),
        ),
        (f"{RULE_TESTS}::test_where_stop_and_target_are_met_at_once_the_stop_wins",),
    ),
    Defect(
        "stop-takes-units-beside-it",
        "The stop of one entry closed all that its strategy held in the symbol.",
        (
            Edit(
                WATCHER,
                "            is_all = units == held and",
                "            is_all = True or",
            ),
        ),
        (f"{WATCHED}::test_units_beside_those_that_it_covers_stay",),
    ),
    Defect(
        "protection-outlives-its-position",
        "A person closed the position, the stop fired afterwards and opened the other side.",
        (
            Edit(
                RULE,
                "        if _is_settled(after, covered, now) and not after.exits:\n",
                "        if False:\n",
            ),
        ),
        (
            f"{RULE_TESTS}::test_fills_and_other_exits_change_what_is_covered",
            f"{WATCHED}::test_an_exit_of_another_kind_ends_the_protection",
        ),
    ),
    Defect(
        "late-fill-after-the-end",
        "An order was cancelled with a part filled; its late fill was held without the stop that it had brought.",
        (
            Edit(
                RULE,
                "    return min(p.over_since or now, now)  # the clock may have been set back\n",
                "    return None\n",
            ),
        ),
        (f"{RULE_TESTS}::test_a_late_fill_after_all_was_sold_is_covered",),
    ),
    Defect(
        "old-best-price-arms-the-trail",
        "An average that moved made a gain of an old best price, and the trail was armed by a move that never was.",
        (
            Edit(
                RULE,
                "p.best_price if p.is_armed or covered.average == p.average_price else None",
                "p.best_price",
            ),
        ),
        (f"{RULE_TESTS}::test_a_trail_is_not_armed_by_a_best_price_of_before_the_average_moved",),
    ),
    Defect(
        "row-of-nothing-sets-the-price",
        "The closed row of another product showed an old price, and met the stop of what was held.",
        (Edit(WATCHER, "sorted(snapshot.positions, key=_credibility)", "snapshot.positions"),),
        (f"{WATCHED}::test_of_rows_of_one_symbol_that_of_what_is_held_shows_the_price",),
    ),
    Defect(
        "stop-below-zero-is-taken",
        "A stop of 200 points under a price of 100 was taken, could not be met, and nobody was told.",
        (Edit(TERMS, "return None if price is None or price <= ZERO else price", "return price"),),
        (f"{RULE_TESTS}::test_a_stop_at_0_or_below_is_none_and_is_told",),
    ),
    Defect(
        "next-generation-asks-for-the-first-exit",
        "What was filled after the stop had taken a part asked for an exit that was there already, and stayed.",
        (
            Edit(
                CORE,
                'return f"{self.client_id}|protection|{self.protection_id}|{self.generation}"',
                'return f"{self.client_id}|protection|{self.protection_id}"',
            ),
        ),
        (f"{RULE_TESTS}::test_fills_after_an_exit_of_a_part_are_covered_by_the_next_generation",),
    ),
    Defect(
        "protection-is-no-part-of-the-content",
        "The same alert with a tighter stop came as a duplicate of the one before, and the stop stayed where it was.",
        (
            Edit(
                "domain/ids.py",
                "    if p is not None:  # nor",
                "    if False:  # nor",
            ),
        ),
        ("tests/domain/test_ids.py::test_all_of_a_protection_is_part_of_the_content",),
    ),
    Defect(
        "protected-entry-is-written-without-it",
        "Alerts that came together were registered by a short cut, and their stops were forgotten.",
        (
            Edit(
                "use_cases/register_together.py",
                "        if policy.strategy(alert.strategy_name).protecting(alert.legs[0].protection) is not None:\n"
                "            return False\n",
                "",
            ),
        ),
        ("tests/test_register_together.py::test_an_entry_with_a_protection_is_registered_with_it",),
    ),
    Defect(
        "trouble-is-told-every-second",
        "A position that could not be followed was told of at each price, until nobody read any message.",
        (
            Edit(
                WATCHER,
                "        tx.notify_once(_failed_key(p), _failure(p, done))",
                "        tx.notify(_failure(p, done))",
            ),
        ),
        (f"{WATCHED}::test_a_protection_that_cannot_be_followed_is_told_and_holds_up_no_other_one",),
    ),
    Defect(
        "long-and-short-share-what-is-held",
        "After a reversal the stop of the old side was asked about the units of the new one, and closed them.",
        (Edit(WATCHER, "nets.get(place, ZERO) * side.sign, ZERO)", "abs(nets.get(place, ZERO)), ZERO)"),),
        (f"{WATCHED}::test_after_a_reversal_the_old_side_closes_nothing",),
    ),
    Defect(
        "a-message-for-each-tick",
        "A trailing stop told of each of its moves, a thousand a day.",
        (
            Edit(
                RULE,
                "    tells = bool(moved) and _is_due(p.trail_told_at, now)\n",
                "    tells = bool(moved)\n",
            ),
        ),
        (f"{RULE_TESTS}::test_of_a_stop_that_follows_the_price_people_are_told_now_and_then",),
    ),
    Defect(
        "one-bad-protection-stops-all",
        "One protection could not be read; the stops of all other positions of the client were not watched, and nobody "
        "was told.",
        (Edit(WATCHER, "                failed[p.protection_id] = p, error\n", "                raise\n"),),
        (f"{WATCHED}::test_a_protection_that_cannot_be_stepped_is_told_once_and_keeps_no_other_from_firing",),
    ),
    Defect(
        "a-cancel-under-way-takes-another-exit",
        "A person was cancelling a target, a hand had sold that part: the stop of what was left was cancelled too.",
        (Edit("engine/stranded_exits.py", "            and o.cancel_requested_at is None\n", ""),),
        (
            "tests/engine/test_stranded_exits.py::test_an_exit_that_is_being_cancelled_leaves_the_others_alone",
        ),
    ),
    Defect(
        "a-target-sells-everything",
        "The first of three targets was met, and sold the units of the others too.",
        (Edit(RULE, "        units = units_of_targets(p, mark.price)\n", "        pass\n"),),
        (f"{TARGETS}::test_each_target_sells_its_share_and_the_last_one_takes_the_rest",),
    ),
    Defect(
        "a-share-is-no-whole-lot",
        "Half of three lots was asked for as one lot and a half, and the exchange refused it.",
        (Edit(FURTHER, "        step = self.lot_size or (", "        step = ("),),
        (f"{TARGETS}::test_shares_are_whole_lots",),
    ),
    Defect(
        "a-target-is-met-again",
        "The price stood at the first target, and each round sold another share of what was left.",
        (
            Edit(
                LEVELS,
                "max(further.share_of(number, base) - sold, ZERO)",
                "max(further.share_of(number, base), ZERO)",
            ),
        ),
        (f"{TARGETS}::test_each_target_sells_its_share_and_the_last_one_takes_the_rest",),
    ),
    Defect(
        "a-failed-share-counts-as-sold",
        "The exit of a target was refused, and its share was left to the stop.",
        (Edit(EXITS, "            p = with_unsold(p, back)\n", "            pass\n"),),
        (f"{TARGETS}::test_a_share_whose_exit_failed_is_asked_for_again",),
    ),
    Defect(
        "the-stop-moves-to-cost-at-each-fill",
        "A stop at cost followed the average of later fills down.",
        (
            Edit(
                LEVELS,
                "    if p.is_at_cost or further.cost_trigger is None",
                "    if further.cost_trigger is None",
            ),
            Edit(
                LEVELS,
                "    stop = tighter(p.side, p.stop_price, average + p.side.sign * offset)\n",
                "    stop = average\n",
            ),
        ),
        (f"{COST_AND_TIME}::test_it_does_so_once_and_never_loosens",),
    ),
    Defect(
        "the-clock-waits-for-a-price",
        "The feed had died, and the square-off of the day did not go.",
        (
            Edit(
                RULE,
                "    if _is_time(p, now):\n",
                "    if mark is not None and _is_time(p, now):\n",
            ),
        ),
        (f"{COST_AND_TIME}::test_at_its_time_it_exits_whatever_the_price_is",),
    ),
    Defect(
        "a-missed-time-waits-for-the-next-day",
        "The service was down at 15:10, and what it held stayed overnight.",
        (
            Edit(
                RULE,
                "now >= p.exit_at and not _is_waiting",
                "p.exit_at <= now < p.exit_at + UNKNOWN_TOLD_AFTER and not _is_waiting",
            ),
        ),
        (f"{BY_TIME}::test_a_time_that_passed_while_nothing_ran_fires_when_a_watcher_begins",),
    ),
    Defect(
        "a-clock-time-is-taken-as-utc",
        "15:10 was taken as UTC, and the position was closed after the market.",
        (
            Edit(
                "use_cases/protect.py",
                "time.fromisoformat(clock), zone)",
                "time.fromisoformat(clock), UTC)",
            ),
        ),
        (f"{BY_TIME}::test_a_clock_time_is_of_the_entrys_day_in_the_zone_of_trading",),
    ),
    Defect(
        "minutes-count-anew-with-each-fill",
        "The minutes to an exit counted from the last fill, and a slow entry moved it on and on.",
        (
            Edit(RULE, "    if p.active_since is not None:\n        return p\n", ""),
            Edit(RULE, "exit_at=min(times, default=None)", "exit_at=max(times, default=None)"),
        ),
        (f"{COST_AND_TIME}::test_minutes_count_from_the_first_fill",),
    ),
    Defect(
        "a-strategys-stop-is-forgotten-in-a-batch",
        "Alerts that came together were registered by a short cut that did not know what protects their strategy.",
        (
            Edit(
                "use_cases/register_together.py",
                "policy.strategy(alert.strategy_name).protecting(alert.legs[0].protection) is not None",
                "alert.legs[0].protection is not None",
            ),
        ),
        ("tests/test_register_together.py::test_an_entry_that_its_strategy_protects_is_registered_with_it",),
    ),
    Defect(
        "the-square-off-spares-what-has-its-own-stop",
        "An entry that brought a target of its own was left open at the strategy's square-off.",
        (
            Edit(
                "domain/limits.py",
                "        terms = own or self.protection or Terms()\n",
                "        if own is not None:\n            return own\n        terms = self.protection or Terms()\n",
            ),
        ),
        (f"{BY_TIME}::test_a_strategy_is_flat_after_its_square_off_whatever_its_entries_brought",),
    ),
    Defect(
        "a-failed-stop-is-left",
        "The broker refused a stop's exit for a moment, and the position was held without any stop for the day.",
        (Edit(EXITS, "    elif p.failures <= len(RETRY_WAITS):\n", "    elif False:\n"),),
        (
            f"{EXIT_TESTS}::test_a_failed_exit_is_asked_for_again_ever_later_and_then_no_more",
            f"{EXITS_WATCHED}::test_a_refused_exit_is_asked_for_again_and_ends_flat",
        ),
    ),
    Defect(
        "a-refused-exit-is-sent-for-ever",
        "An exit that the broker refused was sent again until the account's orders of the day were used up.",
        (
            Edit(EXITS, "    elif p.failures <= len(RETRY_WAITS):\n", "    elif p.failures:\n"),
            Edit(EXITS, "RETRY_WAITS[p.failures - 1]", "RETRY_WAITS[min(p.failures, len(RETRY_WAITS)) - 1]"),
        ),
        (f"{EXITS_WATCHED}::test_after_the_last_try_people_are_told_that_it_is_held_without_protection",),
    ),
    Defect(
        "an-unknown-exit-is-a-failed-one",
        "A stop's exit timed out, was sent again as a new order, both were filled, and the account was short.",
        (
            Edit(
                EXITS,
                "order.status in (Status.CREATED, Status.SENT_TO_BROKER) or order.is_provisional(now)",
                "order.status is Status.CREATED",
            ),
        ),
        (f"{EXITS_WATCHED}::test_an_exit_of_unknown_outcome_is_no_failed_one",),
    ),
    Defect(
        "a-second-try-at-once",
        "The price still met the stop, so a refused exit was sent again at each tick.",
        (
            Edit(
                RULE, "    if rule is not None and not _is_waiting(p, rule):\n", "    if rule is not None:\n"
            ),
        ),
        (f"{EXIT_TESTS}::test_a_failed_exit_is_asked_for_again_ever_later_and_then_no_more",),
    ),
    Defect(
        "a-stop-waits-for-a-target",
        "A target's exit was refused, and while its second try was due nobody looked after the stop.",
        (
            Edit(
                RULE,
                "p.retry_rule is not None and (p.retry_rule is not Rule.TARGET or rule is Rule.TARGET)",
                "p.retry_rule is not None",
            ),
        ),
        (f"{EXIT_TESTS}::test_a_stop_that_is_met_does_not_wait_for_the_second_try_of_a_target",),
    ),
    Defect(
        "a-refused-target-takes-the-stop-along",
        "The broker refused a target for good, and the stop of the position was given up with it.",
        (
            Edit(
                EXITS,
                "    elif _has_stop_beside(p, asked.rule):\n",
                "    elif not asked.rule and _has_stop_beside(p, asked.rule):\n",
            ),
        ),
        (f"{EXIT_TESTS}::test_a_target_that_cannot_be_sold_is_dropped_and_its_stop_goes_on",),
    ),
    Defect(
        "a-late-fill-is-sold-twice",
        "A late fill was sold by a part of the exit, and beside it by the stop that had been put up again.",
        (
            Edit(
                RULE,
                "    return last is not None and last.state is ExitState.LIVE and not is_followed\n",
                "    return False\n",
            ),
        ),
        (f"{EXIT_TESTS}::test_a_fill_that_shows_after_the_exit_is_over_is_protected_again",),
    ),
    Defect(
        "a-protection-is-over-with-its-exit",
        "What the broker showed late, after the stop had sold all that was held, was held without a stop.",
        (
            Edit(
                RULE,
                "(replace(p, is_watched=False) if _is_settled(p, covered, now) else p), ()",
                "replace(p, is_watched=False), ()",
            ),
        ),
        (f"{EXIT_TESTS}::test_a_fill_that_shows_after_the_exit_is_over_is_protected_again",),
    ),
    Defect(
        "a-cancelled-exit-comes-back",
        "A person cancelled the exit of a stop, and the program sent it again.",
        (
            Edit(
                EXITS, "        if found.state is ExitState.WITHDRAWN:\n", "        if found.state is None:\n"
            ),
        ),
        (f"{EXIT_TESTS}::test_an_exit_that_was_cancelled_is_not_asked_for_again",),
    ),
)
