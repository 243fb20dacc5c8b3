"""Mistakes in what a name means: contracts that were guessed, and exits that a name stopped."""

from tests.defects.defect import Defect, Edit

TRAPS, FLOW = "tests/instruments/test_traps.py", "tests/instruments/test_flow.py"
LISTS, STORE = "tests/broker/test_masters.py", "tests/persistence/test_instruments.py"
NAMES, RESOLUTION = "domain/instruments/names.py", "domain/instruments/resolution.py"
FILES = "persistence/sqlite/instruments.py"
CARE = "tests/app/test_instrument_care.py"
CONTRACT = "tests/persistence/test_store_contract.py::TestSqliteStore"
RULE, DESK = "blockers/instruments.py", "use_cases/resolve_instruments.py"

INSTRUMENTS = (
    Defect(
        "first-of-two-contracts",
        "A name that fitted two contracts was taken for the first of them.",
        (Edit(RESOLUTION, "    if len(here) > 1:\n", "    if len(here) > 1 and not readings:\n"),
         Edit(RESOLUTION, "        [found] = here\n", "        found = here[0]\n")),
        (f"{TRAPS}::test_a_name_that_fits_two_contracts_is_refused_and_both_are_listed",),
    ),
    Defect(
        "month-is-its-first-expiry",
        "A name with a month alone was resolved to that month's next weekly contract.",
        (Edit(RESOLUTION, "        found += each[-1:] if", "        found += each[:1] if"),),
        (f"{TRAPS}::test_a_month_alone_is_its_last_expiry_and_no_week",),
    ),
    Defect(
        "month-of-a-list-cut-off",
        "A list ended within the month, and the last week that it had passed for the monthly contract.",
        (Edit(RESOLUTION, "is_whole = len(each) == 1 or any(at == exchange and day > each[-1] for day, at in listed)",
              "is_whole = True"),),
        (f"{TRAPS}::test_a_month_is_not_its_last_expiry_where_the_list_may_end_too_early",),
    ),
    Defect(
        "signs-are-left-out",
        "Names were compared without their signs, and a share of another name was bought.",
        (Edit("domain/instruments/instrument.py", '_NEITHER_LETTER_NOR_DIGIT.sub("_", name.upper())',
              '_NEITHER_LETTER_NOR_DIGIT.sub("", name.upper())'),),
        (f"{TRAPS}::test_signs_are_folded_and_not_left_out",),
    ),
    Defect(
        "index-goes-to-the-broker",
        "An index was sent as if it could be traded, and a share of a similar name was bought.",
        (Edit(RESOLUTION, "        if found.kind is Kind.INDEX:\n", "        if found.kind is Kind.SPOT:\n"),),
        (f"{TRAPS}::test_an_index_cannot_be_traded_by_itself",),
    ),
    Defect(
        "continuous-future-is-guessed",
        "NIFTY1! was taken for the front contract; the chart showed the next one.",
        (Edit(RESOLUTION, "    if roll_days is None:\n        there_is",
              "    roll_days = roll_days or 0\n    if roll_days is None:\n        there_is"),),
        (f"{TRAPS}::test_a_continuous_future_needs_a_rule",),
    ),
    Defect(
        "exchange-does-not-count",
        "A name at one exchange was traded at another, where it was listed as well.",
        (Edit("domain/instruments/venues.py", "    return asked == exchange or", "    return asked != exchange or"),),
        (f"{TRAPS}::test_the_exchange_counts",),
    ),
    Defect(
        "lot-of-another-month",
        "Sizes were checked by the lot of the underlying, which had changed for later months.",
        (Edit(RULE, "quantity is None or not quantity % lot:", "quantity is None or quantity >= lot:"),),
        (f"{FLOW}::test_the_nearest_quantities_and_prices_are_told",),
    ),
    Defect(
        "unknown-name-stops-an-exit",
        "The exit of an open position was refused, because its name was not in that day's list.",
        (Edit(RULE, "    if leg.kind is not LegKind.ENTRY:\n", "    if choice is None:\n"),
         Edit(DESK, "            refusal if is_entry else None,\n", "            refusal,\n")),
        (f"{FLOW}::test_no_name_stops_an_exit_of_what_is_held_as_it_is_called",),
    ),
    Defect(
        "exit-of-the-new-contract",
        "After the roll an exit of NIFTY1! asked for the new contract, and the old one stayed open.",
        (Edit("use_cases/register_alert.py", "alert if alert.shares else at_what_is_held(tx, alert)", "alert"),
         Edit("use_cases/register_alert.py", "(tx, at_what_is_held(tx, alert), delivery)", "(tx, alert, delivery)"),
         Edit("use_cases/register_alert.py", "from use_cases.resolve_instruments import at_what_is_held\n", "")),
        (f"{FLOW}::test_an_exit_of_a_continuous_future_closes_the_contract_that_is_held",),
    ),
    Defect(
        "old-list-counts-for-ever",
        "Nobody had fetched lists for weeks, and entries went on by contracts and lots of then.",
        (Edit("domain/instruments/instrument.py", "not -1 <= (today - day).days <= OLDEST_DAYS", "day > today"),),
        (f"{FLOW}::test_entries_wait_for_a_master_that_is_not_too_old",),
    ),
    Defect(
        "renamed-contract-is-no-duplicate",
        "A repeated alert was traded twice, because that day's list called its contract differently.",
        (Edit("domain/ids.py", " if leg.instrument is None else leg.instrument.asked", ""),),
        (f"{FLOW}::test_the_same_alert_is_a_duplicate_after_its_contract_was_renamed",),
    ),
    Defect(
        "one-bad-row-ends-the-import",
        "A row at the top of the list held a token alone, and nothing after it was loaded.",
        (Edit("broker/masters/cells.py", "str(error))\n            continue\n", "str(error))\n            return\n"),),
        (f"{LISTS}::test_rows_that_hold_a_token_alone_are_told_and_stop_no_other",),
    ),
    Defect(
        "paise-are-rupees",
        "A tick in paise was read as rupees, and good prices were refused.",
        (Edit("broker/masters/noren.py", "is not None and tick >= _RUPEE and", "is not None and tick < 0 and"),),
        (f"{LISTS}::test_a_tick_that_may_be_in_paise_is_not_known",),
    ),
    Defect(
        "half-a-list-is-used",
        "A check of the list failed after it was moved to its place, and half a list was in use.",
        (Edit(FILES, "                check(kept)\n", ""),
         Edit(FILES, "making.replace(path)\n", "making.replace(path)\n                check(kept)\n")),
        (f"{STORE}::TestSqliteInstruments::test_what_fails_leaves_everything_as_it_was",),
    ),
    Defect(
        "exit-of-what-left-the-list",
        "A new list lacked the contract that was held, and its exit ended with NO_POSITION.",
        (Edit(DESK, "    if not held:\n        asked", "    if held:\n        asked"),),
        (f"{FLOW}::test_an_exit_closes_what_was_entered_by_its_name_though_the_lists_lack_it_now",),
    ),
    Defect(
        "asked-for-by-any-name",
        "An exit whose name meant nothing closed whatever its strategy held.",
        (Edit("persistence/sqlite/transaction.py", 'statement("asked_as"), (client_id, strategy_name, asked, side)',
              'statement("asked_as"), (client_id, strategy_name, "NSE NIFTY1!", side)'),),
        (f"{CONTRACT}::test_what_is_held_is_found_by_the_name_that_its_entry_asked_for",),
    ),
    Defect(
        "currencies-by-the-week",
        "USDINR1! was taken for this week's contract, though charts show the monthly one.",
        (Edit(RESOLUTION, "        for each in _monthly(listed)\n", "        for each in listed\n"),),
        (f"{TRAPS}::test_a_continuous_future_of_a_currency_is_the_monthly_contract",),
    ),
    Defect(
        "a-list-cut-off-is-whole",
        "A list ended after two thirds of its rows; nobody was told that a contract that was held was not in it.",
        (Edit("app/instrument_care.py", " if _is_missing(h, master, today)]", " if False]"),),
        (f"{CARE}::test_a_list_that_lacks_what_is_held_is_told_once_and_again_after_it_was_whole",),
    ),
)  # fmt: skip
