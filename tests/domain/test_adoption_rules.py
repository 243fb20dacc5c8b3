"""Adopting takes what no strategy holds and nothing else: what strategies hold never comes to more than there is."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.adoption import Adoption, AdoptionFacts, AdoptionRequest, KnownDifference
from domain.adoption_rules import adopted
from domain.broker_reports import Position, PositionsSnapshot, UnreadableRow
from domain.enums import ExecutionType, Side
from domain.errors import AdoptionNotPossible, InvalidAdoption
from domain.money import ZERO
from domain.position_comparison import LAGS_AT_MOST
from domain.risk_facts import Holding
from domain.states import Phase
from tests.domain.making import AT, an_order

QUICK = settings(max_examples=600, deadline=None, derandomize=True)
SYMBOL = "NIFTY26NOV24500CE"
NOW = AT + timedelta(seconds=5)


def request(quantity=50, **changes) -> AdoptionRequest:
    values = {
        "client_id": "default",
        "symbol": SYMBOL,
        "strategy_name": "S1",
        "by": "cli:op",
        "reason": "mine",
    }
    return AdoptionRequest(quantity=Decimal(quantity), **(values | changes))


def read(*unreadable: UnreadableRow, exchange="NFO", **nets: int) -> PositionsSnapshot:
    rows = [
        Position(exchange, SYMBOL, product, Decimal(net), Decimal("112.5")) for product, net in nets.items()
    ]
    return PositionsSnapshot(AT, tuple(rows), unreadable)


def held(strategy: str, net: int, product: str = "MIS", entries: int = 1) -> Holding:
    return Holding("default", strategy, "NFO", SYMBOL, product, Decimal(net), entries)


def told(amount: int, product: str = "MIS", *, believed: int | None = None, external: bool = True):
    units = amount if believed is None else believed
    return KnownDifference(("NFO", SYMBOL, product), Decimal(amount), Decimal(units), is_external=external)


def adopt(
    asked: AdoptionRequest, snapshot: PositionsSnapshot | None, *holdings: Holding, **facts
) -> Adoption:
    return adopted(asked, AdoptionFacts(snapshot, holdings=holdings, **facts), now=NOW, max_age=60.0)


def refused(
    asked: AdoptionRequest, snapshot: PositionsSnapshot | None, *holdings: Holding, **facts
) -> tuple[str, str]:
    """The field that is named, and the message."""
    with pytest.raises(InvalidAdoption) as caught:
        adopt(asked, snapshot, *holdings, **facts)
    return caught.value.field, caught.value.message


units = st.integers(-60, 60)
products = st.sampled_from(["MIS", "NRML"])


@QUICK
@given(
    units,
    st.none() | products,
    st.dictionaries(products, units, max_size=2),
    st.lists(st.tuples(st.sampled_from(["S1", "S2", "S3"]), units.filter(bool), products), max_size=3,
             unique_by=lambda h: (h[0], h[2])),
    st.lists(st.tuples(st.sampled_from(Side), st.sampled_from(ExecutionType), st.integers(1, 60)), max_size=2),
    units,
    units,
    st.booleans(),
)  # fmt: skip
def test_what_strategies_hold_never_comes_to_more_than_the_account_has(
    quantity, product, nets, holdings, resting, by_hand, difference, external
):
    orders = tuple(
        an_order(Phase.WORKING, side=side, execution_type=kind, quantity=Decimal(n), strategy_name="S2")
        for side, kind, n in resting
    )
    snapshot, before = read(**nets), tuple(held(*each) for each in holdings)
    differences = (told(difference, external=external),) if difference else ()
    facts = {"orders": orders, "by_hand": {"NFO": Decimal(by_hand)}, "differences": differences}
    try:
        done = adopt(request(quantity, product=product), snapshot, *before, **facts)
    except InvalidAdoption:
        return
    assert done.quantity == quantity
    sign = 1 if quantity > 0 else -1
    assert sum((max(Decimal(h.net_quantity) * sign, ZERO) for h in before), ZERO) + abs(quantity) <= sum(
        max(n * sign, 0) for n in nets.values()
    )
    after = sum((h.net_quantity for h in before), ZERO) + done.quantity
    assert after * sign <= sum(nets.values()) * sign
    # What is known of the rest explains no more than there is: an exit finds both sources as they were, or nearer.
    left = sum((d.believed for d in differences), ZERO) + by_hand
    if done.difference is not None:
        left += done.difference.believed - differences[0].believed
    left -= done.explained * sign
    assert (after + left) * sign <= sum(nets.values()) * sign
    mine = sum((h.net_quantity for h in before if (h.strategy_name, h.product) == ("S1", done.product)), ZERO)
    assert done.holding.net_quantity == mine + quantity
    assert done.holding.entries > 0


def test_units_that_nobody_holds_become_the_strategys_at_the_positions_price():
    done = adopt(request(), read(MIS=50))
    assert (done.exchange, done.product, done.average_price) == ("NFO", "MIS", Decimal("112.5"))
    assert done.holding == held("S1", 50)
    short = adopt(request(-20), read(MIS=-50), held("S2", -30))
    assert short.holding == held("S1", -20)
    assert adopt(request(20), read(MIS=50), held("S1", 30)).holding == held("S1", 50, entries=2)


def test_what_others_hold_or_a_converted_position_is_not_adopted():
    field, message = refused(request(), read(MIS=80), held("S2", 50))
    assert field == "quantity"
    assert message == "of the 80 MIS there only 30 can be adopted: S2 holds 50 MIS"
    field, message = refused(request(1), read(CNC=50), held("S2", 50))  # bought for the day, converted since
    assert (field, message) == ("quantity", "of the 50 CNC there none can be adopted: S2 holds 50 MIS")


def test_an_order_that_may_have_brought_or_may_take_them_is_respected():
    brings = an_order(Phase.WORKING, strategy_name="S2", side=Side.BUY)
    field, message = refused(request(), read(MIS=50), orders=(brings,))
    assert field == "quantity" and "S2's order" in message
    assert adopt(request(), read(MIS=50), orders=(brings,), differences=(told(50),)).quantity == 50
    takes = an_order(
        Phase.WORKING,
        strategy_name="OPERATOR",
        side=Side.SELL,
        execution_type=ExecutionType.EXIT,
        quantity=Decimal(20),
    )
    field, message = refused(request(), read(MIS=50), orders=(takes,))
    assert message.endswith("only 30 can be adopted: an exit of OPERATOR may take 20")
    assert adopt(request(), read(MIS=70), held("OPERATOR", 20), orders=(takes,)).quantity == 50, (
        "it takes its own"
    )


@pytest.mark.parametrize("phase", [Phase.SUBMITTING, Phase.UNKNOWN, Phase.ABSENT])
@pytest.mark.parametrize("kind", [ExecutionType.ENTRY, ExecutionType.EXIT])
def test_not_while_the_outcome_of_an_order_there_is_not_known(phase, kind):
    order = an_order(phase, strategy_name="S2", execution_type=kind)
    field, message = refused(request(), read(MIS=50), orders=(order,), differences=(told(50),))
    assert field == "symbol" and f"of S2 there is {phase}" in message


def test_a_read_that_may_not_show_a_fill_yet_is_not_used():
    field, message = refused(request(), read(MIS=50), last_fill_at=AT - LAGS_AT_MOST + timedelta(seconds=1))
    assert field == "symbol" and "try again in" in message
    assert adopt(request(), read(MIS=50), last_fill_at=AT - LAGS_AT_MOST).quantity == 50


ROW = UnreadableRow("NFO", SYMBOL, None, None, None, "netqty '1,000'")
NAMELESS = UnreadableRow(None, None, None, None, None, "netqty ''")


@pytest.mark.parametrize(
    ("snapshot", "facts", "field", "text"),
    [
        (None, {}, "client_id", "never read"),
        (read(MIS=50), {"read_error": "502"}, "client_id", "failed (502)"),
        (PositionsSnapshot(AT - timedelta(minutes=5), read(MIS=50).positions), {}, "client_id", "305 s ago"),
        (read(ROW, MIS=50), {}, "symbol", "not zero"),
        (read(NAMELESS), {}, "symbol", "not zero"),
        (read(MIS=50), {"differences": (told(-20, external=False, believed=0),)}, "symbol", "disputed"),
        (read(MIS=50), {"by_hand": {"NFO": Decimal(60)}}, "symbol", "disputed"),
        (read(), {}, "symbol", "the account had no"),
        (read(MIS=50, NRML=20), {}, "product", "NFO MIS (50), NFO NRML (20)"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_and_the_field_named(snapshot, facts, field, text):
    found, message = refused(request(), snapshot, **facts)
    assert found == field and text in message


def test_a_row_that_cannot_be_read_and_names_nothing_hides_only_what_is_not_listed():
    assert adopt(request(), read(NAMELESS, MIS=50)).quantity == 50


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"strategy_name": "OPERATOR"}, "strategy_name"),
        ({"strategy_name": "operator "}, "strategy_name"),
        ({"strategy_name": " "}, "strategy_name"),
        ({"strategy_name": "x" * 81}, "strategy_name"),
        ({"strategy_name": "{{strategy}}"}, "strategy_name"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": -50}, "quantity"),
        ({"symbol": ""}, "symbol"),
        ({"reason": " "}, "reason"),
    ],
)
def test_a_request_that_cannot_be_right_is_refused_whatever_is_there(changes, field):
    found, _ = refused(request(**changes), read(MIS=50))
    assert found == field


def test_the_exchange_is_named_where_there_are_several():
    both = PositionsSnapshot(AT, (*read(MIS=50).positions, *read(exchange="BFO", MIS=20).positions))
    assert refused(request(), both)[0] == "exchange"
    assert adopt(request(exchange="NFO"), both).exchange == "NFO"


def test_nobody_adopts_against_its_own_short():
    with pytest.raises(AdoptionNotPossible, match="on the other side"):
        adopt(request(20, product="MIS"), read(MIS=20, NRML=-50), held("S1", -50, "NRML"))


def test_what_was_told_is_smaller_by_what_was_adopted():
    done = adopt(request(20), read(MIS=50), differences=(told(50),))
    assert done.difference == told(30, external=False)
    mixed = adopt(request(50), read(MIS=60), differences=(told(40),), by_hand={"NFO": Decimal(20)})
    assert (mixed.difference, mixed.explained) == (told(0, external=False), Decimal(10))
