"""Mistakes in following exits that rest: units that leave twice, prices without an end, units that are left behind."""

from tests.defects.defect import Defect, Edit

CHASE, FOLLOWER, SIZER = "domain/exit_chase.py", "engine/exit_follower.py", "engine/exit_sizer.py"
WATCHED, RULES = "tests/engine/test_resting_exits.py", "tests/domain/test_exit_chase.py"
PROPERTIES = "tests/engine/test_resting_exits_properties.py"

RESTING = (
    Defect(
        "priced-anew-before-the-cancel-is-proven",
        "The new order went as soon as the cancel had been asked for: both were filled, and the account was short.",
        (
            Edit(
                CHASE,
                "return order.phase in _CANCELLED and order.open_quantity",
                "return order.phase in (*_CANCELLED, Phase.PARTIALLY_FILLED) and order.open_quantity",
            ),
            Edit(
                CHASE,
                "order.status in (Status.CREATED, Status.SENT_TO_BROKER)",
                "order.status is Status.CREATED",
            ),
        ),
        (f"{PROPERTIES}::test_parts_never_take_more_than_the_leg_and_end_flat",),
    ),
    Defect(
        "done-with-the-first-slice",
        "The first slice of a stop's exit was filled, the others refused: the stop counted as done, and two thirds of "
        "the position stood without it.",
        (
            Edit(
                "domain/protection_exits.py",
                "for each in ends_of(exit_, parts) if not _is_done(each)",
                "for each in ends_of(exit_, parts)[:1] if not _is_done(each)",
            ),
        ),
        (f"{RULES}::test_slices_beside_each_other_are_done_when_all_are",),
    ),
    Defect(
        "slices-are-registered-again",
        "The first slice was turned away unseen and sent again; by then the others had gone, were registered once "
        "more, and 50 were sold where 30 were asked for.",
        (
            Edit(
                SIZER,
                "(p for p in parts if chase_of(p).slice_of == order.command_id)",
                "(p for p in parts if p.status == 'CREATED' and chase_of(p).slice_of == order.command_id)",
            ),
        ),
        (f"{WATCHED}::test_a_slice_that_was_not_sent_registers_the_others_no_second_time",),
    ),
    Defect(
        "our-new-price-is-a-persons-cancel",
        "The exit of a group's leg was priced anew, and the new order refused: the group took our own cancel for a "
        "person's, and left a sold leg without its hedge to people.",
        (
            Edit(
                "domain/leg_groups.py",
                "cancel_wish(order) is not None and not chase_of(order).asked",
                "cancel_wish(order) is not None",
            ),
            Edit("domain/leg_groups.py", "    ends = ends_of(first, parts)", "    ends = [first, *parts]"),
        ),
        (f"{RULES}::test_a_group_takes_its_own_new_price_for_no_cancel_of_a_person",),
    ),
    Defect(
        "a-new-price-makes-it-repeatable",
        "A part of a position was priced anew and sold; its first row counted as failed, the alert came once more, and "
        "as much was sold again.",
        (Edit("use_cases/repeated_alerts.py", "    return ends_of(leg, parts)\n", "    return [leg]\n"),),
        (f"{WATCHED}::test_an_exit_that_was_priced_anew_and_filled_is_not_repeated",),
    ),
    Defect(
        "a-new-price-waits-behind-a-target",
        "A stop's exit was cancelled for a new price, an older limit exit took the units, and the stop's further part "
        "waited behind it for an hour.",
        (
            Edit(
                "domain/exit_sizing.py",
                "is_urgent = order.parent_command_id is None or is_of_leg(order)",
                "is_urgent = order.parent_command_id is None",
            ),
        ),
        ("tests/domain/test_exit_sizing.py::test_what_goes_on_for_an_exit_at_market_passes_a_target_too",),
    ),
    Defect(
        "its-own-slice-is-in-the-way",
        "A slice was tried at the edge of the price band, and its siblings took it back again and again.",
        (Edit("domain/exit_sizing.py", "        and leg not in (o.command_id, o.parent_command_id)\n", ""),),
        ("tests/domain/test_exit_sizing.py::test_what_goes_on_for_an_exit_at_market_passes_a_target_too",),
    ),
    Defect(
        "the-whole-quantity-again",
        "An exit was priced anew for all that it had asked for, and what was filled before was sold twice.",
        (Edit(CHASE, "min(order.open_quantity, asked - _taken(leg, now))", "order.quantity"),),
        (f"{WATCHED}::test_what_was_filled_before_the_cancel_is_not_sold_again",),
    ),
    Defect(
        "taken-over-twice",
        "The broker showed a cancelled order alive and then cancelled again, and its rest was sold twice.",
        (Edit(CHASE, "asked - _taken(leg, now)", "asked"),),
        (f"{RULES}::test_what_is_taken_over_once_is_not_taken_over_again",),
    ),
    Defect(
        "after-the-market-without-end",
        "A resting exit followed a market that fell through the floor, and sold at any price.",
        (Edit(CHASE, "if (mark - chase.worst) * order.side.sign > ZERO:", "if False:"),),
        (f"{WATCHED}::test_beyond_the_worst_price_nothing_is_priced_anew_until_the_price_comes_back",),
    ),
    Defect(
        "priced-anew-for-ever",
        "An exit that could not be filled was cancelled and sent every few seconds all day.",
        (Edit(CHASE, "if chase.number >= rules.most:", "if False:"),),
        (f"{WATCHED}::test_a_number_of_times_at_most_and_then_a_person",),
    ),
    Defect(
        "a-persons-cancel-is-overruled",
        "A person cancelled an exit while it was being priced anew, and the program sent it again.",
        (
            Edit(
                "domain/cancellation.py",
                "and (chase is not None or not known.asked)",
                "and (chase is not None or not None)",
            ),
        ),
        (f"{WATCHED}::test_who_cancels_while_it_is_priced_anew_ends_it",),
    ),
    Defect(
        "a-slice-counts-itself",
        "The second slice took itself for what was still to come, and the rest of the position was never sold.",
        (Edit(SIZER, "chase_of(p).slice_of == order.command_id", "True"),),
        (f"{WATCHED}::test_an_exit_above_the_largest_order_leaves_in_slices",),
    ),
    Defect(
        "the-stop-leaves-the-target-resting",
        "The exit of a target rested above the market: the stop sold the others, and its units stayed behind.",
        (
            Edit(
                SIZER,
                "            hasten_resting(tx, order, facts, most=2 * self._rules.chase.most, now=now, actor=actor)\n",
                "            pass\n",
            ),
        ),
        (f"{WATCHED}::test_a_later_exit_takes_along_what_an_earlier_one_left_resting",),
    ),
    Defect(
        "the-band-tried-without-end",
        "A refusal for the price band led to the next try, and that to the next refusal.",
        (Edit(FOLLOWER, "any(chase_of(each).at_band for each in leg)", "False"),),
        (f"{WATCHED}::test_a_second_refusal_for_the_band_is_a_persons",),
    ),
    Defect(
        "a-new-price-ends-the-protection",
        "The cancel for a new price counted as a person's: the protection ended while its units were held.",
        (
            Edit(
                "domain/protection_exits.py",
                "is_cancelled = order.cancel_requested_at is not None and not chase_of(order).asked",
                "is_cancelled = order.cancel_requested_at is not None",
            ),
        ),
        (f"{RULES}::test_a_cancel_for_a_new_price_is_no_withdrawal",),
    ),
    Defect(
        "forced-again-beside-the-part",
        "A forced exit was priced anew, and its first order's end was taken for its own: it was asked for again.",
        (Edit("use_cases/forced_exit.py", "(known, *tx.parts(known.command_id))", "(known,)"),),
        (f"{WATCHED}::test_a_forced_exit_that_is_priced_anew_is_not_asked_for_beside_its_part",),
    ),
)
