"""Mistakes in what is concluded from the broker's book about an order that was sent."""

from tests.defects.defect import Defect, Edit

RECONCILER, RECONCILE = "engine/reconciler.py", "domain/reconciliation.py"
ATTRIBUTION = "domain/order_matching.py"
UNKNOWN = "tests/engine/test_unknown.py"
TAKEN = "tests/engine/test_following.py"
DECIDING = "tests/domain/test_reconciliation.py"

_FILLED = "    filled: Decimal = max(report.filled_quantity, order.filled_quantity)\n"

FOLLOWING = (
    Defect(
        "dead-row-comes-back-unseen",
        "The dead row of a turned-away call was set aside for good, and nobody held what it filled after all.",
        (Edit(RECONCILE, " or not r.came_to_nothing]", "]"),),
        (
            "tests/engine/test_turned_away.py::test_the_dead_row_of_a_turned_away_call_that_fills_after_all_is_the_orders_fill",
        ),
    ),
    Defect(
        "failed-cancel-waits",
        "A cancel that failed was repeated ever more rarely from the start, and the stop behind it stayed unsent.",
        (
            Edit(
                "engine/cancel_sender.py",
                "            wait = min(wait, 2 * self._rules.resend_after)\n",
                "            pass\n",
            ),
        ),
        ("tests/engine/test_cancelling.py::test_a_cancel_that_failed_is_sent_again_soon",),
    ),
    Defect(
        "error-is-absence",
        "A book that could not be read was taken for one without the order, and the order was called failed.",
        (
            Edit(
                RECONCILER,
                "            self._unreadable(context, at_broker, str(error), level=level)\n            return moved\n",
                "            book = Book(self._clock.now(), (), complete=True)\n",
            ),
        ),
        (f"{UNKNOWN}::test_a_book_that_cannot_be_read_proves_nothing_and_gets_louder",),
    ),
    Defect(
        "polls-run-out",
        "After so many polls without an answer the order was marked as rejected, and it was filled later.",
        (
            Edit(
                RECONCILER,
                "advance(current, current.phase, at=now, actor=self._claimant, escalation=level)",
                "advance(\n"
                "                    current,\n"
                "                    Phase.ABSENT if level > 1 else current.phase,\n"
                "                    at=now,\n"
                "                    actor=self._claimant,\n"
                "                    escalation=level,\n"
                "                )",
            ),
        ),
        (f"{UNKNOWN}::test_a_book_that_cannot_be_read_proves_nothing_and_gets_louder",),
        "https://github.com/CoinAlpha/hummingbot/pull/82",
    ),
    Defect(
        "open-orders-are-the-whole-book",
        "Only open orders were asked for; one that had been filled at once was not among them, and counted as "
        "never placed.",
        (
            Edit(
                ATTRIBUTION,
                "    if not book.complete or order.sent_at is None:\n        return False\n    if book.covers_from",
                "    if order.sent_at is None:\n        return False\n    if book.covers_from",
            ),
        ),
        (f"{DECIDING}::test_absence_is_proven_by_nothing_less_than_a_complete_and_late_enough_book",),
        "https://github.com/Haehnchen/crypto-trading-bot/issues/53",
    ),
    Defect(
        "book-with-gaps-called-complete",
        "A book that no longer showed what it had shown before was believed to be whole.",
        (
            Edit(
                "broker/day_book.py",
                "        return book if expected <= shown else replace(book, complete=False)\n",
                "        return book\n",
            ),
        ),
        (
            "tests/broker/noren/test_reading.py::test_a_book_that_misses_what_it_showed_today_proves_no_absence",
        ),
    ),
    Defect(
        "unreadable-row-skipped",
        "A row with an odd field was left out of the book, and its order was then missing.",
        (
            Edit(
                "broker/book_rows.py",
                "    return tuple(reports), tuple(hidden)\n",
                "    return tuple(reports), ()\n",
            ),
        ),
        (
            "tests/broker/noren/test_reading.py::"
            "test_a_row_that_cannot_be_read_stands_in_nobodys_way_but_its_own",
        ),
    ),
    Defect(
        "visibility-horizon-ignored",
        "The book was read at once, before the exchange listed the new order in it: absent, said the bot.",
        (
            Edit(
                ATTRIBUTION,
                "timedelta(seconds=traits.visibility_horizon + traits.acceptance_horizon)",
                "timedelta(seconds=traits.acceptance_horizon)",
            ),
        ),
        (f"{DECIDING}::test_absence_is_proven_by_nothing_less_than_a_complete_and_late_enough_book",),
        "https://github.com/yasinkuyu/binance-trader/pull/140",
    ),
    Defect(
        "acknowledged-and-missing-is-cancelled",
        "An acknowledged order that was not in the list any more was taken for cancelled and placed anew.",
        (
            Edit(
                RECONCILE,
                "    if traits.day_orders and _is_of_a_day_before(order, book):\n",
                '    return Verdict(Phase.CANCELLED, {"tag": "BROKER_CANCELLED"})\n'
                "    if traits.day_orders and _is_of_a_day_before(order, book):\n",
            ),
        ),
        (f"{UNKNOWN}::test_an_acknowledged_order_that_leaves_the_book_is_unknown_loud_and_never_sent_again",),
        "https://github.com/Haehnchen/crypto-trading-bot/issues/53",
    ),
    Defect(
        "yesterdays-order-called-absent",
        "The book of a new day does not hold the orders of the day before; they were called failed.",
        (
            Edit(
                ATTRIBUTION,
                "    if book.covers_from is not None and order.sent_at < book.covers_from:\n        return False\n",
                "",
            ),
        ),
        (f"{UNKNOWN}::test_a_book_of_one_day_proves_nothing_about_the_day_before",),
    ),
    Defect(
        "fill-counted-twice",
        "A report that was replayed after a restart added its fill a second time, and the position was doubled.",
        (Edit(RECONCILE, _FILLED, "    filled: Decimal = order.filled_quantity + report.filled_quantity\n"),),
        (
            f"{DECIDING}::test_every_report_about_every_phase_is_applied_once_and_then_says_nothing_new"
            "[PARTIALLY_FILLED-OPEN-20]",
        ),
        "https://github.com/nautechsystems/nautilus_trader/issues/3046",
    ),
    Defect(
        "old-report-takes-a-fill-back",
        "Reports overtook each other, and the older one set the filled quantity back.",
        (Edit(RECONCILE, _FILLED, "    filled: Decimal = report.filled_quantity\n"),),
        (
            f"{DECIDING}::test_every_report_about_every_phase_is_applied_once_and_then_says_nothing_new"
            "[PARTIALLY_FILLED-OPEN-0]",
        ),
    ),
    Defect(
        "failed-stays-failed",
        "An order that was called failed was no longer followed; it filled, and nobody was told.",
        (
            Edit(
                RECONCILE,
                "    if order.status is not Status.FAILED or report",
                "    if order.status is Status.FAILED:\n        return True\n"
                "    if order.status is not Status.FAILED or report",
            ),
        ),
        (f"{TAKEN}::test_what_was_called_dead_and_then_filled_is_executed_loudly",),
        "https://github.com/hummingbot/hummingbot/issues/4738",
    ),
    Defect(
        "lagging-book-revives-the-dead",
        "A replica of the book that lagged showed a cancelled order as open, and it was open again.",
        (
            Edit(
                RECONCILE,
                "    return not _is_after_its_end(order, book, traits)\n",
                "    return False\n",
            ),
        ),
        (f"{DECIDING}::test_a_dead_order_rises_only_by_a_book_that_cannot_be_older_than_its_end",),
    ),
    Defect(
        "cancel-drops-the-partial-fill",
        "A partly filled order was cancelled and booked as nothing; what was bought stayed in the account.",
        (
            Edit(
                RECONCILE,
                '{"tag": tag, "filled_quantity": filled}',
                '{"tag": tag, "filled_quantity": Decimal(0) if STATUS_OF[phase] is Status.FAILED else filled}',
            ),
        ),
        (f"{TAKEN}::test_a_cancel_after_a_partial_fill_keeps_the_fill",),
        "https://github.com/freqtrade/freqtrade/issues/229",
    ),
    Defect(
        "overfill-cut-off-in-silence",
        "The exchange filled more than was ordered; the bot kept the ordered quantity and said nothing.",
        (
            Edit(
                RECONCILE,
                _FILLED,
                "    filled: Decimal = min(max(report.filled_quantity, order.filled_quantity), order.quantity)\n",
            ),
        ),
        (f"{TAKEN}::test_an_overfill_is_recorded_and_told",),
    ),
    Defect(
        "overfill-without-alarm",
        "More was filled than ordered; it was written down, and no message told anybody.",
        (
            Edit(
                "domain/notices.py",
                "            told.append(notice(NoticeKind.OVERFILLED))\n",
                "            pass\n",
            ),
        ),
        (f"{TAKEN}::test_an_overfill_is_recorded_and_told",),
    ),
    Defect(
        "strangers-order-adopted",
        "An order placed by hand, of the same symbol, side and quantity, was taken for the bot's own and managed.",
        (
            Edit(
                RECONCILE,
                "    if not tagged:\n        return None, ()\n",
                "    if not tagged:\n"
                "        wanted = (order.symbol, order.side, order.quantity)\n"
                "        alike = [r for r in book.reports if (r.symbol, r.side, r.quantity) == wanted]\n"
                "        return (alike[0] if alike else None), ()\n",
            ),
        ),
        (f"{DECIDING}::test_an_order_that_another_account_placed_is_not_ours",),
    ),
    Defect(
        "look-alikes-told-apart-by-guessing",
        "Where the broker echoes no id, the fills of two strategies were dealt out by the order of their times.",
        (
            Edit(
                ATTRIBUTION,
                "    if any(_kind(o) != _kind(orders[0]) for o in orders):\n        return False\n",
                "",
            ),
        ),
        (
            "tests/domain/test_order_matching.py::"
            "test_two_that_are_not_of_a_kind_stay_unknown_because_it_matters_who_holds_the_fill",
        ),
    ),
    Defect(
        "trades-before-it-has-looked",
        "After a restart entries went out before the account had been read, as if nothing were held.",
        (
            Edit(
                "engine/entry_readiness.py",
                "        return self._missing.get(client_id) == {}\n",
                "        return True\n",
            ),
        ),
        (
            "tests/engine/test_entry_readiness.py::test_entries_wait_until_both_book_and_positions_were_read_and_go_then",
        ),
        "https://github.com/BYTEX-TRADE/bytex/issues/30",
    ),
    Defect(
        "unknown-word-is-rejected",
        "A status word the adapter had never seen fell through to REJECTED while the order was live.",
        (
            Edit(
                "broker/noren/parsing.py",
                "    return _STATUSES.get(words, BrokerStatus.UNRECOGNISED)\n",
                "    return _STATUSES.get(words, BrokerStatus.REJECTED)\n",
            ),
        ),
        ("tests/broker/noren/test_reading.py::test_status_words",),
    ),
    Defect(
        "fill-taken-back-in-silence",
        "An order that had been filled stood as rejected in the book later; the bot neither said so nor looked.",
        (
            Edit(
                "domain/reconciliation.py",
                "order.status is not Status.EXECUTED or report.status not in DEAD",
                "order.status is Status.EXECUTED or report.status not in DEAD",
            ),
        ),
        (f"{TAKEN}::test_a_book_that_takes_a_fill_back_is_told_once_and_the_fill_stays",),
    ),
)
