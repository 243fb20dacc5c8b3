"""Mistakes at Alpaca: what an id that is in use, a page, a status and a position were taken for."""

from tests.defects.defect import Defect, Edit

ADAPTER, ERRORS = "broker/alpaca/adapter.py", "broker/alpaca/errors.py"
PARSING, PAGES, SETTINGS = (
    "broker/alpaca/parsing.py",
    "broker/alpaca/order_pages.py",
    "broker/alpaca/settings.py",
)
OUTCOMES, READING = "tests/broker/alpaca/test_outcomes.py", "tests/broker/alpaca/test_reading.py"
ENGINE, SANDBOX = "tests/broker/alpaca/test_with_the_engine.py", "tests/config/test_sandbox.py"
ANOTHER = f"{OUTCOMES}::test_another_order_under_our_id_is_never_taken_for_ours"
WHOLE = f"{READING}::test_every_order_is_in_the_book_once_however_many_pages_it_has"

ALPACA = (
    Defect(
        "id-in-use-is-success",
        "“client_order_id must be unique” counted as success: the order of another program was followed as ours.",
        (
            Edit(
                ADAPTER,
                "        if not differs:\n            return OrderResult",
                "        if row:\n            return OrderResult",
            ),
        ),
        (ANOTHER, f"{ENGINE}::test_another_order_under_our_id_is_refused_loudly_and_never_counted"),
    ),
    Defect(
        "id-in-use-is-a-refusal",
        "An order whose answer was lost was sent again and refused for its id: it counted as refused and was live.",
        (Edit(ERRORS, "        raise IdInUse(reply.error, ID_IN_USE)\n", "        pass\n"),),
        (f"{OUTCOMES}::test_the_same_order_under_our_id_is_adopted_whatever_became_of_it",),
    ),
    Defect(
        "id-in-use-without-its-order-is-a-refusal",
        "The order under the id could not be read, and was taken for one that does not exist.",
        (
            Edit(
                ADAPTER,
                'raise OutcomeUnknown(f"{refusal.message}; the order',
                'raise Refused(f"{refusal.message}; the order',
            ),
        ),
        (f"{OUTCOMES}::test_an_id_in_use_of_which_nothing_can_be_read_leaves_the_outcome_unknown",),
    ),
    Defect(
        "resend-with-a-new-id",
        "Each attempt made an id of its own, and the one whose answer was lost was at the broker twice.",
        (
            Edit(
                "broker/alpaca/requests.py",
                '        "client_order_id": command.client_order_id,\n',
                '        "client_order_id": f"{command.client_order_id}-{__import__(\'secrets\').token_hex(4)}",\n',
            ),
        ),
        (f"{ENGINE}::test_an_order_that_the_book_shows_too_late_is_adopted_under_its_own_id",),
    ),
    Defect(
        "order-of-another-under-our-tag",
        "The order of another program that has our id was refused, and then found in the book by its tag and counted.",
        (
            Edit(
                ADAPTER,
                "if each.broker_order_id in self._not_ours\n",
                "if each.broker_order_id == ''\n",
            ),
        ),
        (ANOTHER,),
    ),
    Defect(
        "lost-refusal-of-a-used-id",
        "The answer that the id is in use was lost, and the other order was found in the book by the tag and followed.",
        (Edit(ADAPTER, "            if tag in meant:\n", "            if tag in meant and not row:\n"),),
        (f"{OUTCOMES}::test_another_order_under_our_id_is_not_found_by_it_where_the_answer_was_lost",),
    ),
    Defect(
        "rate-limit-proves-that-nothing-was-sent",
        "After a 429 the order went again without a look: the first one had been taken.",
        (
            Edit(
                ERRORS,
                "raise NotSent(reply.error, RATE_LIMIT, look_first=True)",
                "raise NotSent(reply.error, RATE_LIMIT)",
            ),
        ),
        (f"{OUTCOMES}::test_too_many_calls_stop_entries_for_a_minute_and_no_exits",),
    ),
    Defect(
        "list-of-open-orders-is-the-book",
        "The list has open orders alone unless it is asked for all: what was filled seemed never to have come.",
        (Edit(PAGES, '"status": "all"', '"status": "open"'),),
        (WHOLE,),
    ),
    Defect(
        "first-page-is-the-book",
        "With more than 500 orders in the day, the older ones were not there, and live ones were proven absent.",
        (Edit(PAGES, "if len(rows) < PAGE:", "if rows is not None:"),),
        (WHOLE,),
    ),
    Defect(
        "page-ends-between-orders-of-one-time",
        "Orders of a basket have one time; where a page ended among them, the rest of them was in no page.",
        (Edit(PAGES, "until = last + timedelta(microseconds=2)", "until = last"),),
        (WHOLE,),
    ),
    Defect(
        "replaced-is-cancelled",
        "A person changed the limit in the app: the order counted as cancelled, and its fill was nobody's.",
        (
            Edit(
                PARSING,
                '    "canceled": BrokerStatus.CANCELLED,\n',
                '    "canceled": BrokerStatus.CANCELLED,\n    "replaced": BrokerStatus.CANCELLED,\n',
            ),
        ),
        (f"{READING}::test_a_status_that_is_not_known_is_no_end",),
    ),
    Defect(
        "replaced-order-counts-twice",
        "The order that went on for a replaced one was an order of its own too, and its units were held twice.",
        (Edit(PARSING, "if each.broker_order_id not in merged", "if each.broker_order_id"),),
        (f"{READING}::test_a_replaced_order_is_followed_under_its_first_number",),
    ),
    Defect(
        "short-without-its-sign",
        "A short position counted as a long one, and its exit sold more.",
        (
            Edit(
                PARSING,
                'net_quantity=abs(quantity) if side == "long" else -abs(quantity)',
                "net_quantity=abs(quantity)",
            ),
        ),
        (f"{READING}::test_a_position_has_its_side",),
    ),
    Defect(
        "closed-positions-have-no-result",
        "What was closed is no longer listed: the day's losses were missing, and the limit on them was never hit.",
        (Edit(PARSING, "        if not rest:\n", "        if rest is not None:\n"),),
        (f"{READING}::test_the_days_result_is_the_accounts_and_what_was_closed_is_flat",),
    ),
    Defect(
        "paper-trading-at-the-real-host",
        "The settings said paper trading and named the real host: nobody had confirmed that orders may cost money.",
        (Edit(SETTINGS, "is_paper is not self.sandbox", "is_paper and not self.sandbox"),),
        (f"{SANDBOX}::test_an_address_that_contradicts_it_stops_the_start",),
    ),
    Defect(
        "sandbox-and-account-are-one",
        "After weeks of paper trading the keys were exchanged, and what was held on paper was sold for money.",
        (
            Edit(
                SETTINGS,
                'return f"{number} (sandbox)" if number is not None and self.sandbox else number',
                "return number",
            ),
        ),
        (f"{SANDBOX}::test_orders_in_a_sandbox_need_no_live_trading_and_its_rows_are_another_accounts",),
    ),
)
