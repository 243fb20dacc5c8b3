"""Mistakes about reads of the positions that are older or newer than what an exit knows."""

from tests.defects.defect import Defect, Edit

EXITS = "domain/exit_sizing.py"

EXIT_READS = (
    Defect(
        "a-market-exit-behind-its-book-is-counted-twice",
        "The order book was half a minute behind the positions: an exit was sent short by what another one at market "
        "had filled, which the read showed already.",
        (Edit(EXITS, "o.order_type is OrderType.MARKET or o.phase in _OUTCOME_UNKNOWN",
              "o.phase in _OUTCOME_UNKNOWN"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_a_difference_that_anothers_market_exit_may_have_made_settles_when_the_order_book_shows_it",),
    ),
    Defect(
        "what-wrong-reads-told-outlasts-the-dispute",
        "Empty reads had told of 50 missing, another exit was filled right after them: an exit was sent short while "
        "the reads were right again for half a minute.",
        (Edit(EXITS, "    unsettled = more + _sum(may_be_filled)\n", "    unsettled = _sum(may_be_filled)\n"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_what_is_missing_by_a_read_of_about_a_fill_settles_when_reads_show_that_fill",),
    ),
    Defect(
        "what-has-just-left-is-still-there",
        "A read of before another strategy's fill showed units that had gone, those of a third one were in another "
        "product, and both exits together turned the position of this product round.",
        (Edit(EXITS, "    if _shows(facts.last_fill_at, snapshot) or (is_whole and not missing):\n",
              "    if facts:\n"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_what_a_read_of_before_a_fill_has_too_many_is_not_taken_for_what_is_left",),
    ),
    Defect(
        "what-is-missing-is-only-the-others",
        "A read of about another exit's fill lacked units by nothing that was known, and had enough for this exit all "
        "the same: 75 were bought of 55.",
        (Edit(EXITS, "    is_odd = surplus > explained or -surplus > missing + under_way\n",
              "    is_odd = surplus > explained\n"),),
        ("tests/domain/test_exit_sizing.py"
         "::test_a_read_of_about_a_fill_that_lacks_units_of_others_may_lack_ours_too",),
    ),
)  # fmt: skip
