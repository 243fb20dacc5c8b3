"""Where a broker echoes nothing, a report is ours only when it can be nobody else's and nothing more can come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, BrokerStatus, OrderReport
from domain.enums import ExecutionType, OrderType, Side
from domain.notice_keys import Alarm, NoticeSubject, of_order
from domain.order import Order
from domain.order_matching import Attribution, SeenOrders, attribute, might_be
from domain.reconciliation import NOTHING, Verdict, decide
from domain.states import Phase
from tests.domain.making import SENT, an_order

ENDS = timedelta(seconds=17)
TRAITS = BrokerTraits("mute", is_real=False, id_class=IdClass.C0, visibility_horizon=3.0, time_error=2.0)
PROVEN_AT = SENT + ENDS + timedelta(seconds=3)
TICK = timedelta(microseconds=1)
FOLLOWED = SeenOrders(followed_from=SENT - timedelta(seconds=9))


def row(name: str = "r1", **changes: object) -> Order:
    return an_order(Phase.UNKNOWN, **{"command_id": name, **changes})


def report(name: str = "B1", **changes: object) -> OrderReport:
    values: dict[str, object] = {
        "broker_order_id": name,
        "client_order_id": None,
        "status": BrokerStatus.OPEN,
        "exchange": "NFO",
        "symbol": "NIFTY26NOV24500CE",
        "side": Side.BUY,
        "quantity": Decimal(50),
        "placed_at": SENT,
    }
    return OrderReport(**(values | changes))  # type: ignore[arg-type]


def match(
    rows: Sequence[Order],
    reports: Sequence[OrderReport],
    sightings: SeenOrders = FOLLOWED,
    *,
    at=PROVEN_AT,
    **book: object,
) -> Attribution:
    seen = Book(at, tuple(reports), **{"complete": True, **book})  # type: ignore[arg-type]
    return attribute(rows, seen, sightings, TRAITS, sending_ends=ENDS)


def ids(found: Attribution) -> dict[str, str]:
    return {command_id: r.broker_order_id for command_id, r in found.owned.items()}


def test_one_order_and_one_report_that_agree_in_everything_are_one():
    found = match([row()], [report()])
    assert ids(found) == {"r1": "B1"}
    assert found.possible == {}


DIFFERENT = [
    {"exchange": "BFO"},
    {"symbol": "OTHER"},
    {"side": Side.SELL},
    {"quantity": Decimal(75)},
    {"product": "NRML"},
    {"order_type": OrderType.MARKET},
    {"price": Decimal(99)},
    {"placed_at": SENT - timedelta(seconds=2) - TICK},
    {"placed_at": SENT + ENDS + timedelta(seconds=2) + TICK},
]
SAME = [
    {"product": "MIS", "order_type": OrderType.LIMIT, "price": Decimal("112.50")},
    {"placed_at": SENT - timedelta(seconds=2)},
    {"placed_at": SENT + ENDS + timedelta(seconds=2)},
    {"status": BrokerStatus.REJECTED},
]


@pytest.mark.parametrize("changes", DIFFERENT, ids=str)
def test_a_report_that_differs_in_anything_is_not_it(changes):
    assert ids(match([row()], [report(**changes)])) == {}


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_what_agrees_within_the_clocks_error_is_it(changes):
    assert ids(match([row()], [report(**changes)])) == {"r1": "B1"}


def test_the_price_of_an_order_at_market_is_the_brokers_own_matter():
    market = row(order_type=OrderType.MARKET, price=None)
    assert ids(match([market], [report(price=Decimal("119.95"))])) == {"r1": "B1"}


@pytest.mark.parametrize(
    ("at", "book"),
    [
        (PROVEN_AT - TICK, {}),
        (PROVEN_AT, {"complete": False}),
        (PROVEN_AT, {"covers_from": SENT + TICK}),
    ],
    ids=str,
)
def test_nothing_is_matched_while_another_report_could_still_come(at, book):
    """The one that is there may be somebody else's, and ours on its way."""
    found = match([row()], [report()], at=at, **book)
    assert found.owned == {}
    assert found.possible == {"r1": ("B1",)}


# whose ------------------------------------------------------------------------------------------------------


def test_two_reports_for_one_order_and_one_for_two_are_nobodys():
    two = match([row()], [report("B1"), report("B2")])
    assert (two.owned, two.possible) == ({}, {"r1": ("B1", "B2")})
    one = match([row("r1"), row("r2")], [report("B1")])
    assert (one.owned, one.possible) == ({}, {"r1": ("B1",), "r2": ("B1",)})


def test_two_of_a_kind_take_two_reports_in_order_of_time_however_the_book_is_sorted():
    rows = [row("r2", sent_at=SENT + timedelta(seconds=1)), row("r1")]
    reports = [report("B1", placed_at=SENT + timedelta(seconds=1)), report("B2")]
    for book in (reports, reports[::-1]):
        found = match(rows, book, at=PROVEN_AT + timedelta(seconds=1))
        assert ids(found) == {"r1": "B2", "r2": "B1"}


