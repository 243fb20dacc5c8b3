"""What our strategies hold, beside the broker's positions: told once, believed late, and never traded on."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, Position, PositionsSnapshot, UnreadableRow
from domain.enums import ExecutionType, Side, TestMode
from domain.errors import OutcomeUnknown, ReadFailed, StoreUnavailable
from domain.notices import NoticeKind
from domain.position_comparison import compared
from domain.risk_facts import Holding
from domain.states import Phase
from tests.support import Desk, leg

SYMBOL = "NIFTY26NOV24500CE"
TELLING = {
    NoticeKind.POSITION_DIFFERS,
    NoticeKind.EXTERNAL_POSITION,
    NoticeKind.POSITION_AGREES,
    NoticeKind.HOLDING_CLEARED,
}


def shows(desk: Desk, *positions: tuple[str, int] | tuple[str, int, str]) -> None:
    """From now on the broker shows these: symbol, net quantity, and the product where it is not MIS."""
    found = [Position("NFO", p[0], p[2] if len(p) > 2 else "MIS", Decimal(p[1])) for p in positions]

    def read_positions(*, urgent: bool = False) -> PositionsSnapshot:
        if desk.broker.positions_error is not None:
            raise desk.broker.positions_error
        return PositionsSnapshot(desk.clock.now(), tuple(found))

    desk.broker.read_positions = read_positions  # type: ignore[method-assign]


def look(desk: Desk, times: int = 1) -> list[str]:
    """Read the positions so many times; what was told of them meanwhile."""
    before = len(desk.notices)
    for _ in range(times):
        desk.clock.advance(2)
        desk.engine.refresh("default", force=True)
    return [str(n.kind) for n in desk.notices[before:] if n.kind in TELLING]


def standing(desk: Desk) -> list[tuple[object, ...]]:
    """What was told and still stands."""
    return desk.rows("SELECT symbol, product, held, at_broker, kind FROM position_differences ORDER BY 1, 2")


@pytest.fixture
def holding(desk: Desk) -> Desk:
    """STRADDLE holds 50, and the broker shows so."""
    desk.post()
    desk.settle()
    shows(desk, (SYMBOL, 50))
    assert look(desk, 3) == []
    return desk


# what is told -----------------------------------------------------------------------------------------------


def test_a_difference_is_told_once_when_two_reads_show_it(holding):
    shows(holding, (SYMBOL, 60))
    assert look(holding) == []
    assert standing(holding) == []
    assert look(holding) == ["POSITION_DIFFERS"]
    notice = holding.notices[-1]
    assert (notice.client_id, notice.symbol) == ("default", SYMBOL)
    assert notice.detail == "NFO MIS: our strategies hold 50, the broker has 60: +10"
    assert standing(holding) == [(SYMBOL, "MIS", "50", "60", "DIFFERENT")]
    assert look(holding, 5) == []


def test_it_is_told_again_when_it_changes_and_when_it_is_gone(holding):
    shows(holding, (SYMBOL, 60))
    look(holding, 3)
    shows(holding, (SYMBOL, 30))
    assert look(holding, 3) == ["POSITION_DIFFERS"]
    assert holding.notices[-1].detail.endswith("the broker has 30: -20 (before: 10)")
    shows(holding, (SYMBOL, 50))
    assert look(holding) == []
    assert look(holding) == ["POSITION_AGREES"]
    assert standing(holding) == []
    assert look(holding, 3) == []


def test_what_only_flickers_is_never_told(holding):
    for _ in range(4):
        shows(holding, (SYMBOL, 60))
        assert look(holding) == []
        shows(holding, (SYMBOL, 50))
        assert look(holding) == []


def test_what_is_different_at_each_read_is_told_when_it_stands_still(holding):
    for shown in (60, 70, 80, 90):
        shows(holding, (SYMBOL, shown))
        assert look(holding) == []
    assert look(holding) == ["POSITION_DIFFERS"]
    assert standing(holding) == [(SYMBOL, "MIS", "50", "90", "DIFFERENT")]


def test_a_position_that_nobody_of_ours_holds_is_external_and_left_alone(desk):
    sent = len(desk.broker.placed)
    shows(desk, ("GOLD", -5))
    assert look(desk, 2) == ["EXTERNAL_POSITION"]
    assert standing(desk) == [("GOLD", "MIS", "0", "-5", "EXTERNAL")]
    desk.engine.tick()
    assert look(desk, 3) == []
    assert len(desk.broker.placed) == sent and not desk.broker.cancelled
    assert desk.store.holdings("default") == []
    shows(desk)
    assert look(desk, 2) == ["POSITION_AGREES"]


def test_strategies_count_together_and_products_apart(desk):
    desk.post()
    desk.post(leg(product="NRML"), strategy_name="CALENDAR")
    desk.post(leg(quantity=Decimal(20)), strategy_name="SECOND")
    desk.settle()
    shows(desk, (SYMBOL, 70), (SYMBOL, 50, "NRML"))
    assert look(desk, 3) == []
    shows(desk, (SYMBOL, 120))
    assert sorted(look(desk, 2)) == ["POSITION_DIFFERS"] * 2
    assert standing(desk) == [
        (SYMBOL, "MIS", "70", "120", "DIFFERENT"),
        (SYMBOL, "NRML", "50", "0", "DIFFERENT"),
    ]


def test_when_both_sides_move_by_the_same_the_figures_follow_in_silence(holding):
    shows(holding, (SYMBOL, 60))
    look(holding, 2)
    holding.post(leg(quantity=Decimal(5)), strategy_name="SECOND")
    holding.engine.tick()
    holding.engine.tick()
    shows(holding, (SYMBOL, 65))
    assert look(holding, 3) == []
    assert standing(holding) == [(SYMBOL, "MIS", "55", "65", "DIFFERENT")]


def test_what_the_broker_shows_flat_is_told_once_with_who_held_it(holding):
    holding.post(leg(quantity=Decimal(20)), strategy_name="SECOND")
    holding.settle()
    shows(holding)
    assert look(holding, 4) == ["POSITION_DIFFERS"]
    assert look(holding, 80) == []
    assert look(holding, 12) == ["HOLDING_CLEARED"]
    notice = next(n for n in holding.notices if n.kind is NoticeKind.HOLDING_CLEARED)
    assert notice.detail == (
        f"the broker shows NFO {SYMBOL} flat (it has for minutes); no longer held: SECOND 20 MIS, STRADDLE 50 MIS"
    )
    assert standing(holding) == []


# what is not judged -----------------------------------------------------------------------------------------


def test_an_unreadable_position_is_not_zero(holding):
    shows(holding, (SYMBOL, 60))
    look(holding, 2)
    holding.broker.positions_error = ReadFailed("502")
    shows(holding, (SYMBOL, 50))
    assert look(holding, 10) == []
    assert standing(holding) == [(SYMBOL, "MIS", "50", "60", "DIFFERENT")]


def leave_unknown(desk: Desk, symbol: str = SYMBOL) -> str:
    desk.broker.script = [OutcomeUnknown("timeout")]
    (order,) = desk.post(leg(symbol), strategy_name="LATE")
    desk.engine.execute_next("default")
    assert desk.order(order.command_id).phase is Phase.UNKNOWN
    return str(order.command_id)


def test_nothing_is_judged_while_an_outcome_on_the_symbol_is_unknown(holding):
    unknown = leave_unknown(holding)
    shows(holding, (SYMBOL, 100))
    assert look(holding, 40) == []
    holding.commands.resolve(unknown, by="op", failed_reason="not in the terminal")
    assert look(holding, 2) == ["POSITION_DIFFERS"]


def test_an_unknown_outcome_elsewhere_does_not_matter(holding):
    leave_unknown(holding, "OTHER")
    shows(holding, (SYMBOL, 60))
    assert look(holding, 2) == ["POSITION_DIFFERS"]


def test_nothing_is_judged_while_an_order_is_partly_filled(holding):
    holding.broker.fill_at_once = False
    (order,) = holding.post(leg(quantity=Decimal(30)), strategy_name="LATE")
    holding.engine.execute_next("default")
    holding.broker.report(holding.order(order.command_id).broker_order_id, BrokerStatus.OPEN, 10)
    holding.engine.reconcile("default")
    assert holding.order(order.command_id).phase is Phase.PARTIALLY_FILLED
    shows(holding, (SYMBOL, 95))  # more than the rest of it could explain
    assert look(holding, 5) == []
    holding.broker.report(holding.order(order.command_id).broker_order_id, BrokerStatus.CANCELLED, 10)
    holding.engine.reconcile("default")
    assert look(holding, 3) == ["POSITION_DIFFERS"]
    assert standing(holding) == [(SYMBOL, "MIS", "60", "95", "DIFFERENT")]


@pytest.mark.parametrize(
    ("shown", "side", "reads"),
    [
        (80, Side.BUY, 31),  # as if all of it were filled and not recorded: not for long
        (60, Side.BUY, 31),  # or a part of it
        (81, Side.BUY, 2),  # more than it could be
        (40, Side.BUY, 2),  # the other way
        (20, Side.SELL, 31),
        (60, Side.SELL, 2),
    ],
)
def test_a_resting_order_may_explain_a_difference_but_not_for_ever(holding, shown, side, reads):
    holding.broker.fill_at_once = False
    if side is Side.BUY:
        (order,) = holding.post(leg(quantity=Decimal(30)), strategy_name="LATE")
    else:
        (order,) = holding.post(leg(qty=30, side=None), execution_type=ExecutionType.EXIT)
    holding.engine.tick()
    assert holding.order(order.command_id).phase is Phase.WORKING
    shows(holding, (SYMBOL, shown))
    assert look(holding, reads - 1) == []
    assert look(holding, 1) == ["POSITION_DIFFERS"]


def test_a_fill_may_be_missing_from_positions_for_the_brokers_horizon(desk):
    desk.broker.traits = replace(desk.broker.traits, position_horizon=7.0)
    shows(desk)
    desk.post()
    desk.engine.tick()
    desk.engine.tick()
    assert [h.net_quantity for h in desk.store.holdings("default")] == [50]
    shows(desk, (SYMBOL, 20))
    assert look(desk, 4) == []  # the first read that counts begins 8 s after the fill
    assert look(desk, 1) == ["POSITION_DIFFERS"]


def test_orders_in_test_mode_are_no_reason_and_make_no_holding(holding):
    holding.post(leg("GOLD"), test_mode=TestMode.SUCCESS, strategy_name="TRIAL")
    holding.settle()
    assert look(holding, 3) == []
    (order,) = holding.post(test_mode=TestMode.SUCCESS, strategy_name="TRIAL")
    holding.store.update_status(order.command_id, Phase.REGISTERED, Phase.SUBMITTING, actor="test")
    shows(holding, (SYMBOL, 60))
    assert look(holding, 2) == ["POSITION_DIFFERS"]


# told once, whatever restarts -------------------------------------------------------------------------------


def test_a_restart_tells_nothing_again_and_still_tells_the_end(holding):
    shows(holding, (SYMBOL, 60), ("GOLD", 5))
    assert sorted(look(holding, 2)) == ["EXTERNAL_POSITION", "POSITION_DIFFERS"]
    holding.replace_watcher()
    holding.engine.reconcile("default")
    assert look(holding, 4) == []
    shows(holding, (SYMBOL, 50), ("GOLD", 5))
    assert look(holding, 2) == ["POSITION_AGREES"]
    assert [row[0] for row in standing(holding)] == ["GOLD"]


def test_of_two_watchers_one_tells(holding):
    second, first = holding.new_engine("watcher-2"), holding.engine
    shows(holding, (SYMBOL, 60))
    told = []
    for _ in range(4):
        for holding.engine in (first, second):
            told += look(holding)
    assert told == ["POSITION_DIFFERS"]


def test_what_could_not_be_kept_is_told_by_the_next_read(holding, monkeypatch):
    shows(holding, (SYMBOL, 60))
    look(holding)
    write: Callable[..., object] = holding.store.write

    def refuse(work: object) -> object:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(holding.store, "write", refuse)
    with pytest.raises(StoreUnavailable):
        look(holding)
    monkeypatch.setattr(holding.store, "write", write)
    assert look(holding) == ["POSITION_DIFFERS"]


def test_a_told_difference_costs_no_look_at_the_orders(holding, monkeypatch):
    shows(holding, (SYMBOL, 60))
    look(holding, 2)
    monkeypatch.setattr(holding.store, "get_open_orders", lambda client_id: pytest.fail("not needed"))
    monkeypatch.setattr(holding.store, "last_fill_at", lambda *place: pytest.fail("not needed"))
    assert look(holding, 3) == []


# the comparison itself --------------------------------------------------------------------------------------


def test_every_place_that_either_side_knows_is_compared(desk):
    held = [
        Holding("default", "A", "NFO", "X", "MIS", Decimal(50)),
        Holding("default", "B", "NFO", "X", "MIS", Decimal(-50)),
        Holding("default", "A", "BFO", "X", "MIS", Decimal(10)),
    ]
    shown = (Position("NFO", "X", "MIS", Decimal(0)), Position("NFO", "Y", "CNC", Decimal(3)))
    found = compared(PositionsSnapshot(desk.clock.now(), shown), held)
    assert {place: (d.amount, d.is_external) for place, d in found.items()} == {
        ("NFO", "X", "MIS"): (0, False),  # two strategies against each other hold something
        ("BFO", "X", "MIS"): (-10, False),
        ("NFO", "Y", "CNC"): (3, True),
    }


# shares of earlier days -------------------------------------------------------------------------------------


def has_shares(desk: Desk, net: int, delivered: int, *more: Position) -> None:
    """From now on the broker shows so many shares, so many of them delivered on earlier days."""
    shares = Position("NFO", SYMBOL, "CNC", Decimal(net), delivered=Decimal(delivered))
    snapshot_of = (shares, *more)
    desk.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(  # type: ignore[method-assign]
        desk.clock.now(), snapshot_of
    )


@pytest.fixture
def saver(desk: Desk) -> Desk:
    """The account has 100 shares of old; STRADDLE buys 50 more for delivery."""
    has_shares(desk, 100, 100)
    assert look(desk, 3) == []
    desk.post(legs=(leg(product="CNC"),))
    desk.settle()
    desk.clock.advance(60)
    return desk


def test_shares_of_earlier_days_beside_a_strategys_are_no_difference(saver):
    has_shares(saver, 150, 100)
    assert look(saver, 5) == []
    assert list(saver.store._rows("SELECT held, at_broker, savings FROM position_differences")) == [
        ("50", "150", "100")
    ], "exits must know of units that are not the strategy's"
    has_shares(saver, 150, 150)  # the night has delivered the strategy's too
    assert look(saver, 5) == []


def test_they_are_not_called_gone_when_the_strategy_has_sold_its_own(saver):
    has_shares(saver, 150, 100)
    look(saver, 5)
    saver.post(execution_type=ExecutionType.EXIT, legs=(leg(side=Side.SELL, product="CNC"),))
    saver.settle()
    has_shares(saver, 100, 100)
    saver.clock.advance(60)
    assert look(saver, 5) == []
    assert standing(saver) == []


def test_more_than_was_delivered_is_told_and_so_is_less_than_the_strategy_holds(saver):
    has_shares(saver, 170, 100)
    assert look(saver, 3) == ["POSITION_DIFFERS"]
    assert saver.notices[-1].detail == (
        "NFO CNC: our strategies hold 50, the broker has 170, of which 100 were delivered on earlier days and are no "
        "strategy's: +20"
    )
    has_shares(saver, 150, 100)
    assert look(saver, 3) == ["POSITION_AGREES"]
    assert saver.notices[-1].detail == (
        "NFO CNC: our strategies hold 50, the broker has 150, of which 100 were delivered on earlier days and are no "
        "strategy's; the difference of 20 is gone"
    )
    has_shares(saver, 30, 30)
    assert look(saver, 3) == ["POSITION_DIFFERS"]
    assert saver.notices[-1].detail == "NFO CNC: our strategies hold 50, the broker has 30: -20"


def test_what_was_bought_by_hand_is_not_called_zero_when_it_has_been_delivered(desk):
    has_shares(desk, 120, 100)
    assert look(desk, 3) == ["EXTERNAL_POSITION"]
    has_shares(desk, 120, 120)
    assert look(desk, 3) == ["POSITION_AGREES"]
    assert desk.notices[-1].detail == (
        "NFO CNC: our strategies hold 0, the broker has 120, of which 120 were delivered on earlier days and are no "
        "strategy's; the difference of 20 is gone"
    )


@pytest.mark.parametrize("symbol", [SYMBOL, "GOLD"])
def test_a_difference_that_cannot_be_read_any_more_is_not_called_gone(holding, symbol):
    shows(holding, (SYMBOL, 50), (symbol, 60))
    look(holding, 3)
    row = UnreadableRow("NFO", symbol, "MIS", None, None, "netqty '1,0'")
    holding.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(
        holding.clock.now(), (), unreadable=(row,)
    )
    assert [n for n in look(holding, 5) if n == "POSITION_AGREES"] == []
    assert (symbol, "60") in [(row[0], row[3]) for row in standing(holding)]
