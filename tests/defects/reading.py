"""Mistakes in believing what a broker shows: texts, rows that cannot be read or be true, shares kept elsewhere."""

from tests.defects.defect import Defect, Edit

ERRORS, ROWS, REPORTS = "broker/noren/errors.py", "broker/noren/parsing.py", "domain/broker_reports.py"
RECONCILE, SUBMITTER = "domain/reconciliation.py", "engine/submitter.py"
OUTCOMES = "tests/broker/noren/test_outcomes.py"
BAD_ROWS = "tests/engine/test_unreadable_rows.py"
HELD = "tests/broker/noren/test_holdings.py"
DAY = "tests/engine/test_day_orders.py"

READING = (
    Defect(
        "words-of-a-rate-prove-unsent",
        "A refusal with `corporate limit` in it was read as a rate limit: never sent, and so sent again and again.",
        (
            Edit(
                ERRORS, "any(rate.fullmatch(said) for rate in _RATES)", 'bool(re.search("rate.?limit", said))'
            ),
        ),
        (f"{OUTCOMES}::test_a_refusal_that_only_contains_words_of_a_rate_is_a_refusal",),
    ),
    Defect(
        "bare-429-proves-unsent",
        "A 429 from something in front of the broker counted as not sent; the order behind it was live.",
        (Edit(ERRORS, 'raise OutcomeUnknown("HTTP 429', 'raise NotSent("HTTP 429'),),
        (f"{OUTCOMES}::test_a_429_or_words_of_a_rate_prove_nothing_that_the_broker_does_not_say",),
    ),
    Defect(
        "last-row-of-an-order-wins",
        "Of two rows of one order the one that came last was believed: a stale one hid a fill.",
        (Edit(REPORTS, "known is None or says_more(report) > says_more(known)", "True"),),
        (f"{BAD_ROWS}::test_the_stale_one_of_two_rows_does_not_win_because_it_comes_last",),
    ),
    Defect(
        "complete-and-unfilled-is-working",
        "COMPLETE without a filled quantity stayed a live order with nothing filled, and nobody was told.",
        (Edit(RECONCILE, "    return None if said is None else said.text\n", "    return None\n"),),
        (f"{BAD_ROWS}::test_a_contradiction_decides_nothing_and_is_told_after_15_seconds",),
    ),
    Defect(
        "rows-in-doubt-are-not-looked-into",
        "A row that contradicted itself was taken as it stood, though the order's history knew better.",
        (
            Edit(
                "broker/day_book.py",
                "self._settling.settled(reports) if settle else tuple(reports)",
                "tuple(reports)",
            ),
        ),
        (
            "tests/broker/noren/test_contradictions.py::test_complete_without_a_fill_is_settled_by_the_history",
        ),
    ),
    Defect(
        "one-bad-row-stops-everything",
        "Another symbol's position had no quantity: no exit of any symbol was sent for as long as that lasted.",
        (
            Edit(
                "engine/exit_sizer.py",
                "        if hidden is not None:  # whatever",
                "        if snapshot.unreadable:  # whatever",
            ),
            Edit("engine/exit_sizer.py", "could not be read: {hidden.text}", "could not be read: {hidden}"),
        ),
        (f"{BAD_ROWS}::test_an_exit_of_another_symbol_goes_on",),
    ),
    Defect(
        "unreadable-is-flat",
        "An exit of a symbol whose row could not be read was ended: nothing to exit.",
        (
            Edit(
                "engine/exit_sizer.py",
                "        if hidden is not None:  # whatever",
                "        if False and hidden:  # whatever",
            ),
        ),
        (f"{BAD_ROWS}::test_an_exit_of_that_symbol_waits_and_goes_when_the_row_can_be_read",),
    ),
    Defect(
        "unreadable-symbol-is-entered",
        "An entry was sent into a symbol of which nobody knew what was held.",
        (Edit("blockers/execution_guard.py", "if facts.unreadable_row is not None:", "if False:"),),
        (f"{BAD_ROWS}::test_entries_stop_in_that_symbol_alone",),
    ),
    Defect(
        "unreadable-order-is-absent",
        "The row of an order could not be read; it was called absent while it was live.",
        (
            Edit(
                REPORTS,
                "return next((row for row in self.unreadable if _may_be",
                "return next((row for row in () if _may_be",
            ),
        ),
        (f"{BAD_ROWS}::test_absence_is_not_proven_where_an_unreadable_row_may_be_the_order",),
    ),
    Defect(
        "day-order-of-yesterday-is-unknown",
        "Each morning the unfilled orders of the day before were unknown, and a person had to resolve every one.",
        (Edit(RECONCILE, "    if traits.day_orders and ", "    if False and "),),
        (f"{DAY}::test_an_unfilled_one_has_expired",),
    ),
    Defect(
        "any-order-ends-with-the-day",
        "An order that was gone from its own day's book was called expired; it had been filled.",
        (
            Edit(
                RECONCILE,
                "    if traits.day_orders and _is_of_a_day_before(order, book):",
                "    if traits.day_orders:",
            ),
        ),
        (f"{DAY}::test_one_that_is_gone_from_its_own_days_book_is_unknown",),
    ),
    Defect(
        "delivered-is-flat",
        "Shares that had been delivered overnight were no position: the exit said flat, and the entry was repeated.",
        (
            Edit(
                "broker/delivered_shares.py",
                "together, hidden = merged(positions, self._holdings.read(urgent=urgent))",
                "together, hidden = positions, ()",
            ),
        ),
        (f"{HELD}::test_what_was_delivered_and_todays_trades_are_one_position",),
    ),
    Defect(
        "unread-holdings-are-none",
        "The Holdings could not be read, and so there were none.",
        (
            Edit(
                "broker/delivered_shares.py",
                'return Delivered({}, [unknown_delivery(None, f"the Holdings could not be read: {error}")])',
                "return Delivered({}, [])",
            ),
        ),
        (f"{HELD}::test_holdings_that_cannot_be_read_make_delivery_unknown_not_flat",),
    ),
    Defect(
        "sale-of-holdings-is-a-short",
        "A sale out of Holdings shows as minus ten for delivery; the exit bought ten.",
        (Edit("broker/delivered_shares.py", "p.product != DELIVERY or p.net_quantity >= 0", "True"),),
        (f"{HELD}::test_a_sale_out_of_holdings_is_no_short",),
    ),
    Defect(
        "case-of-a-symbol-makes-it-flat",
        "The broker writes a symbol in mixed case; compared letter by letter nothing was held in it.",
        (
            Edit(
                ROWS,
                'symbol=needed(row, "tsym").upper(),\n        product=',
                'symbol=needed(row, "tsym"),\n        product=',
            ),
            Edit(REPORTS, "return exchange.casefold(), symbol.casefold()", "return exchange, symbol"),
        ),
        (
            "tests/broker/noren/test_reading.py::"
            "test_symbols_are_compared_in_capitals_and_sent_as_the_broker_writes_them",
        ),
    ),
    Defect(
        "flatten-sells-savings",
        "Everything was to be closed, and the shares of years went with the day's positions.",
        (Edit("domain/flatten.py", "p.delivered if symbol is None else ZERO", "ZERO"),),
        ("tests/cli/test_operator_commands.py::test_flatten_leaves_delivered_shares_that_nobody_here_holds",),
    ),
    Defect(
        "odd-price-hides-a-fill",
        "A filled order whose average price was written with a comma counted as not filled, and its exit waited.",
        (
            Edit(
                "broker/fields.py",
                "    except ValueError:\n        return None, f",
                "    except LookupError:\n        return None, f",
            ),
        ),
        ("tests/broker/noren/test_reading.py::test_a_fill_counts_where_its_price_cannot_be_read",),
    ),
)
