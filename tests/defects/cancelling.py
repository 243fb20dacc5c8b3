"""Mistakes in alerts that take entries back: too many, too few, another's, or an order that hid beside the cancel."""

from tests.defects.defect import Defect, Edit

READ, TAKEN = "tests/alerts/test_foreign_cancels.py", "tests/test_cancel_by_alert.py"
CANCELS, WISH, WORK = "alerts/formats/cancels.py", "domain/cancel_by_alert.py", "use_cases/cancel_by_alert.py"

CANCELLING = (
    Defect(
        "cancel-takes-back-an-exit",
        "`cancel` took all that rested in the symbol, the stop of the open position with it.",
        (Edit(WISH, "        if order.execution_type is ExecutionType.ENTRY\n        and ", "        if "),),
        (f"{TAKEN}::test_of_any_orders_only_real_entries_of_the_symbol_and_side_are_meant",),
    ),
    Defect(
        "order-beside-a-cancel-is-passed-over",
        "A buy with `cancel: true` beside it only cancelled, and the signal to buy was lost without a word.",
        (Edit(CANCELS, "    _refuse_order(sheet, layout)\n", ""),),
        (f"{READ}::test_an_order_with_a_cancel_beside_it_is_refused_and_says_what_to_do",),
    ),
    Defect(
        "cancel-of-one-order-takes-all",
        "The alert named the one order to cancel, by a tag that nobody read: every entry in the symbol was taken back.",
        (Edit(CANCELS, "    _refuse_more(sheet, layout, {each.key for each in switches})\n", ""),),
        (f"{READ}::test_what_may_ask_for_an_order_or_mean_fewer_orders_is_refused",),
    ),
    Defect(
        "cancel-without-a-symbol-takes-all",
        "The template's symbol had come empty: `cancel` took back the entries of all symbols.",
        (Edit("alerts/formats/legs.py", "    if not wish.is_all or sheet.find", "    if sheet.find"),),
        (f"{READ}::test_without_a_symbol_only_all_is_all",),
    ),
    Defect(
        "repeated-cancel-is-a-duplicate",
        "The bar's cancel had the content of the last bar's: it was dropped, and the old limit was filled.",
        (
            Edit(
                "use_cases/register_alert.py",
                "if alert.execution_type is ExecutionType.CANCEL and alert.signal_id is None:\n            return None",
                "if False:\n            return None",
            ),
        ),
        (f"{TAKEN}::test_the_same_alert_soon_after_takes_back_an_entry_that_came_in_between",),
    ),
    Defect(
        "what-cannot-be-cancelled-is-told-to-nobody",
        "The order's number was not known yet: the cancel was dropped, the sender read `accepted`, and it was filled.",
        (Edit(WORK, "        _tell(tx, current, alert_id, error)\n", ""),),
        (f"{TAKEN}::test_one_that_cannot_be_cancelled_now_is_told_for_each_alert_and_stops_no_other",),
    ),
    Defect(
        "leg-left-alone-by-a-cancel-is-told-to-nobody",
        "An alert took back one of two legs, and nobody heard of the other, which stayed live without it.",
        (Edit("use_cases/leg_groups.py", " and asker != WEBHOOK", ""),),
        (f"{TAKEN}::test_a_leg_that_is_left_alone_is_told_as_after_a_persons_cancel",),
    ),
)