def test_two_of_a_kind_stay_unknown_where_a_report_can_be_one_of_them_only():
    """The first has X, the second nothing; E, placed by hand before the second was sent, must not make up for it."""
    rows = [row("r1"), row("r2", sent_at=SENT + timedelta(seconds=6))]
    by_hand = report("E", placed_at=SENT - timedelta(seconds=1))
    own = report("X", placed_at=SENT + timedelta(seconds=10))
    found = match(rows, [own, by_hand], at=PROVEN_AT + timedelta(seconds=6))
    assert (found.owned, found.possible) == ({}, {"r1": ("E", "X"), "r2": ("X",)})


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy_name": "OTHER"},
        {"execution_type": ExecutionType.EXIT},
        {"product": "NRML"},
        {"order_type": OrderType.MARKET, "price": None},
    ],
    ids=str,
)
def test_two_that_are_not_of_a_kind_stay_unknown_because_it_matters_who_holds_the_fill(changes):
    found = match([row("r1"), row("r2", **changes)], [report("B1"), report("B2")])
    assert found.owned == {}
    assert found.possible == {"r1": ("B1", "B2"), "r2": ("B1", "B2")}


def test_an_order_whose_call_is_under_way_may_own_a_report_and_is_never_given_one():
    calling = an_order(Phase.SUBMITTING, command_id="r2")
    assert match([row("r1"), calling], [report("B1")]).owned == {}
    assert match([row("r1"), calling], [report("B1"), report("B2")]).owned == {}
    assert match([calling], [report("B1")]).owned == {}


def test_a_report_that_another_row_has_is_no_candidate():
    claimed = replace(FOLLOWED, claimed=frozenset({"B1"}))
    assert ids(match([row()], [report("B1"), report("B2")], claimed)) == {"r1": "B2"}
    assert match([row()], [report("B1")], claimed).none_for(row())


def test_orders_on_other_symbols_do_not_make_it_ambiguous():
    found = match([row("r1"), row("r2", symbol="OTHER")], [report("B1"), report("B2", symbol="OTHER")])
    assert ids(found) == {"r1": "B1", "r2": "B2"}


# before our send --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placed_at", [SENT, None])
@pytest.mark.parametrize(("seen", "is_it"), [(timedelta(0), False), (TICK, True)])
def test_what_was_seen_before_our_send_is_not_ours(placed_at, seen, is_it):
    sightings = replace(FOLLOWED, first_seen={"B1": SENT + seen})
    found = match([row()], [report(placed_at=placed_at)], sightings)
    assert (ids(found) == {"r1": "B1"}) is is_it
    assert found.none_for(row()) is not is_it


@pytest.mark.parametrize(
    ("followed_from", "is_it"), [(None, False), (SENT + TICK, False), (SENT, True), (SENT - TICK, True)]
)
def test_without_a_time_only_a_book_from_before_our_send_shows_that_an_exits_report_is_new(
    followed_from, is_it
):
    going = row(execution_type=ExecutionType.EXIT)
    assert ids(match([going], [report(placed_at=SENT)], SeenOrders())) == {"r1": "B1"}
    found = match([going], [report(placed_at=None)], SeenOrders(followed_from=followed_from))
    assert (ids(found) == {"r1": "B1"}) is is_it
    assert found.possible == ({} if is_it else {"r1": ("B1",)}), "but it may be ours"


def test_no_entry_is_sent_before_a_whole_book_was_read_by_whichever_watcher():
    assert ids(match([row()], [report(placed_at=None)], SeenOrders())) == {"r1": "B1"}


def test_what_the_broker_accepted_late_may_be_it_as_long_as_it_may_accept():
    late = report(placed_at=SENT + ENDS + timedelta(seconds=20))
    slow = replace(TRAITS, acceptance_horizon=30.0)
    assert not might_be(row(), late, FOLLOWED, TRAITS, sending_ends=ENDS)
    assert might_be(row(), late, FOLLOWED, slow, sending_ends=ENDS)


# absence ----------------------------------------------------------------------------------------------------


def judge(order: Order, found: Attribution, *reports: OrderReport, at=PROVEN_AT) -> Verdict:
    return decide(order, Book(at, reports, complete=True), TRAITS, sending_ends=ENDS, attribution=found)


def test_absence_is_proven_when_nothing_might_be_it():
    found = match([row()], [report(side=Side.SELL)])
    assert judge(row(), found).phase is Phase.ABSENT
    assert judge(row(), found, at=PROVEN_AT - TICK) == NOTHING


@pytest.mark.parametrize("changes", DIFFERENT, ids=str)
def test_an_order_there_in_its_time_stands_against_absence_even_if_its_quantity_or_price_differ(changes):
    there = report(**changes)
    found = match([row()], [there])
    same_place_and_time = {"quantity", "product", "order_type", "price"} & changes.keys()
    verdict = judge(row(), found, there)
    if same_place_and_time:
        assert verdict.phase is Phase.UNKNOWN and "B1" in verdict.alarms[0].text
    else:
        assert verdict.phase is Phase.ABSENT


