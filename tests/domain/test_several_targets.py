"""Several targets of one protection: shares, lots, and the stop that covers what they leave."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side
from domain.further_terms import further_text, targets_fault
from domain.money import ZERO
from domain.protection import Covered, ExitSeen, ExitState, Protection, ProtectionStatus, Rule, allotted
from domain.protection_exits import followed_exits
from domain.protection_messages import notices_of
from domain.protection_terms import Terms
from tests.domain.protecting import SECOND, Run, d, filled, protection
from tests.support import START

DONE = ExitSeen(ExitState.DONE)


def several(*targets: tuple[str, object], lot: object = None, **terms: object) -> Protection:
    made = Terms(
        targets=tuple((value, d(share)) for value, share in targets), lot_size=None if lot is None else d(lot)
    )
    return protection(**({"stop_loss": "98", "protection_json": further_text(made)} | terms))


def sold(run: Run) -> None:
    """All exits so far are filled."""
    run.ends |= {f"x{number}": DONE for number in range(1, len(run.exits) + 1)}
    run.covered = filled(run.p.filled, held=run.p.filled - run.p.exited)


def test_each_target_sells_its_share_and_the_last_one_takes_the_rest():
    run = Run(several(("5pt", 30), ("10pt", 30), ("15pt", 40)), filled(55)).at(104)
    assert (run.p.target_price, run.exits) == (105, [])
    run.at(105)
    assert run.exits == [(Side.SELL, d(16))]  # 16.5 rounded down
    assert (run.p.status, run.p.quantity, run.p.target_price) == (ProtectionStatus.ACTIVE, 39, 110)
    sold(run)
    run.at(106, 105, 110)
    sold(run)
    assert run.at(109).p.target_price == 115
    run.at(115)
    assert run.exits == [(Side.SELL, d(16)), (Side.SELL, d(16)), (Side.SELL, None)]
    assert run.p.status is ProtectionStatus.FIRED


def test_a_price_that_jumps_over_several_targets_sells_their_shares_at_once():
    run = Run(several(("5pt", 30), ("10pt", 30), ("15pt", 40)), filled(100)).at(111)
    assert run.exits == [(Side.SELL, d(60))]
    assert Run(several(("5pt", 50), ("10pt", 50)), filled(100)).at(120).exits == [(Side.SELL, None)]


def test_the_stop_takes_what_the_targets_left():
    run = Run(several(("5pt", 50), ("10pt", 50)), filled(50)).at(105)
    sold(run)
    run.at(98)
    assert run.exits == [(Side.SELL, d(25)), (Side.SELL, None)]
    assert run.p.fired_by is Rule.STOP


def test_while_the_exit_of_a_target_is_under_way_the_stop_takes_the_other_units():
    run = Run(several(("5pt", 50), ("10pt", 50)), filled(50)).at(105)
    run.covered = replace(filled(50, held=25), is_all=False)  # the others are asked for
    run.at(98)
    assert run.exits == [(Side.SELL, d(25)), (Side.SELL, d(25))]


@pytest.mark.parametrize(
    ("lot", "units", "shares"), [(25, 75, [25]), (25, 50, [25]), (50, 50, []), ("0.1", "1.05", ["0.5"])]
)
def test_shares_are_whole_lots(lot, units, shares):
    run = Run(several(("5pt", 50), ("10pt", 50), lot=lot), filled(units)).at(105)
    assert [quantity for _, quantity in run.exits] == [d(each) for each in shares]
    sold(run)
    run.at(110)
    assert run.exits[-1] == (Side.SELL, None)


def test_what_is_filled_after_a_target_was_met_is_shared_too():
    run = Run(several(("5pt", 50), ("10pt", 50)), filled(20, is_over=False)).at(105)
    run.ends["x1"] = DONE
    run.covered = filled(60, held=50, is_over=False)
    assert run.at(104).p.target_price == 105  # its share of the new units is still to come
    run.at(105)
    assert run.exits == [(Side.SELL, d(10)), (Side.SELL, d(20))]


def test_a_sold_position_has_its_targets_below():
    run = Run(several(("95", 50), ("90", 50), side=Side.SELL, stop_loss="102")).at(95)
    assert (run.exits, run.p.target_price) == ([(Side.BUY, d(25))], 90)


def test_a_share_whose_exit_failed_is_asked_for_again():
    run = Run(several(("5pt", 50), ("10pt", 50)), filled(50)).at(105)
    run.ends["x1"] = ExitSeen(ExitState.FAILED, d(5))
    run.covered = filled(50, held=45)
    run.at(100)
    assert (run.p.target_price, run.p.targets_sold) == (105, (5, 0))
    run.second += 2
    run.at(100)
    assert run.exits[1:] == [(Side.SELL, d(20))]
    assert (run.p.target_price, run.p.targets_sold) == (110, (25, 0))


def test_people_are_told_what_stays():
    run = Run(several(("5pt", 50), ("10pt", 50)), filled(50)).at(105)
    [(_, notice)] = notices_of(run.steps[-1], None, None)
    assert "met the target at 105; 25 units exit at market" in notice.detail
    assert notice.more.startswith("25 units stay protected (stop 98, next target 110)")


FAULTS = [
    ([("5pt", 50), ("10pt", 40)], 1, "target"),
    ([("5pt", 50), ("10%", 50)], 1, "target[1].value"),
    ([("10pt", 50), ("5pt", 50)], 1, "target[1].value"),
    ([("10pt", 50), ("5pt", 50)], -1, "target[1].value"),
    ([("110", 50), ("105", 50)], 1, "target[1].value"),
    ([("105", 50), ("110", 50)], -1, "target[1].value"),
    ([("105", 50), ("110", 50)], 1, None),
    ([("95", 50), ("90", 50)], -1, None),
]


@pytest.mark.parametrize(("targets", "sign", "field"), FAULTS)
def test_targets_that_cannot_be_meant_are_named(targets, sign, field):
    fault = targets_fault(Terms(targets=tuple((value, d(share)) for value, share in targets)), sign)
    assert (None if fault is None else fault[0]) == field


# on many paths ------------------------------------------------------------------------------------------------

SHARES = st.lists(st.integers(1, 60), min_size=1, max_size=4).filter(lambda shares: sum(shares) < 100)
PATH = st.lists(
    st.tuples(st.integers(96, 135), st.sampled_from(["done", "failed", "live"])), min_size=1, max_size=15
)


def check(shares: list[int], lot: int, units: int, moments: list[tuple[int, str]]) -> None:
    """Every exit is of whole lots but the last, no unit is asked for twice, and nothing stays without a level."""
    all_shares = [*shares, 100 - sum(shares)]
    p = several(*((f"{5 * n}pt", share) for n, share in enumerate(all_shares, start=1)), lot=lot)
    run = Run(p, filled(units * lot))
    held, live = d(units * lot), dict[str, Decimal]()
    for price, fate in moments:
        for id_, asked in tuple(live.items()):
            if fate == "live":
                continue
            took = asked if fate == "done" else ZERO
            held -= took
            del live[id_]
            run.ends[id_] = ExitSeen(ExitState.DONE if took else ExitState.FAILED, took)
        run.second += 40
        asked_before = len(run.exits)
        known = followed_exits(run.p, run.ends, START + run.second * SECOND)[0]
        share = allotted([replace(known, filled=d(units * lot))], held)[known.protection_id]
        run.covered = Covered(d(units * lot), d(100), True, share, is_all=share == held)
        run.at(price)
        if len(run.exits) > asked_before:
            quantity = run.exits[-1][1]
            asked = held if quantity is None else quantity
            assert ZERO < asked <= held - sum(live.values(), ZERO)
            assert asked % lot == 0
            live[f"x{len(run.exits)}"] = asked
        assert sum(run.p.targets_sold, ZERO) <= units * lot
        if run.p.is_watched and run.p.quantity:
            assert run.p.stop_price is not None


@settings(max_examples=150, deadline=None)
@given(SHARES, st.sampled_from([1, 25]), st.integers(1, 9), PATH)
def test_on_every_path_shares_are_whole_lots_and_no_unit_is_asked_for_twice(shares, lot, units, moments):
    check(shares, lot, units, moments)


@pytest.mark.gate
@pytest.mark.timeout(300)  # a busy machine is no finding
def test_the_same_on_many_more_paths():
    rng = Random(20261130)
    for _ in range(10_000):
        shares = [rng.randrange(1, 30) for _ in range(rng.randrange(1, 4))]
        path = [
            (rng.randrange(96, 136), rng.choice(["done", "failed", "live"]))
            for _ in range(rng.randrange(1, 16))
        ]
        check(shares, rng.choice([1, 25]), rng.randrange(1, 10), path)
