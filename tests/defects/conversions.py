"""Mistakes about positions that a hand has converted to another product."""

from tests.defects.defect import Defect, Edit

CONVERSIONS = (
    Defect(
        "a-conversion-closes-what-was-converted",
        "A hand carried 50 on under another product; after one empty read the strategy's holding was forgotten.",
        (
            Edit(
                "persistence/sqlite/queries/rule_facts.py",
                "        return -since * side.sign - carried_on >= abs(units)\n",
                "        return -since * side.sign >= abs(units)\n",
            ),
        ),
        ("tests/engine/test_conversions_by_hand.py"
         "::test_a_wild_read_after_a_conversion_forgets_nothing_and_ends_no_exit",),
    ),
    Defect(
        "a-part-sold-and-the-rest-carried-on-is-closed",
        "A hand sold 10 of 50 and carried 40 on under another product; after one empty read all 50 were forgotten.",
        (
            Edit(
                "persistence/sqlite/queries/rule_facts.py",
                "        carried_on = max(elsewhere * side.sign, ZERO)",
                "        carried_on = elsewhere * side.sign if elsewhere * side.sign >= abs(units) else ZERO",
            ),
        ),
        ("tests/engine/test_conversions_by_hand.py"
         "::test_a_hand_that_sells_a_part_and_carries_on_the_rest_forgets_nothing",),
    ),
    Defect(
        "a-wild-read-ends-half-a-conversion",
        "Empty reads ended the half that had appeared, the missing half counted on, and the exit was held for minutes.",
        (
            Edit(
                "engine/position_reconciliation.py",
                "        if before is None or before.held != d.held or has_sold(before):\n",
                "        if before is None or before.held is not None:\n",
            ),
        ),
        ("tests/engine/test_conversions_by_hand.py"
         "::test_a_wild_read_after_a_conversion_forgets_nothing_and_ends_no_exit",),
    ),
    Defect(
        "an-exit-of-one-product-takes-from-another",
        "Another strategy's exit in MIS passed for what had taken the units that a hand had carried on as NRML: two "
        "reads without their row, and the holding was forgotten.",
        (
            Edit(
                "engine/position_reconciliation.py",
                "last_fill_at(client_id, told.symbol, closing, told.product)",
                "last_fill_at(client_id, told.symbol, closing)",
            ),
        ),
        ("tests/engine/test_conversions_by_hand.py"
         "::test_anothers_exit_in_the_old_product_took_nothing_of_what_was_converted",),
    ),
    Defect(
        "what-is-missing-is-missing-anew",
        "A conversion was told by and by, as a late fill was recorded: its units passed for somebody else's.",
        (
            Edit(
                "persistence/sqlite/differences.py",
                "    if old and parse_decimal(old[1]) * d.amount > 0:\n",
                "    if old and parse_decimal(old[1]) == d.amount:\n",
            ),
        ),
        ("tests/engine/test_conversions_by_hand.py::test_a_conversion_that_is_told_by_and_by_is_one",),
    ),
    Defect(
        "half-a-conversion-is-believed",
        "Reads had shown what a conversion took for longer than what it brought: that half was believed alone, and an "
        "exit of the strategy sold another one's units in the old product.",
        (Edit("domain/position_comparison.py",
              "if a.is_certain and all(b.is_certain for b in all_ if is_half(a, b))", "if a.is_certain"),),
        ("tests/persistence/test_store_contract.py::TestSqliteStore"
         "::test_one_half_of_a_conversion_is_not_believed_alone",),
    ),
)  # fmt: skip
