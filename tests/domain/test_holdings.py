"""What a fill does to holdings: nothing is lost, and no exit turns a holding round."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import ExecutionType, Side
from domain.holdings import Held, effects_of, touches_holdings
from domain.states import Phase
from tests.domain.making import an_order

QUICK = settings(max_examples=500, deadline=None, derandomize=True)
PRODUCTS = st.sampled_from(["MIS", "NRML"])
HELD = st.dictionaries(
    PRODUCTS, st.tuples(st.integers(-100, 100).filter(bool), st.integers(0, 2)).map(lambda h: Held(Decimal(h[0]), h[1]))
)  # fmt: skip


def change(execution_type, side, filled, more, product):
    values = {"execution_type": execution_type, "side": side, "quantity": Decimal(200), "product": product}
    before = an_order(Phase.PARTIALLY_FILLED, filled_quantity=Decimal(filled), **values)
    return before, an_order(Phase.PARTIALLY_FILLED, filled_quantity=Decimal(filled + more), **values)


@QUICK
@given(
    st.sampled_from(ExecutionType),
    st.sampled_from(Side),
    st.integers(0, 99),
    st.integers(1, 99),
    PRODUCTS,
    HELD,
    st.integers(0, 150),
)
def test_what_a_fill_moves_is_held_or_was_nobodys(kind, side, filled, more, product, held, to_come):
    before, after = change(kind, side, filled, more, product)
    effects = effects_of(before, after, held, lambda: Decimal(to_come))
    total = sum(h.net for h in held.values())
    left = sum(h.net for h in (held | effects.held).values())
    assert left == total + more * side.sign - effects.taken_elsewhere
    assert effects.is_fill


@QUICK
@given(st.sampled_from(Side), st.integers(0, 99), st.integers(1, 99), PRODUCTS, HELD, st.integers(0, 150))
def test_an_exit_turns_no_holding_round(side, filled, more, product, held, to_come):
    before, after = change(ExecutionType.EXIT, side, filled, more, product)
    effects = effects_of(before, after, held, lambda: Decimal(to_come))
    for name, now in effects.held.items():
        was = held.get(name, Held())
        if was.entries and now.entries:
            assert abs(now.net) <= abs(was.net)
            assert now.net * was.net >= 0
        elif now.net:  # kept for an entry whose fill is not recorded yet, and no more than it may bring
            assert abs(now.net) <= to_come


def test_an_exit_that_fills_late_leaves_what_its_strategy_has_entered_since():
    """The exit of a short was called absent, another one closed it, the strategy is long; then the first one fills."""
    before, after = change(ExecutionType.EXIT, Side.BUY, 0, 50, "MIS")
    effects = effects_of(before, after, {"MIS": Held(Decimal(100), 1)}, lambda: Decimal(0))
    assert (effects.held, effects.taken_elsewhere) == ({}, 50)


def test_a_test_order_and_a_move_without_a_fill_touch_nothing():
    before, after = change(ExecutionType.ENTRY, Side.BUY, 10, 0, "MIS")
    assert not touches_holdings(before, after)
    test = an_order(Phase.PARTIALLY_FILLED, filled_quantity=Decimal(5), test_mode="SUCCESS")
    assert not touches_holdings(an_order(Phase.WORKING, test_mode="SUCCESS"), test)
