"""Mistakes between orders: an entry and the exit before it, the legs of one alert, units that are not ours."""

from tests.defects.defect import Defect, Edit

REVERSE = "tests/engine/test_stop_and_reverse.py"
GROUPS = "tests/engine/test_leg_groups.py"
LATE = "tests/engine/test_late_evidence.py"
EXIT_VIEW = "domain/exit_view.py"
PIPELINE, SEQUENCE, LEGS = "blockers/pipeline.py", "blockers/sequence.py", "blockers/groups.py"
SUBMITTER, TRANSACTION, EXITS = (
    "engine/submitter.py",
    "persistence/sqlite/transaction.py",
    "domain/exit_sizing.py",
)

TOGETHER = (
    Defect(
        "reversal-is-a-duplicate",
        "Stop and reverse: the entry met the position that its exit had not closed yet, was called a duplicate, and "
        "the account was flat instead of turned.",
        (
            Edit(
                PIPELINE,
                "    answer = exit_first(order, facts, policy.strategy(order.strategy_name).settling)\n",
                "    answer = exit_first(order, facts, policy.strategy(order.strategy_name).settling) and None\n",
            ),
        ),
        (
            f"{REVERSE}::test_the_entry_that_follows_its_exit_turns_the_position",
            f"{REVERSE}::test_the_entry_that_comes_before_its_exit_waits_for_it",
        ),
    ),
    Defect(
        "entry-waits-for-every-target",
        "One more entry of the same side waited for a target that rests until its life was over.",
        (
            Edit(
                SEQUENCE,
                "    if facts.exit_ahead or (turns and facts.exit_open):\n",
                "    if facts.exit_open:\n",
            ),
        ),
        (f"{REVERSE}::test_an_entry_of_the_same_side_does_not_wait_for_a_target_that_rests",),
    ),
    Defect(
        "reversal-before-its-exit-is-sent",
        "The entry came before its exit and went out at once: the exit's units met it as a target meets a stop.",
        (
            Edit(
                SEQUENCE,
                "    turns = facts.turns_own_entry or facts.own_net * order.side.sign < 0\n",
                "    turns = facts.turns_own_entry\n",
            ),
        ),
        (
            f"{REVERSE}::test_more_entries_than_one_allow_no_entry_against_the_holding",
            f"{REVERSE}::test_the_entry_that_comes_before_its_exit_waits_for_it",
        ),
    ),
    Defect(
        "closed-by-hand-is-still-held",
        "A hand had sold a part of what the strategy held, its exit sold the rest: the entry behind it was a duplicate "
        "of a position that was flat, until a read showed that.",
        (Edit(SEQUENCE, "    if facts.closed_by_hand:\n", "    if facts.closed_by_hand and facts.exit_open:\n"),),
        (f"{REVERSE}::test_an_entry_goes_after_an_exit_of_which_somebody_has_sent_a_part_by_hand[BUY-20]",),
    ),
    Defect(
        "nobody-wakes-what-waits",
        "The exit had ended, and the entry behind it went on waiting.",
        (
            Edit(
                TRANSACTION,
                "        for row in waiting_entries.waiting_for(self._connection, after):\n",
                "        for row in ():\n",
            ),
        ),
        (f"{REVERSE}::test_entering_again_waits_for_the_exit_too",),
    ),
    Defect(
        "too-old-instead-of-not-flat",
        "An entry whose exit did not end was called too old: nobody looked at the exit.",
        (Edit(SUBMITTER, "            if order.waits_for is None:\n", "            if order.waits_for != 0:\n"),),
        (f"{REVERSE}::test_an_exit_that_does_not_end_leaves_the_entry_unsent_and_its_alert_may_be_repeated",),
    ),
    Defect(
        "an-entry-that-never-began-is-a-repeat",
        "Nothing had been sent, what had stopped it was over, and the repeat was dropped as seen already.",
        (Edit("use_cases/repeated_alerts.py", "    return unsent and ", "    return False and "),),
        (f"{REVERSE}::test_content_of_an_entry_that_was_stopped_for_the_moment_may_come_again",),
    ),
    Defect(
        "a-limit-passes-by-itself",
        "An alert that a limit had stopped was taken anew with each repeat, until the limit let it through.",
        (
            Edit("use_cases/repeated_alerts.py", " and tags <= _PASSING | {_FOLLOWS}", ""),
            Edit("use_cases/repeated_alerts.py", "bool(tags & _PASSING)", "bool(tags)"),
        ),
        (f"{REVERSE}::test_content_of_an_entry_that_a_limit_stopped_is_a_duplicate",),
    ),
    Defect(
        "a-limit-cuts-a-spread",
        "The sold leg went out, its hedge met a limit, and the account was short without it.",
        (
            Edit(
                "use_cases/register_alert.py",
                "            and policy.strategy(alert.strategy_name).is_grouped\n",
                "            and not policy.strategy(alert.strategy_name).is_grouped\n",
            ),
        ),
        (f"{GROUPS}::test_where_one_leg_is_blocked_all_are_and_name_it",),
    ),
    Defect(
        "sold-before-its-hedge",
        "Both legs went out at once; the bought one was rejected, and the sold one was naked.",
        (Edit(LEGS, "    return side is Side.SELL and Side.BUY in sides\n", "    return False\n"),),
        (f"{GROUPS}::test_a_sold_leg_waits_until_the_bought_ones_are_filled",),
    ),
    Defect(
        "hedge-failed-and-sold-all-the-same",
        "The bought leg had failed, and the sold one was sent because nothing of its alert was open any more.",
        (
            Edit(
                LEGS,
                "        if leg.status is Status.FAILED and (not is_best_effort or needs(order, leg)):\n",
                "        if leg.waits_for is not None:\n",
            ),
            Edit(LEGS, "leg.status is not Status.EXECUTED for leg", "leg.status is Status.SENT_TO_BROKER for leg"),
            Edit(
                "use_cases/leg_groups.py",
                "    if after.status is not Status.FAILED or before.status is Status.FAILED:\n",
                "    if after.leg_index >= 0:\n",
            ),
        ),
        (f"{GROUPS}::test_where_a_bought_leg_fails_the_sold_one_is_not_sent_and_what_is_live_is_told",),
    ),
    Defect(
        "a-leg-blocked-late-leaves-the-others",
        "A halt came between two legs: the rest of the spread was sent without the one that it had stopped.",
        (
            Edit(
                SUBMITTER,
                "            if after.status is Status.FAILED:\n                keep_group",
                "            if after.status is Status.EXECUTED:\n                keep_group",
            ),
        ),
        (f"{GROUPS}::test_a_leg_that_is_blocked_at_its_claim_stops_those_that_were_not_sent",),
    ),
    Defect(
        "other-products-are-ours",
        "The broker squared off the day position, and the exit sold the shares of the same name that a person had held "
        "for weeks, as if ours had been converted into them.",
        (Edit(EXIT_VIEW, "max(q - apart.get(p, ZERO), ZERO)", "q"),),
        (f"{LATE}::test_an_exit_leaves_units_of_another_product_that_were_there_before",),
    ),
    Defect(
        "an-old-read-of-a-conversion",
        "Another strategy's units, just sold and still shown, passed for ours in another product and were sold again.",
        (
            Edit(EXIT_VIEW, "here | converted if shows_all else here", "here | converted"),
            # What an exit remembers of a contradicted read stops it too.
            Edit(
                "engine/exit_sizer.py",
                "        if isinstance(answer, ExitSize) and not contradicted:\n",
                "        if answer is None:\n",
            ),
        ),
        (f"{LATE}::test_an_old_read_of_what_another_strategy_sold_in_another_product_is_no_conversion",),
    ),
    Defect(
        "a-young-fill-ends-the-search-for-a-conversion",
        "Another strategy's fill came just before an exit's patience ended: the position that a hand had converted was "
        "not seen, and half of it stayed.",
        (Edit("engine/exit_sizer.py", "(2 if dispute.may_settle else 1)", "1"),),
        (f"{LATE}::test_a_fill_of_others_does_not_hide_a_conversion_from_an_exit",),
    ),
    Defect(
        "anothers-unknown-exit-is-counted-twice",
        "The outcome of another strategy's exit was not known, and the positions showed its fill already: an exit was "
        "sent short by as much, seconds before that was settled.",
        (Edit(EXITS, " or 0 < ours - read <= view.unsettled", ""),),
        ("tests/engine/test_echoing_nothing.py"
         "::test_an_exit_waits_for_anothers_unknown_outcome_that_would_explain_its_dispute",),
    ),
    Defect(
        "a-late-exit-forgets-what-was-entered-since",
        "An exit that had been called absent was filled late: what its strategy had entered on the other side since "
        "then was taken out of the holdings with it.",
        (Edit("domain/holdings.py", "    if not is_entry and net and entries:\n", "    if False:\n"),),
        ("tests/domain/test_holdings.py"
         "::test_an_exit_that_fills_late_leaves_what_its_strategy_has_entered_since",),
    ),
    Defect(
        "a-round-trip-by-hand-leaves-a-ghost",
        "A hand had bought 50 and sold them again: the sale counted for ever, and an exit of 50 that a strategy held "
        "was called a contradiction for its whole life.",
        (Edit("persistence/sqlite/differences.py", "    if not change:\n", "    if change <= 0:\n"),),
        ("tests/engine/test_orders_by_hand.py::test_a_round_trip_by_hand_holds_no_exit",),
    ),
    Defect(
        "figures-before-rows-count-twice",
        "The positions showed what a hand had bought before the order book did: believed, and counted once more.",
        (
            Edit(
                TRANSACTION,
                "        more -= differences.take_believed(self._connection, client_id, r, more, unseen_at or at)\n",
                "",
            ),
        ),
        ("tests/engine/test_orders_by_hand.py::test_units_that_positions_showed_first_are_counted_once",),
    ),
    Defect(
        "a-hands-units-close-ours",
        "A hand was long by 50, a strategy went short by 50: the account was flat, and the short was forgotten.",
        (Edit("persistence/sqlite/queries/closed_by_others.sql", "since >= entered.at", "1"),),
        ("tests/engine/test_orders_by_hand.py::test_units_that_a_hand_held_before_close_nothing_of_ours",),
    ),
    Defect(
        "believed-by-age-alone",
        "Two empty reads, three minutes without any, one more: the difference had stood for minutes, and the holding "
        "was forgotten.",
        (
            Edit(
                "persistence/sqlite/repository.py",
                "            differences.stand_anew_after_a_gap(\n"
                "                connection, client_id, snapshot.read_started_at, compared_at=compared_at\n"
                "            )\n",
                "",
            ),
        ),
        (
            "tests/engine/test_empty_reads.py"
            "::test_what_a_process_saw_before_an_outage_is_no_proof_for_the_next_one",
        ),
    ),
    Defect(
        "two-reads-around-a-gap-are-consecutive",
        "One empty read before an outage and one after it: the difference had stood for minutes, and the holding was "
        "forgotten.",
        (
            Edit(
                "engine/position_reconciliation.py",
                " or read_at - seen.read_at > READS_APART_AT_MOST:",
                ":",
            ),
        ),
        ("tests/engine/test_empty_reads.py::test_a_read_on_each_side_of_an_outage_is_no_difference_that_stood",),
    ),
    Defect(
        "a-round-trip-around-an-entry-closes-it",
        "A hand bought, a strategy bought, the hand sold its own again: the strategy's units passed for closed, and a "
        "second entry went.",
        (
            Edit(
                "persistence/sqlite/queries/rule_facts.py",
                "        if units + there:\n",
                "        if units + there is None:\n",
            ),
        ),
        (
            "tests/engine/test_orders_by_hand.py"
            "::test_a_second_entry_is_a_duplicate_after_a_round_trip_around_the_first",
        ),
    ),
    Defect(
        "a-hedge-in-another-product-closes-ours",
        "A hand sold another product as a hedge: with one empty read the strategy's units were forgotten.",
        (
            Edit(
                "persistence/sqlite/queries/rule_facts.py",
                " for of, text, is_since in rows if of in (\"\", product)]",
                " for _, text, is_since in rows]",
            ),
        ),
        ("tests/engine/test_orders_by_hand.py::test_a_hedge_by_hand_in_another_product_closes_nothing_of_ours",),
    ),
    Defect(
        "an-outage-makes-an-order-by-hand-too-late",
        "The order book could not be read for a minute, positions could: what a hand traded meanwhile counted twice.",
        (
            Edit(
                "engine/reconciler.py",
                "        unseen_at = self._whole_book_at.get(context.client_id)\n",
                "        unseen_at = None\n",
            ),
        ),
        ("tests/engine/test_orders_by_hand.py::test_an_order_by_hand_while_the_book_cannot_be_read_counts_once",),
    ),
    Defect(
        "one-clients-damage-stops-a-batch",
        "What was kept of one client could not be read, and no alert of another one that came with it was taken.",
        (
            Edit(
                "use_cases/register_together.py",
                "tx.attempt(lambda: _passed(tx, [each.plan for each in batch if each.plan is not None]))",
                "_passed(tx, [each.plan for each in batch if each.plan is not None])",
            ),
        ),
        ("tests/test_register_together.py::test_what_cannot_be_read_of_one_client_stops_no_other",),
    ),
    Defect(
        "gone-before-its-order-counts-twice",
        "Positions showed that a hand had sold its own units before the order book did: the sale counted once more, "
        "against a strategy's units.",
        (Edit("persistence/sqlite/differences.py", "    if change:\n", "    if change > 0:\n"),),
        ("tests/engine/test_orders_by_hand.py::test_a_sale_by_hand_that_the_book_shows_late_counts_once",),
    ),
    Defect(
        "an-exit-that-sends-nothing-takes-the-stop",
        "An exit of the wrong side was ended, and had cancelled the stop of the position before.",
        (
            Edit(
                EXITS,
                "        return ExitHold(HoldReason.TAKING_BACK) if isinstance(answer, ExitSize) else answer\n",
                "        return ExitHold(HoldReason.TAKING_BACK)\n",
            ),
        ),
        ("tests/engine/test_protection_stays.py::test_an_exit_of_the_wrong_side_leaves_the_stop",),
    ),
    Defect(
        "a-part-for-each-try",
        "The broker turned the first part of an exit away twice: its second part was registered three times, and more "
        "was sold than was asked.",
        (Edit("engine/exit_sizer.py", "answer.rest - _registered_slices(tx, order)", "answer.rest"),),
        (
            "tests/engine/test_protection_stays.py"
            "::test_a_part_is_registered_once_however_often_the_first_one_is_tried",
        ),
    ),
    Defect(
        "a-later-exit-hides-the-one-that-closes",
        "A second exit, of the other side, came after the one that closed the position: what its entry filled later "
        "stayed.",
        (
            Edit(
                "engine/exit_follower.py",
                "(e for e in tx.full_exits_after(after) if _closes(e, after))",
                "(e for e in tx.full_exits_after(after)[:1] if _closes(e, after))",
            ),
        ),
        ("tests/engine/test_protection_stays.py::test_a_later_exit_of_the_other_side_hides_no_earlier_one[True]",),
    ),
    Defect(
        "a-dead-row-is-the-outcome",
        "An exit had been turned away, and the broker kept a rejected row of it. Sent again and taken, it was called "
        "REJECTED by that row, was repeated, and both filled: the position was turned round.",
        (Edit("domain/reconciliation.py", "    before = turned_away(order)\n", "    before = frozenset[str]()\n"),),
        ("tests/engine/test_turned_away.py::test_the_dead_row_of_a_first_send_is_not_the_outcome_of_the_second[2]",),
    ),
    Defect(
        "a-leg-goes-after-its-group",
        "One leg was refused while the call of another one lasted, which then had not left: it was sent alone.",
        (
            Edit(
                SUBMITTER,
                "(order.waits_for is not None or order.not_before is not None)",
                "order.waits_for is not None",
            ),
        ),
        ("tests/engine/test_turned_away.py"
         "::test_a_leg_whose_call_was_under_way_does_not_go_after_its_group_has_failed[how0]",),
    ),
    Defect(
        "a-turned-away-leg-in-limbo",
        "A leg that had been turned away could not be looked up: it waited for ever, untold, with its life long over.",
        (
            Edit(
                SUBMITTER,
                "        if order.execution_type is ExecutionType.EXIT or not order.is_over(now):\n",
                "        if order.look_first:\n",
            ),
        ),
        ("tests/engine/test_turned_away.py::test_a_leg_that_cannot_be_looked_up_is_told_when_its_life_is_over",),
    ),
    Defect(
        "a-leg-that-may-be-live-is-called-blocked",
        "One leg was refused; the other, of which the broker had said that it was turned away, was called blocked, and "
        "was at the broker.",
        (Edit("use_cases/leg_groups.py", "        if unsent.look_first:", "        if unsent.look_first is None:"),),
        (f"{GROUPS}::test_a_leg_that_may_have_been_taken_is_not_called_blocked_and_its_look_tells",),
    ),
    Defect(
        "units-too-many-are-believed-at-once",
        "A read of before our exit's fill was taken for units by hand, and an exit of the whole position sold them "
        "again.",
        (Edit("engine/position_reconciliation.py", "believed=is_quiet)", "believed=is_quiet is not None)"),),
        (f"{LATE}::test_repeated_exits_of_the_whole_position_never_turn_it",),
    ),
    Defect(
        "what-was-sold-is-still-there",
        "An exit of the whole position sold units by hand too, which counted as there for the next one.",
        (Edit("domain/holdings.py", "        effects.taken_elsewhere = taken - net\n", "        taken -= net\n"),),
        (f"{LATE}::test_what_an_exit_of_the_whole_position_took_by_hand_is_there_no_more",),
    ),
    Defect(
        "square-off-sold-again",
        "The broker had squared the position off, which its positions did not show yet; the strategy's exit of the "
        "same minute sold it once more.",
        (Edit(SUBMITTER, "        lags = context.broker.traits.position_horizon > 0\n", "        lags = False\n"),),
        (f"{LATE}::test_an_exit_just_after_the_brokers_square_off_sells_nothing_more",),
    ),
    Defect(
        "a-refused-exit-counts-for-nothing",
        "The front end said that it had turned the exit away and had taken it; the next exit sold the same units.",
        (Edit(EXIT_VIEW, "    if other.look_first:\n", "    if other.look_first is None:\n"),),
        ("tests/domain/test_exit_sizing.py::test_an_exit_that_was_turned_away_may_have_been_taken_all_the_same",),
    ),
    Defect(
        "a-leg-that-fails-is-its-own-affair",
        "One leg of a spread was rejected; the others stayed live, and nobody was told that they stand alone.",
        (
            Edit(
                "use_cases/leg_groups.py",
                "    if after.status is not Status.FAILED or before.status is Status.FAILED:\n",
                "    if after.leg_index >= 0:\n",
            ),
        ),
        (f"{GROUPS}::test_a_sold_leg_that_is_rejected_beside_its_hedge_is_told",),
    ),
    Defect(
        "a-part-forgets-what-its-exit-named",
        "An exit named MIS, and its entry filled 20 more: the part that was to exit them sold 20 of another product.",
        (Edit("engine/exit_follower.py", "        requested_product=exit_.requested_product,\n", ""),),
        ("tests/engine/test_protection_stays.py::test_a_part_closes_only_the_product_that_its_exit_named",),
    ),
    Defect(
        "a-person-ends-a-leg-and-the-other-goes-alone",
        "A person cancelled one leg of a spread, or said that it had failed: the other was sent alone, or lived alone "
        "without a word.",
        (
            Edit(
                "command_service.py",
                "        if policy is not None:\n            after_leg_ended(",
                "        if policy is not None and after.is_full_exit:\n            after_leg_ended(",
            ),
        ),
        (
            f"{GROUPS}::test_where_a_person_cancels_a_leg_that_was_not_sent_the_other_is_not_sent",
            f"{GROUPS}::test_where_a_person_says_that_a_leg_failed_the_rest_is_not_sent_and_what_is_live_is_told",
        ),
    ),
    Defect(
        "a-cancelled-leg-leaves-the-other-untold",
        "A person cancelled a leg that was live; the broker confirmed it, and nobody was told that the other is alone.",
        (Edit("use_cases/leg_groups.py", " and not asker.is_person", ""),),
        (
            f"{GROUPS}::test_where_a_person_cancels_a_live_leg_the_rest_is_not_sent_and_what_is_live_is_told",
        ),
    ),
    Defect(
        "an-exit-takes-one-leg-and-the-other-goes",
        "An exit took back one leg of an alert before it was sent, and the other one was sent alone.",
        (
            Edit(
                "engine/exit_follower.py",
                "    for after in ended.values():\n",
                "    for after in list(ended.values())[:0]:\n",
            ),
        ),
        (f"{GROUPS}::test_where_an_exit_takes_a_leg_back_that_was_not_sent_the_other_is_not_sent",),
    ),
    Defect(
        "half-a-conversion-makes-flat",
        "One half of a conversion by hand ended with a wild read, the other counted on, and an exit was ended as flat.",
        (Edit(EXITS, "    if view.is_doubtful:\n", "    if view.is_doubtful is None:\n"),),
        ("tests/domain/test_exit_sizing.py::test_what_is_believed_of_one_half_of_a_conversion_makes_nothing_flat",),
    ),
    Defect(
        "a-dead-row-ends-every-send",
        "An order was sent again under its id, and the second call left a dead row: the first one had been filled.",
        (
            Edit(
                "domain/reconciliation.py",
                "    return is_dead and order.broker_order_id is None and order.attempts > 1\n",
                "    return is_dead and order.broker_order_id is None and order.attempts > 99\n",
            ),
        ),
        ("tests/domain/test_reconciliation.py::test_a_dead_row_of_one_of_several_sends_waits_for_the_others",),
    ),
)  # fmt: skip
