"""Mistakes at Zerodha: what its answers, books and tokens were taken for."""

from tests.defects.defect import Defect, Edit

REFUSALS = "broker/refusals.py"
PARSING, REQUESTS = "broker/zerodha/parsing.py", "broker/zerodha/requests.py"
OVER_HTTP = "tests/broker/test_over_http.py"
SENDING, READING = "tests/broker/zerodha/test_sending.py", "tests/broker/zerodha/test_reading.py"
PROVES_NOTHING = f"{OVER_HTTP}::test_an_answer_that_proves_nothing_leaves_the_outcome_unknown"

ZERODHA = (
    Defect(
        "http-400-is-always-a-refusal",
        "HTTP 400 `Order request timed out` was booked as refused and repeated: both orders were at the exchange.",
        (Edit(REFUSALS, "        and not leaves_doubt(reply.error)\n", ""),),
        (PROVES_NOTHING,),
        "https://kite.trade/forum/discussion/comment/35732",
    ),
    Defect(
        "order-exception-is-always-a-refusal",
        "An `OrderException` with HTTP 500 counted as refused, though the broker says to look into the book first.",
        (Edit(REFUSALS, "        400 <= reply.status < 500\n", "        400 <= reply.status\n"),),
        (PROVES_NOTHING,),
    ),
    Defect(
        "unknown-kind-of-error-is-a-refusal",
        "A kind of error that nobody had seen before was taken for a refusal of the order.",
        (Edit(REFUSALS, "        and reply.code in checks\n", ""),),
        (PROVES_NOTHING,),
    ),
    Defect(
        "unknown-status-is-cancelled",
        "A status with a word more was taken for the end of an order that was live.",
        (
            Edit(
                PARSING,
                'return _STATUSES.get(" ".join(word.upper().split()), BrokerStatus.UNRECOGNISED)',
                'return _STATUSES.get(" ".join(word.upper().split()), BrokerStatus.CANCELLED)',
            ),
        ),
        (f"{READING}::test_a_status_that_is_not_known_is_no_end",),
    ),
    Defect(
        "no-rows-are-an-empty-book",
        "An answer without rows was read as an empty book: no orders, no positions.",
        (
            Edit(
                "broker/book_rows.py",
                '        raise ReadFailed(f"the {what} cannot be read: expected a list of rows")\n',
                "        return []\n",
            ),
        ),
        (f"{OVER_HTTP}::test_only_a_list_says_that_a_book_is_empty",),
    ),
    Defect(
        "token-of-another-user",
        "The token of another account was pasted, and that account was traded under this client's name.",
        (
            Edit(
                "broker/access_tokens.py",
                "if user.upper() != self._user_id.upper():",
                "if not user:",
            ),
        ),
        (f"{OVER_HTTP}::test_a_token_of_another_user_is_never_used",),
    ),
    Defect(
        "market-order-without-protection",
        "Market orders went as they were, and since the retail-algo rules each exit was refused.",
        (
            Edit(
                REQUESTS,
                '        terms["market_protection"] = decimal_text(protection)\n',
                '        terms["price"] = "0"\n',
            ),
        ),
        (f"{SENDING}::test_each_type_is_sent_with_what_it_needs",),
        "https://kite.trade/forum/discussion/comment/52316",
    ),
    Defect(
        "result-since-the-purchase-is-the-days",
        "`pnl` counts from the purchase: an old loss tripped the daily limit each morning.",
        (Edit(PARSING, 'number(row, "m2m")', 'number(row, "pnl")'),),
        (f"{READING}::test_the_days_result_is_counted_from_the_last_close",),
    ),
    Defect(
        "sold-shares-are-taken-off-twice",
        "What was sold out of the Holdings today was missing in their quantity, and was subtracted once more.",
        (Edit(PARSING, '_share_in, "opening_quantity"', '_share_in, "quantity"'),),
        (f"{READING}::test_delivered_shares_are_one_position_with_todays_sales",),
    ),
    Defect(
        "book-without-what-it-showed-is-whole",
        "A book that no longer showed what it had shown in the morning was believed to be whole.",
        (
            Edit(
                "broker/day_book.py",
                "return book if expected <= shown else replace(book, complete=False)",
                "return book",
            ),
        ),
        (f"{OVER_HTTP}::test_a_book_that_lacks_what_it_showed_today_is_not_complete",),
    ),
    Defect(
        "exits-wait-for-the-next-day",
        "The day's orders were used up by entries, and the exits of what they had opened were not sent any more.",
        (
            Edit(
                "broker/rate_limit/limiter.py",
                "bool(rate.per_day) and not who.urgent and",
                "bool(rate.per_day) and",
            ),
        ),
        ("tests/broker/test_day_quota.py::test_entries_leave_calls_for_exits_and_no_exit_is_stopped",),
    ),
)
