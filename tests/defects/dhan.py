"""Mistakes at Dhan: whose number an order carries, and what its answers and rows were taken for."""

from tests.defects.defect import Defect, Edit

ERRORS, PARSING = "broker/dhan/errors.py", "broker/dhan/parsing.py"
REFUSALS = "broker/refusals.py"
IDS, ADAPTER = "broker/dhan/security_ids.py", "broker/dhan/adapter.py"
OVER_HTTP = "tests/broker/test_over_http.py"
SENDING, READING = "tests/broker/dhan/test_sending.py", "tests/broker/dhan/test_reading.py"
PROVES_NOTHING = f"{OVER_HTTP}::test_an_answer_that_proves_nothing_leaves_the_outcome_unknown"

DHAN = (
    Defect(
        "error-of-the-server-is-a-refusal",
        "`DH-908` came after the order was taken; it was booked as refused and sent again.",
        (Edit(ERRORS, '"DH-906", "DH-911"}', '"DH-906", "DH-911", "DH-908", "DH-909"}'),),
        (PROVES_NOTHING,),
    ),
    Defect(
        "http-500-of-an-order-error-is-a-refusal",
        "The server answered HTTP 500 with `DH-906` to reads and orders alike, and live orders were booked as refused.",
        (Edit(REFUSALS, "400 <= reply.status < 500\n        and", "400 <= reply.status\n        and"),),
        (PROVES_NOTHING,),
    ),
    Defect(
        "invalid-token-is-a-refusal-of-the-order",
        "An ended token comes as `DH-906` “Invalid Token”: orders counted as refused, and nobody was told.",
        (
            Edit(
                ERRORS, "reply.code in _TOKENS or _TOKEN.fullmatch(", "reply.code in _TOKENS or _TOKEN.match("
            ),
            Edit(
                ERRORS,
                're.compile(r"(invalid|expired) (access )?token|',
                're.compile(r"expired (access )?token|',
            ),
        ),
        (f"{OVER_HTTP}::test_an_order_that_was_turned_away_is_looked_for_before_it_is_sent_again",),
    ),
    Defect(
        "weeklies-of-one-name-are-one-contract",
        "Two weekly contracts have one name there, and the exit of one closed the other.",
        (
            Edit(
                PARSING,
                "            symbol = dated(symbol, expiry) if expiry is not None else str(listed)\n",
                "",
            ),
        ),
        (f"{READING}::test_contracts_of_two_weeks_are_told_apart_by_their_day",),
    ),
    Defect(
        "entry-by-the-first-of-several-numbers",
        "A name stood twice in the list, and the order was in the other instrument.",
        (Edit(IDS, "if len(found) != 1:\n            raise", "if not found:\n            raise"),),
        (f"{SENDING}::test_an_entry_without_one_row_of_a_list_of_these_days_is_refused_unsent",),
    ),
    Defect(
        "missing-list-stops-the-exit",
        "The list was not loaded that morning, and no exit was sent although the positions had the number.",
        (
            Edit(
                ADAPTER,
                "if is_exit(command):\n            security_id",
                "if command is None:\n            security_id",
            ),
        ),
        (f"{SENDING}::test_an_exit_takes_the_number_that_the_brokers_rows_show",),
    ),
    Defect(
        "number-is-read-after-the-clock-was-stopped",
        "The positions were read for the number of an exit, and it left after its last moment.",
        (Edit(ADAPTER, "urgent=is_exit(command), began=began)", "urgent=is_exit(command))"),),
        (f"{SENDING}::test_an_order_never_leaves_after_its_last_moment_whatever_was_read_for_its_number",),
    ),
    Defect(
        "look-up-that-finds-nothing-is-proof",
        "The index of our ids lagged: what it did find was left out, and a live order was proven absent.",
        (Edit(ADAPTER, "        if proven:  #", "        if proven is None:  #"),),
        (f"{READING}::test_what_the_look_up_finds_is_reported_and_the_book_that_lacks_it_is_not_complete",),
    ),
    Defect(
        "missing-fill-is-no-fill",
        "A cancelled order whose row did not say what was filled counted as unfilled, and its units were nobody's.",
        (
            Edit(
                PARSING,
                'number(row, "filledQty" if "filledQty" in row else "filled_qty")',
                'number(row, "filledQty", Decimal(0))',
            ),
        ),
        (f"{READING}::test_a_row_that_cannot_be_read_hides_its_own_order_alone",),
    ),
    Defect(
        "hour-is-not-counted",
        "The hour's 1,000 order calls went to entries, and the exits of what they had opened were turned away.",
        (
            Edit(
                "broker/rate_limit/limiter.py",
                "state.of_hour >= rate.per_hour - rate.kept_of_hour",
                "state.of_hour >= rate.per_hour",
            ),
        ),
        ("tests/broker/test_day_quota.py::test_the_hour_leaves_calls_for_exits_and_passes_minute_by_minute",),
    ),
)
