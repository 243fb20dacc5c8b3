"""Mistakes about what a row of the broker's book has lost, and what a hand has changed in it."""

from tests.defects.defect import Defect, Edit

LOST = "tests/engine/test_lost_tags.py"
ROWS = "tests/broker/noren/test_contradictions.py"

LOST_PARTS = (
    Defect(
        "a-row-without-our-tag-is-not-ours",
        "The answer of an order was lost, and its row had lost our tag: it was called absent while it was filled, and "
        "the next exit sold another strategy's units.",
        (
            Edit(
                "engine/reconciler.py",
                "if verdict.phase is Phase.ABSENT and (others :=",
                "if verdict.phase is None and (others :=",
            ),
        ),
        (f"{LOST}::test_an_order_whose_row_has_lost_its_tag_is_never_called_absent",),
    ),
    Defect(
        "smaller-and-filled-is-all",
        "A hand made an exit of 50 smaller: its 20 were filled, it counted as executed, and nobody was told of the 30 "
        "that were held. A hedge that was made smaller let all of its sold leg go.",
        (
            Edit(
                "domain/reconciliation.py",
                "            return Phase.CANCELLED, broker_tag(Family.BROKER_CANCELLED)\n        if order.phase",
                "            return Phase.FILLED, None\n        if order.phase",
            ),
        ),
        (f"{LOST}::test_an_exit_that_a_hand_has_made_smaller_has_not_exited_all",),
    ),
    Defect(
        "a-cancel-that-names-no-fill-filled-nothing",
        "A cancelled row had a cancelqty of 30 of 50 and no fillshares: 0 was recorded as filled, and the next exit "
        "sold 20 too many.",
        (Edit("broker/noren/parsing.py", "and cancelled < quantity:", "and cancelled < ZERO:"),),
        (f"{ROWS}::test_what_a_cancelled_order_was_filled_by_is_settled_by_the_trades",),
    ),
    Defect(
        "a-trade-shows-at-once",
        "Neither the row of a cancelled order nor the trades said yet what was filled: 0 was believed at once.",
        (
            Edit(
                "broker/contradictory_rows.py",
                "if not is_right or (not filled and not self._stands(rows)):",
                "if not is_right:",
            ),
        ),
        (f"{ROWS}::test_where_nothing_says_what_was_filled_no_trade_has_to_show_for_a_while",),
    ),
    Defect(
        "a-set-clock-proves-that-no-trade-came",
        "The machine's clock was set forward between two looks: a cancelled order without figures was unfilled.",
        (Edit("broker/contradictory_rows.py", "looks + 1 >= _LOOKS and has_elapsed(", "has_elapsed("),),
        (f"{ROWS}::test_a_clock_that_is_set_forward_is_no_proof_that_no_trade_came",),
    ),
    Defect(
        "numbers-of-another-form-are-never-missed",
        "The book said `no data` though it had shown rows, whose numbers did not begin with their day: that proved an "
        "order absent.",
        (Edit("broker/known_order_numbers.py", " or n in of_today)", ")"),),
        (
            "tests/broker/noren/test_reading.py::test_a_book_that_lacks_what_it_had_is_not_complete_whatever_its_numbers",
        ),
    ),
    Defect(
        "bought-yesterday-and-booked-nowhere-is-sold",
        "Shares that were bought had left the positions in the night and were not in the Holdings yet: they were "
        "forgotten, their exit found nothing, and a second entry went.",
        (
            Edit(
                "broker/delivered_shares.py",
                "        if lacking:\n",
                "        if lacking and not started:\n",
            ),
        ),
        (
            "tests/broker/noren/test_holdings.py"
            "::test_shares_that_a_broker_shows_nowhere_in_the_night_are_unknown_until_it_does",
        ),
    ),
    Defect(
        "fresh-holdings-are-those-of-before",
        "The row of what was bought yesterday had gone, and Holdings of two minutes before stood in for today's.",
        (
            Edit("broker/delivered_shares.py", "if lacking and (anew :=", "if started is None and (anew :="),
            Edit(
                "broker/delivered_shares.py",
                "        if lacking:\n",
                "        if lacking and not started:\n",
            ),
        ),
        (
            "tests/broker/noren/test_holdings.py"
            "::test_what_was_bought_is_looked_for_in_the_holdings_as_soon_as_its_row_has_gone",
        ),
    ),
    Defect(
        "positions-that-are-empty-are-flat",
        "The position book said `no data` for minutes at noon: the holding was forgotten, its stop was over, and a "
        "second entry went.",
        (
            Edit(
                "broker/delivered_shares.py",
                "elif self._had_rows_on == today and",
                "elif not today and",
            ),
        ),
        (
            "tests/broker/noren/test_holdings.py::test_positions_that_had_rows_today_are_not_empty_by_day_for_minutes",
        ),
    ),
)
