"""Mistakes of entries that are claimed together."""

from tests.defects.defect import Defect, Edit

BATCHES = "tests/engine/test_batches.py"
FILE = "engine/batch_submitter.py"

TOGETHER_CLAIMED = (
    Defect(
        "batch-sent-before-its-commit",
        "The batch was sent inside the transaction that claimed it: the commit failed, and orders were at the broker "
        "of which the database knew nothing.",
        (
            Edit(
                FILE,
                "            return claims\n\n        claims = None\n",
                "            self._call(context, claims or [])\n            return claims\n\n        claims = None\n",
            ),
        ),
        (
            f"{BATCHES}::test_claims_are_committed_before_the_first_call_and_outcomes_with_the_next_claims",
            f"{BATCHES}::test_an_order_that_another_watcher_has_moved_stops_no_other",
        ),
    ),
    Defect(
        "batch-beyond-the-limit",
        "Each entry of a batch was judged as if it were the only one: together they went beyond the limit of open "
        "orders.",
        (
            Edit(
                FILE,
                "judge(order, context.policy, known) is not None",
                "judge(order, context.policy, replace(known, open_orders=0)) is not None",
            ),
            Edit(FILE, "import threading\n", "import threading\nfrom dataclasses import replace\n"),
        ),
        (f"{BATCHES}::test_a_limit_counts_the_entries_of_its_own_batch",),
    ),
    Defect(
        "a-batch-leaves-a-leg-behind",
        "The first leg of an alert was stopped by a rule; its other leg was claimed with the batch and was live alone.",
        (Edit(FILE, "                break  # what becomes", "                continue  # what becomes"),),
        (f"{BATCHES}::test_a_leg_that_a_rule_stops_stops_the_legs_behind_it",),
    ),
    Defect(
        "outcomes-lost-with-the-next-claims",
        "One of the next entries had moved meanwhile: what was rolled back with its claim were the answers to the "
        "orders before it.",
        (
            Edit(
                FILE,
                "            claims = tx.attempt(lambda: self._claims(tx, context, plans))\n",
                "            claims = self._claims(tx, context, plans)\n",
            ),
        ),
        (f"{BATCHES}::test_outcomes_are_kept_when_the_next_claims_are_not",),
    ),
    Defect(
        "outcomes-lost-with-a-full-disk",
        "The disk was full when a batch had been answered: nobody remembered the answers, and the orders were unknown.",
        (
            Edit(
                FILE,
                "                self._submitter.outcomes.keep(each.order, each.outcome, resend=False)\n"
                "            raise\n",
                "                log.error('%s', each.outcome)\n            raise\n",
            ),
        ),
        (f"{BATCHES}::test_outcomes_that_the_database_cannot_take_are_kept_and_recorded_later",),
    ),
    Defect(
        "batch-outcome-assumed-after-a-death",
        "A watcher died in a batch, and the next one took what was claimed for never sent: half of it was sent twice.",
        (
            Edit(
                "domain/transitions.py",
                "    return advance(order, Phase.UNKNOWN, at=at, actor=actor, **unknown_because(why), escalation=0)\n",
                "    return advance(order, Phase.REFUSED, at=at, actor=actor, reason_message=why)\n",
            ),
        ),
        (
            f"{BATCHES}::test_what_was_claimed_and_not_sent_is_unknown_after_a_death_and_settled_by_the_book",
            f"{BATCHES}::test_death_at_every_boundary_of_a_batch_sends_no_order_twice",
        ),
    ),
    Defect(
        "next-batch-judged-without-outcomes",
        "The next claims were judged before the outcomes that were recorded with them: an entry followed one in its "
        "symbol of which nobody knew what had become.",
        (
            Edit(
                FILE,
                "            self._apply_outcomes(tx, answered)  # first, because the rules judge by them\n"
                "            claims = tx.attempt(lambda: self._claims(tx, context, plans))\n",
                "            claims = tx.attempt(lambda: self._claims(tx, context, plans))\n"
                "            self._apply_outcomes(tx, answered)\n",
            ),
        ),
        (f"{BATCHES}::test_the_next_claims_are_judged_by_the_outcomes_that_are_recorded_with_them",),
    ),
    Defect(
        "exit-waits-for-a-batch",
        "The exit came just before a batch of entries was claimed, and went behind all of them.",
        (
            Edit(
                FILE,
                "        if tx.has_work(client_id, now, exits_only=True):\n",
                "        if tx.has_work(client_id, now, exits_only=True) and not plans:\n",
            ),
        ),
        (f"{BATCHES}::test_an_exit_that_comes_before_the_lock_is_taken_goes_first",),
    ),
    Defect(
        "legs-go-on-after-a-refusal",
        "One leg of a spread was refused, and the legs behind it in the batch were sent all the same.",
        (
            Edit(
                FILE,
                "            groups[order.alert_id if is_grouped else order.command_id].append(order)\n",
                "            groups[order.command_id if is_grouped else order.alert_id].append(order)\n",
            ),
        ),
        (f"{BATCHES}::test_a_leg_that_is_refused_stops_the_legs_behind_it",),
    ),
    Defect(
        "a-report-that-contradicts-explains-itself",
        "A person said that an order was filled while a book was read that shows it cancelled: the report passed for "
        "what had ended the order, and nobody was told.",
        (Edit("engine/reconciler.py", " and taken_back(order, report) is None:\n", ":\n"),),
        (
            "tests/engine/test_unknown.py"
            "::test_a_book_that_contradicts_what_a_person_said_during_its_read_is_told",
        ),
    ),
    Defect(
        "a-batch-by-yesterday-s-price",
        "Entries that were claimed together were compared with the price that was stored a minute before.",
        (
            Edit(
                FILE,
                "            if known.limits.price_collar_percent is not None:\n",
                "            if known.limits.price_collar_percent == 0:\n",
            ),
        ),
        (
            "tests/engine/test_entry_prices.py"
            "::test_entries_that_are_claimed_together_are_judged_by_a_price_that_is_read_for_them_too",
        ),
    ),
)
