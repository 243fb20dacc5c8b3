"""Mistakes about units that a person makes a strategy's."""

from tests.defects.defect import Defect, Edit

RULES = "domain/adoption_rules.py"
ADOPTION = "tests/domain/test_adoption_rules.py"

ADOPTING = (
    Defect(
        "adopts-what-another-strategy-holds",
        "A person gave a strategy what was in the account; half of it was another's, and both sold it.",
        (
            Edit(
                RULES,
                "        free = min(in_product, in_all, self.unheld) - sum(self._promised().values(), ZERO)\n",
                "        free = there.net_quantity * self.sign\n",
            ),
        ),
        (
            f"{ADOPTION}::test_what_strategies_hold_never_comes_to_more_than_the_account_has",
            "tests/engine/test_adopting.py::test_what_another_strategy_holds_is_not_adopted",
        ),
    ),
    Defect(
        "adopts-on-a-stale-read",
        "The account was read minutes ago; what had been sold since then was adopted, and sold once more.",
        (
            Edit(
                RULES,
                "    if not is_within(snapshot.read_started_at, now,",
                "    if not is_within(now, now,",
            ),
        ),
        ("tests/engine/test_adopting.py::test_not_on_a_read_that_failed_or_is_old",),
    ),
    Defect(
        "adopted-units-are-no-entry",
        "What a strategy was given did not count as entered: its exits left it, and it entered the symbol once more.",
        (Edit(RULES, "after, before.entries + 1", "after, before.entries"),),
        ("tests/engine/test_adopting.py::test_after_an_adoption_an_exit_closes_exactly_those_units",),
    ),
    Defect(
        "adopts-a-fill-under-way",
        "The position showed what a resting order had just brought; it was adopted, and counted again with the fill.",
        (Edit(RULES, "        if self._resting():\n", "        if False:\n"),),
        ("tests/engine/test_adopting.py::test_a_resting_entry_may_have_brought_what_nobody_seems_to_hold",),
    ),
    Defect(
        "adopted-units-explain-twice",
        "Units that a strategy had come to hold still counted as bought by hand: exits found more than there was.",
        (Edit("persistence/sqlite/adoptions.py", "    if a.explained:\n", "    if False:\n"),),
        (
            "tests/engine/test_adopting.py::"
            "test_units_by_hand_that_were_not_told_yet_are_adopted_and_explain_nothing_twice",
        ),
    ),
    Defect(
        "told-by-a-comparison-of-before",
        "What a person had just given a strategy was told as nobody's, and counted as that beside the holding.",
        (
            Edit(
                "engine/position_reconciliation.py",
                "            if tx.held_at(client_id, d.where) != d.held:\n",
                "            if tx.held_at(client_id, d.where) is None:\n",
            ),
        ),
        (
            "tests/engine/test_adopting.py::"
            "test_what_is_adopted_while_it_is_being_compared_is_not_told_as_nobodys",
        ),
    ),
    Defect(
        "adoptions-can-be-rewritten",
        "Who had given a strategy its units was a row that anybody could change.",
        (
            Edit(
                "persistence/sqlite/adoptions.py",
                "        if digest != _hash(before, told):\n",
                "        if digest is None:\n",
            ),
        ),
        ("tests/persistence/test_adoptions.py::test_what_somebody_changes_behind_our_back_is_found",),
    ),
)  # fmt: skip
