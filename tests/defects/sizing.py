"""Mistakes in how much is bought: sizes by old prices, rounded up, of another currency; and legs that were guessed."""

from tests.defects.defect import Defect, Edit

RULES, FLOW = "tests/domain/test_sizing.py", "tests/instruments/test_sizing_flow.py"
SIZING, ENTRIES = "domain/sizing.py", "use_cases/size_entries.py"
CHOICE = "domain/instruments/leg_choice.py"

SIZES = (
    Defect(
        "size-rounds-up",
        "Half a lot too little became a whole one: a size in money cost more than the money.",
        (Edit(SIZING, "    quantity = lots * lot\n", "    quantity = (lots + 1) * lot\n"),),
        (f"{FLOW}::test_money_becomes_whole_units_at_the_last_price_and_every_number_is_kept",),
    ),
    Defect(
        "size-by-an-old-price",
        "The last price was of an hour ago, and the position became three times as large as was meant.",
        (Edit(ENTRIES, "    if fault is not None or mark is None:\n", "    if mark is None:\n"),),
        (f"{FLOW}::test_a_size_that_is_not_certain_blocks_the_entry_with_the_numbers",),
    ),
    Defect(
        "size-by-yesterdays-equity",
        "The equity had not been read since the morning, and the account's loss was risked a second time.",
        (Edit(ENTRIES, "if age > self._equity_max_age or", "if"),),
        (f"{FLOW}::test_a_size_that_is_not_certain_blocks_the_entry_with_the_numbers",),
    ),
    Defect(
        "dollars-are-rupees",
        "A platform's 1000 dollars were taken for 1000 of whatever the exchange counts in.",
        (Edit(SIZING, "    if quoted == ask.currency:\n", "    if quoted:\n"),),
        (f"{RULES}::test_money_of_another_currency_is_never_converted",),
    ),
    Defect(
        "sell-sized-by-its-limit",
        "A limit to sell far below the market was sized by the limit: it was worth a hundred times the money.",
        (Edit(ENTRIES, "    if leg.price is not None and (side is Side.BUY or",
              "    if leg.price is not None and (True or"),),
        (f"{FLOW}::test_a_limit_to_sell_far_below_the_market_is_sized_by_the_market",),
    ),
    Defect(
        "sell-risked-by-its-limit",
        "A limit to sell at half the market risked to a stop in percent: filled at the market it lost twice as much.",
        (Edit(ENTRIES, "ask.mode.is_risk and not is_percent", "ask.mode.is_risk"),),
        (f"{FLOW}::test_a_limit_to_sell_with_a_stop_in_percent_risks_no_more_at_the_market_than_was_asked_for",),
    ),
    Defect(
        "size-in-the-hash",
        "The price moved between two deliveries of one alert: the size differed, and it was bought twice.",
        (Edit("domain/ids.py", "None if leg.size is not None else leg.quantity", "leg.quantity"),),
        (f"{FLOW}::test_a_repeated_alert_is_a_duplicate_although_the_price_has_moved",),
    ),
    Defect(
        "otm-by-the-step",
        "Places out of the money were counted downwards for calls, and the sold leg lay in the money.",
        (Edit(CHOICE, "    upwards = 1 if kind is Kind.CALL else -1", "    upwards = -1 if kind is Kind.CALL else 1"),),
        (f"{RULES}::test_a_call_is_out_of_the_money_above_and_a_put_below_by_places_of_the_list",),
    ),
    Defect(
        "straddle-on-a-straddle",
        "The strikes had moved when the alert came again: the strategy held a second straddle beside the first.",
        (Edit("use_cases/template_guard.py", "    if times < most:\n", "    if times < most or places:\n"),),
        (f"{FLOW}::test_a_template_that_is_held_is_not_entered_again_at_other_strikes",),
    ),
    Defect(
        "exit-leaves-what-is-on-its-way",
        "An exit came before the fills of its entries: it closed what was held, and the later legs stayed naked.",
        (Edit("use_cases/resolve_instruments.py", "(*tx.held_as_asked(*mine, side), *tx.open_as_asked(*mine, side))",
              "(*tx.held_as_asked(*mine, side),)"),),
        (f"{FLOW}::test_an_exit_reaches_legs_that_are_still_on_their_way",),
    ),
    Defect(
        "close-long-of-the-short",
        "The long of Monday was over, and a repeated exit of it closed the short of Tuesday in the same future.",
        (Edit("use_cases/resolve_instruments.py", "            side=None if leg.side is None else _closing(",
              "            side=None if True else _closing("),),
        (f"{FLOW}::test_an_exit_of_one_direction_leaves_what_the_other_holds_in_the_same_contract",),
    ),
    Defect(
        "contract-of-one-unit",
        "Without a master a gold future counted as one unit of its quote: a size in money bought fourteen.",
        (Edit(ENTRIES, "not (is_known or is_venue(exchange))", "not is_known"),),
        (f"{FLOW}::test_without_a_master_a_unit_is_one_of_the_underlying_only_where_that_is_sure",),
    ),
)  # fmt: skip