def test_without_having_been_looked_for_nothing_is_decided():
    assert judge(row(), Attribution(), report()) == NOTHING
    assert judge(row(), Attribution()) == NOTHING


def test_what_cannot_be_told_is_an_alarm_that_names_the_ids_and_comes_only_when_nothing_more_can_come():
    reports = [report("B2"), report("B1")]
    found = match([row()], reports)
    text = "it may be broker order B1 or B2; the book cannot tell, so somebody has to resolve it"
    alarm = Alarm(of_order(NoticeSubject.MAY_BE_ANY_OF, row().command_id, "B1", "B2"), text)
    assert judge(row(), found, *reports) == Verdict(Phase.UNKNOWN, {"reason_message": text}, (alarm,))
    assert judge(row(reason_message=text), found, *reports) == Verdict(alarms=(alarm,)), "nothing to write"
    assert judge(row(), found, *reports, at=PROVEN_AT - TICK) == NOTHING


def test_what_has_ended_without_an_id_does_not_rise_by_a_likeness():
    for phase in (Phase.ABSENT, Phase.REFUSED, Phase.LAPSED):
        ended = an_order(phase, command_id="r1", sent_at=SENT)
        assert judge(ended, match([], [report()]), report(status=BrokerStatus.COMPLETE)) == NOTHING


def test_a_matched_report_is_judged_like_any_other():
    filled = report(status=BrokerStatus.COMPLETE, filled_quantity=Decimal(50), average_price=Decimal(112))
    verdict = judge(row(), match([row()], [filled]), filled)
    assert verdict.phase is Phase.FILLED
    assert verdict.changes["broker_order_id"] == "B1"


# any orders, any book ---------------------------------------------------------------------------------------

OFFSETS = st.sampled_from([0.0, 1.0, 6.0, 30.0])


@st.composite
def worlds(draw):
    """Rows, what each really has at the broker (None: nothing), and orders of others."""
    rows, truth = [], {}
    for number in range(draw(st.integers(1, 4))):
        sent = SENT + timedelta(seconds=draw(OFFSETS))
        phase = draw(st.sampled_from([Phase.UNKNOWN] * 5 + [Phase.SUBMITTING]))
        strategy, quantity = draw(st.sampled_from("AB")), Decimal(draw(st.sampled_from([50, 75])))
        order = an_order(
            phase, command_id=f"r{number}", strategy_name=strategy, quantity=quantity, sent_at=sent
        )
        rows.append(order)
        if draw(st.integers(0, 3)):
            arrived = sent + timedelta(seconds=draw(st.floats(-2, 19)))
            truth[order.command_id] = report(f"B{number}", quantity=quantity, placed_at=arrived)
    others = [
        report(
            f"X{number}",
            quantity=Decimal(draw(st.sampled_from([50, 75]))),
            placed_at=SENT + timedelta(seconds=draw(st.floats(-60, 60))),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    absent = [o for o in rows if o.command_id not in truth]
    # What no such broker lets anybody tell: another's order in the place of ours.
    others = [x for x in others if not any(_alike(o, x) for o in absent)]
    return rows, truth, others


def _alike(order: Order, other: OrderReport) -> bool:
    return order.quantity == other.quantity and might_be(order, other, FOLLOWED, TRAITS, sending_ends=ENDS)


def kind(order: Order) -> tuple[str, Decimal]:
    return order.strategy_name, order.quantity


@settings(max_examples=600, deadline=None, derandomize=True)
@given(worlds(), st.data())
def test_what_is_matched_is_true_and_what_is_there_is_never_absent(world, data):
    rows, truth, others = world
    book = data.draw(st.permutations([*truth.values(), *others]))
    at = max(o.sent_at for o in rows) + ENDS + timedelta(seconds=3)
    found = match(rows, book, at=at)
    by_id = {o.command_id: o for o in rows}
    for command_id, got in found.owned.items():
        assert by_id[command_id].phase is Phase.UNKNOWN
        assert command_id in truth, "it has nothing at the broker"
        own_kind = [r for id_, r in truth.items() if kind(by_id[id_]) == kind(by_id[command_id])]
        assert got in own_kind, "it was given another's order"
    assert len({r.broker_order_id for r in found.owned.values()}) == len(found.owned)
    for order in rows:
        if found.none_for(order):
            assert order.command_id not in truth, "absent, and it is there"
    assert match(rows, book[::-1], at=at) == found, "the order of the book decided"


@given(st.floats(-2, 19), OFFSETS)
def test_an_order_that_is_alone_in_its_shape_is_always_found(arrived, sent):
    at = SENT + timedelta(seconds=sent)
    own = report(placed_at=at + timedelta(seconds=arrived))
    others = [report("X1", quantity=Decimal(75)), report("X2", side=Side.SELL)]
    found = match([row(sent_at=at)], [*others, own], at=at + ENDS + timedelta(seconds=3))
    assert ids(found) == {"r1": "B1"}
