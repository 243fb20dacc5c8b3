"""Mistakes about reads of the positions that are older or newer than what an exit knows."""

from tests.defects.defect import Defect, Edit

EXIT_VIEW = "domain/exit_view.py"
EXITS = "domain/exit_sizing.py"

EXIT_READS = (
    Defect(
        "a-market-exit-behind-its-book-is-counted-twice",
        "The order book was half a minute behind the positions: an exit was sent short by what another one at market "
        "had filled, which the read showed already.",
        (Edit(EXIT_VIEW, "other.order_type is OrderType.MARKET or other.phase in _OUTCOME_UNKNOWN",
              "other.phase in _OUTCOME_UNKNOWN"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_a_difference_that_anothers_market_exit_may_have_made_settles_when_the_order_book_shows_it",),
    ),
    Defect(
        "what-wrong-reads-told-outlasts-the-dispute",
        "Empty reads had told of 50 missing, another exit was filled right after them: an exit was sent short while "
        "the reads were right again for half a minute.",
        (Edit(EXIT_VIEW, "    unsettled = more + _sum(", "    unsettled = _sum("),),
        ("tests/domain/test_exit_sizing.py"
         "::test_what_is_missing_by_a_read_of_about_a_fill_settles_when_reads_show_that_fill",),
    ),
    Defect(
        "what-has-just-left-is-still-there",
        "A read of before another strategy's fill showed units that had gone, those of a third one were in another "
        "product, and both exits together turned the position of this product round.",
        (Edit(EXIT_VIEW, "    if _shows(facts.last_fill_at, snapshot) or (is_whole and not missing):\n",
              "    if facts:\n"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_what_a_read_of_before_a_fill_has_too_many_is_not_taken_for_what_is_left",),
    ),
    Defect(
        "what-an-entry-may-have-filled-explains-a-surplus",
        "A read of before another exit's fill had the units that had left, an entry that was filling passed for them, "
        "and what a hand had sold stayed hidden: 50 were sold of 30.",
        (Edit(EXIT_VIEW, "    explained = max(facts.disputed * sign, ZERO)\n",
              "    explained = max(facts.disputed * sign, ZERO)\n"
              "    explained += _sum(o for o in facts.orders if o.execution_type is ExecutionType.ENTRY)\n"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_what_an_entry_may_have_filled_does_not_hide_what_is_missing",),
    ),
    Defect(
        "what-the-book-shows-later-counts-twice",
        "A hand's order showed in the book a tenth of a second after the positions had shown its units: it was in the "
        "difference that was believed, counted by itself besides, and exits waited for an hour.",
        (Edit("persistence/sqlite/differences.py", "    shown_by = max(since, now - _SHOWS_WITHIN)\n",
              "    shown_by = since\n"),),
        ("tests/persistence/test_store_contract.py"
         "::TestSqliteStore::test_an_order_that_the_book_showed_just_after_the_positions_is_in_what_stood",),
    ),
    Defect(
        "what-is-missing-is-only-the-others",
        "A read of about another exit's fill lacked units by nothing that was known, and had enough for this exit all "
        "the same: 75 were bought of 55.",
        (Edit(EXIT_VIEW, "    is_odd = surplus > explained or -surplus > missing + under_way\n",
              "    is_odd = surplus > explained\n"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_a_read_of_about_a_fill_that_lacks_units_of_others_may_lack_ours_too",),
    ),
    Defect(
        "a-hedge-and-an-empty-read-are-flat",
        "A hand had shares of the same name in another product, and the one read that sized an exit was empty: the "
        "exit was ended as flat, and the strategy held on.",
        (Edit(EXIT_VIEW, "    return unclosed > 0 or bool(facts.believed and surplus)\n",
              "    return bool(facts.believed and surplus)\n"),),
        ("tests/domain/test_exit_sizing.py::test_a_hedge_of_a_hand_closes_nothing_by_an_empty_read",
         "tests/engine/test_hands_of_earlier_days.py"
         "::test_one_empty_read_ends_no_exit_beside_a_hedge_of_a_hand"),
    ),
    Defect(
        "orders-by-hand-explain-for-ever",
        "Delivered shares that a hand had sold days ago held each exit of the same stock for its whole life.",
        (Edit("persistence/sqlite/daily_loss.py",
              "before.day != day and day_starts is not None", "before.day is None"),),
        ("tests/engine/test_hands_of_earlier_days.py"
         "::test_delivered_shares_that_a_hand_sold_days_ago_hold_no_exit",),
    ),
    Defect(
        "what-stood-for-minutes-has-no-past",
        "A hand had sold 7 and bought them back beside a position that was missing; what it bought counted on "
        "after the difference was believed, and the exits of the strategy waited all their lives.",
        (Edit("persistence/sqlite/differences.py",
              "        change -= _explain_shown(connection, (client_id, *place), shown_by)\n", ""),),
        ("tests/persistence/test_store_contract.py::TestSqliteStore"
         "::test_a_difference_that_stood_has_all_that_hands_had_done_before",),
    ),
    Defect(
        "a-seeming-refusal-is-no-exit",
        "An exit was taken though its answer said that it was turned away; what its entry filled until the book showed "
        "that exit stayed: 40 of 50.",
        (Edit("engine/exit_follower.py",
              "exit_.status is not Status.CREATED or exit_.look_first", "exit_.status is not Status.CREATED"),),
        ("tests/engine/test_turned_away.py"
         "::test_what_an_entry_filled_while_its_exit_seemed_turned_away_leaves_as_a_part",),
    ),
    Defect(
        "a-target-outlives-its-position",
        "A hand closed a position, its target rested on; it was filled hours later, and the account was short.",
        (Edit("engine/stranded_exits.py", "if asked > there and ", "if asked < there and "),),
        ("tests/engine/test_stranded_exits.py"
         "::test_a_target_does_not_outlive_the_position_that_a_hand_has_closed",),
    ),
    Defect(
        "a-wrong-read-takes-a-stop",
        "Positions were empty for a minute and a half, and the resting stop of a position was cancelled.",
        (Edit("engine/position_reconciliation.py",
              "if s.read_at - s.since >= self._believed_after}", "if s.read_at >= s.since}"),),
        ("tests/engine/test_stranded_exits.py"
         "::test_no_read_that_hides_the_position_takes_a_stop_from_it",),
    ),
    Defect(
        "a-read-that-agrees-is-right",
        "A hand had sold 25 of 100 and an exit 25: a read of before showed the 75 of our own fills, and they were sent "
        "where 50 were left.",
        (Edit(EXIT_VIEW, "ZERO if shows_closing else max(-facts.disputed * sign, ZERO)", "ZERO"),),
        ("tests/engine/test_orders_by_hand.py::test_a_late_read_that_has_just_what_our_fills_say_is_not_believed",),
    ),
    Defect(
        "another-exits-fill-makes-a-read-right",
        "A hand had sold 20 of 50, another exit sold 20: a read of before that had the 30 of our own fills, and they "
        "were sent where 10 were left.",
        (
            Edit(
                "engine/exit_sizer.py",
                "        if isinstance(answer, ExitSize) and not contradicted:\n",
                "        if answer is None:\n",
            ),
        ),
        (
            "tests/engine/test_orders_by_hand.py"
            "::test_a_read_that_contradicted_our_fills_is_not_right_because_another_exit_was_filled",
        ),
    ),
    Defect(
        "a-contradicted-read-is-one-watchers",
        "Which read had contradicted our fills was known to one watcher alone: the next one believed a read of before.",
        (
            Edit(
                "engine/exit_sizer.py",
                "answer.reason.sentence, at=now, actor=actor, **contradicted)",
                "answer.reason.sentence, at=now, actor=actor)",
            ),
        ),
        (
            "tests/engine/test_contradicted_reads.py"
            "::test_a_read_that_contradicted_our_fills_is_remembered_by_the_next_watcher",
        ),
    ),
    Defect(
        "a-late-read-that-agrees-is-right",
        "Reads were seconds late. One of after a hand's sale of 10 and of before our own of 10 had what our fills say, "
        "and 65 were sent of 55.",
        (Edit("domain/contradicted_reads.py", "if not seen.is_late and _position", "if _position"),),
        (
            "tests/engine/test_contradicted_reads.py"
            "::test_where_reads_are_late_one_that_agrees_is_believed_once_it_must_show_our_last_fill",
        ),
    ),
    Defect(
        "what-is-missing-is-back-at-once",
        "Two late reads in a row ended a difference by the size of our last fill, and the exit sent too much.",
        (
            Edit(
                "engine/position_reconciliation.py",
                "        if told is None or told.amount * told.held >= 0:\n",
                "        if told is None or told.amount:\n",
            ),
        ),
        ("tests/engine/test_orders_by_hand.py::test_a_late_read_that_has_just_what_our_fills_say_is_not_believed",),
    ),
    Defect(
        "a-read-of-before-shows-every-hand",
        "A read of before another strategy's exit had more than our fills say, and a hand's sale in it: the exit "
        "sold what was not there any more.",
        (Edit(EXITS, "    if ours != read or (ours and view.is_behind):\n", "    if ours != read:\n"),),
        ("tests/domain/test_exit_sizing.py::test_a_read_of_before_a_fill_does_not_show_what_a_hand_has_sold",),
    ),
    Defect(
        "a-read-from-before-an-exit-serves-the-next",
        "A hand's sale was as large as the exit's fill, and the next exit took the read from before both for the rest.",
        (
            Edit(
                EXIT_VIEW,
                "    began_before = closed_at is not None and snapshot.read_started_at <= closed_at\n",
                "    began_before = False\n",
            ),
        ),
        ("tests/domain/test_exit_sizing.py::test_a_read_that_began_before_an_exits_fill_sizes_no_other_exit",),
    ),
    Defect(
        "savings-sold-by-hand-are-ours",
        "Delivered shares of earlier days were sold by hand; an exit of the same stock in MIS waited all its "
        "life.",
        (Edit(EXIT_VIEW, "    ours += _sold_of_earlier_days(order, snapshot, facts)\n", ""),),
        ("tests/engine/test_orders_by_hand.py"
         "::test_shares_of_earlier_days_that_a_hand_sells_were_in_no_sum_of_ours",),
    ),
)  # fmt: skip
