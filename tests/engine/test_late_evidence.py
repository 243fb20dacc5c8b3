"""Evidence that comes late, in parts, or contradicts itself: an exit ends flat and never takes what is not its own."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus, Position, PositionsSnapshot
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.errors import OutcomeUnknown, ReadFailed
from domain.limits import ExitScope, StrategyBook, StrategyPolicy
from domain.states import Phase, Status
from tests.support import EXIT, MARKET_EXIT, Desk, leg


def spin(desk: Desk, seconds: float) -> None:
    for _ in range(int(seconds * 2)):
        desk.engine.tick()
        desk.clock.advance(0.5)


def net(desk: Desk) -> Decimal:
    return sum((p.net_quantity for p in desk.broker.read_positions().positions), Decimal(0))


def accepts_late(desk: Desk, seconds: float) -> None:
    desk.broker.traits = replace(desk.broker.traits, visibility_horizon=3.0, acceptance_horizon=seconds)


def lose(desk: Desk) -> list[UniversalOrderCommand]:
    """The next order is not answered; returns the list in which its command will stand."""
    taken: list[UniversalOrderCommand] = []
    desk.broker.before_place = taken.append
    desk.broker.script = [OutcomeUnknown("timed out")]
    return taken


def test_what_the_broker_accepts_long_after_we_hung_up_is_never_called_absent(desk):
    desk.post()
    desk.settle()
    accepts_late(desk, 60)
    taken = lose(desk)
    (first,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 25)
    assert desk.order(first.command_id).phase is Phase.UNKNOWN
    (second,) = desk.post(MARKET_EXIT, signal_id="again", **EXIT)
    spin(desk, 5)
    assert desk.order(second.command_id).phase is Phase.REGISTERED
    desk.broker._take(taken[0])
    spin(desk, 20)
    assert desk.order(first.command_id).status is Status.EXECUTED
    assert desk.order(second.command_id).tag == "GUARD_BLOCKED:NO_POSITION"
    assert net(desk) == 0


def test_absence_stays_provisional_for_as_long_again(desk):
    desk.post()
    desk.settle()
    accepts_late(desk, 20)
    taken = lose(desk)
    (first,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 45)
    assert desk.order(first.command_id).phase is Phase.ABSENT
    (second,) = desk.post(MARKET_EXIT, signal_id="again", **EXIT)
    (entry,) = desk.post(leg(price=Decimal(99)), strategy_name="OTHER")
    spin(desk, 3)
    assert desk.order(second.command_id).phase is Phase.REGISTERED
    assert desk.order(entry.command_id).tag == "GUARD_BLOCKED:OUTCOME_UNKNOWN"
    desk.broker._take(taken[0])
    spin(desk, 12)
    assert desk.order(first.command_id).status is Status.EXECUTED
    assert "RESURRECTED" in [n.kind for n in desk.notices]
    assert net(desk) == 0


def test_an_operator_ends_the_wait_for_a_late_acceptance(desk):
    desk.post()
    desk.settle()
    accepts_late(desk, 20)
    lose(desk)
    (first,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 45)
    desk.commands.resolve(first.command_id, by="cli:ann", failed_reason="not in the terminal")
    (second,) = desk.post(MARKET_EXIT, signal_id="again", **EXIT)
    spin(desk, 3)
    assert desk.order(second.command_id).status is Status.EXECUTED


def test_an_exit_takes_its_resting_entry_back(desk):
    desk.broker.fill_at_once = False
    (entry,) = desk.post()
    spin(desk, 3)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 15)
    assert desk.order(entry.command_id).phase is Phase.CANCELLED
    assert desk.order(exit_.command_id).tag == "GUARD_BLOCKED:NO_POSITION"


def test_an_exit_waits_for_its_unknown_entry_and_closes_what_it_brought(desk):
    accepts_late(desk, 60)
    taken = lose(desk)
    desk.post()
    spin(desk, 2)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 30)
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    desk.broker._take(taken[0])
    spin(desk, 15)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert net(desk) == 0


def test_an_exit_with_a_quantity_leaves_entries_alone(make_desk):
    desk = make_desk()
    desk.broker.fill_at_once = False
    desk.post()
    spin(desk, 3)
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    spin(desk, 3)
    desk.post(leg(qty=10, side=None, order_type=OrderType.MARKET, price=None), **EXIT)
    spin(desk, 3)
    assert desk.broker.cancelled == []


def test_the_rest_of_a_partly_filled_entry_leaves_too(desk):
    desk.broker.fill_at_once = False
    desk.post()
    spin(desk, 3)
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    spin(desk, 3)
    desk.broker.fill_at_once = True
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 5)
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)  # it was filled before the cancel
    spin(desk, 15)
    assert net(desk) == 0
    assert desk.order(f"{exit_.command_id}.2").quantity == 30


@pytest.mark.parametrize(("scope", "left"), [(ExitScope.OWN, 50), (ExitScope.POSITION, 0)])
def test_units_by_hand_are_the_strategys_only_where_its_scope_says_so(desk, scope, left):
    desk.policies["default"] = replace(
        desk.policies["default"], strategies=StrategyBook(StrategyPolicy(scope))
    )
    desk.kill()
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    desk.post()
    desk.settle()
    desk.broker.orders["H1"] = replace(
        desk.broker.orders["B00001"], broker_order_id="H1", client_order_id=None
    )
    desk.broker.products["H1"] = "MIS"
    spin(desk, 15)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 10)
    assert net(desk) == left


def test_empty_reads_send_nothing_forget_nothing_and_end_no_exit(desk):
    desk.post()
    desk.settle()
    right = desk.broker.read_positions
    desk.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(desk.clock.now(), ())
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 40)
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    assert len(desk.store.holdings("default")) == 1
    (entry,) = desk.post(leg(price=Decimal(99)), strategy_name="OTHER")
    assert entry.tag == "GUARD_BLOCKED:POSITION_DISPUTED"
    desk.broker.read_positions = right
    spin(desk, 8)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert net(desk) == 0


def test_of_two_figures_that_stay_different_the_smaller_is_sent_and_a_person_asked(desk):
    desk.post()
    desk.settle()
    right = desk.broker.read_positions

    def less(*, urgent: bool = False) -> PositionsSnapshot:
        read = right()
        return PositionsSnapshot(
            read.read_started_at,
            tuple(replace(p, net_quantity=max(p.net_quantity - 30, Decimal(0))) for p in read.positions),
        )

    desk.broker.read_positions = less
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 20)
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    spin(desk, 20)
    assert desk.order(exit_.command_id).quantity == 20
    assert any("has to be exited by a person" in n.detail for n in desk.notices)


def test_a_stop_passes_a_target(desk):
    desk.post()
    desk.settle()
    desk.broker.fill_at_once = False
    (target,) = desk.post(leg(qty=None, side=None, price=Decimal(150)), **EXIT)
    spin(desk, 3)
    desk.broker.fill_at_once = True
    (stop,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 10)
    assert desk.order(target.command_id).phase is Phase.CANCELLED
    assert desk.order(stop.command_id).status is Status.EXECUTED
    assert net(desk) == 0


def test_a_sale_cannot_close_a_short(desk):
    desk.post(leg(side=Side.SELL))
    desk.settle()
    (exit_,) = desk.post(replace(MARKET_EXIT, side=Side.SELL), **EXIT)
    desk.settle()
    order = desk.order(exit_.command_id)
    assert order.tag == "GUARD_BLOCKED:NO_POSITION" and "still open: -50 MIS" in order.reason_message
    assert net(desk) == -50


def test_an_exit_that_waits_is_told_after_fifteen_seconds_and_every_five_minutes(desk):
    accepts_late(desk, 3600)
    desk.post()
    desk.settle()
    lose(desk)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 3)
    (second,) = desk.post(MARKET_EXIT, signal_id="again", **EXIT)
    told = []
    for seconds in (12, 10, 320):
        desk.clock.advance(0)
        for _ in range(seconds // 2):
            desk.engine.tick()
            desk.clock.advance(2)
        told.append(
            sum(n.order is not None and n.order.command_id == second.command_id for n in desk.notices)
        )
    assert told == [0, 1, 2]


def lag_positions(desk: Desk, seconds: float) -> None:
    """From now on the positions are shown as they were so long ago."""
    read, seen = desk.broker.read_positions, list[PositionsSnapshot]()

    def late(*, urgent: bool = False) -> PositionsSnapshot:
        now = read()
        seen.append(now)
        old = [s for s in seen if (now.read_started_at - s.read_started_at).total_seconds() >= seconds]
        return replace(
            old[-1] if old else replace(seen[0], positions=()), read_started_at=now.read_started_at
        )

    desk.broker.read_positions = late  # type: ignore[method-assign]


@pytest.mark.parametrize("lag", [2, 4, 8])
@pytest.mark.parametrize("gap", [0.5, 1, 3, 6])
def test_repeated_exits_of_the_whole_position_never_turn_it(make_desk, lag, gap):
    desk = make_desk(strategy=StrategyPolicy(ExitScope.POSITION))
    lag_positions(desk, lag)
    desk.post()
    spin(desk, gap)
    for number in range(4):
        desk.post(MARKET_EXIT, signal_id=str(number), **EXIT)
        spin(desk, gap)
    spin(desk, 40)
    assert [(c.side, c.quantity) for c in desk.broker.placed] == [(Side.BUY, 50), (Side.SELL, 50)]


def by_hand(desk: Desk, quantity: int, product: str = "MIS", symbol: str = "NIFTY26NOV24500CE") -> None:
    """Somebody trades in the account, by other ways than ours; the broker's book does not show the order."""
    read = desk.broker.read_positions

    def with_it(*, urgent: bool = False) -> PositionsSnapshot:
        snapshot = read()
        place = ("NFO", symbol, product)
        rest = [p for p in snapshot.positions if (p.exchange, p.symbol, p.product) != place]
        return replace(snapshot, positions=(*rest, Position(*place, snapshot.net(*place) + quantity)))

    desk.broker.read_positions = with_it  # type: ignore[method-assign]


def test_what_an_exit_of_the_whole_position_took_by_hand_is_there_no_more(make_desk):
    desk = make_desk(strategy=StrategyPolicy(ExitScope.POSITION))
    by_hand(desk, 10)
    spin(desk, 20)
    desk.post(leg(qty=10))
    spin(desk, 10)
    lag_positions(desk, 4)
    spin(desk, 8)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 1)
    desk.post(leg(qty=5, side=None, order_type=OrderType.MARKET, price=None), **EXIT)
    spin(desk, 30)
    assert [(c.side, c.quantity) for c in desk.broker.placed] == [(Side.BUY, 10), (Side.SELL, 20)]


def test_an_exit_leaves_units_of_another_product_that_were_there_before(desk):
    by_hand(desk, 50, "NRML")
    spin(desk, 20)
    desk.post()
    spin(desk, 40)
    by_hand(desk, -50, "MIS")  # squared off
    spin(desk, 20)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert [c.side for c in desk.broker.placed] == [Side.BUY]
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED, "a person decides"


def test_an_exit_follows_a_conversion(desk):
    desk.post()
    spin(desk, 60)
    by_hand(desk, -50, "MIS")
    by_hand(desk, 50, "NRML")
    spin(desk, 5)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 5)
    assert [(c.side, c.product) for c in desk.broker.placed] == [(Side.BUY, "MIS"), (Side.SELL, "NRML")]


def test_an_old_read_of_what_another_strategy_sold_in_another_product_is_no_conversion(desk):
    desk.post()
    desk.post(leg(product="NRML"), strategy_name="OTHER")
    spin(desk, 40)
    by_hand(desk, -50, "MIS")  # squared off
    spin(desk, 5)
    lag_positions(desk, 4)
    spin(desk, 8)
    (first,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 5)
    desk.post(replace(MARKET_EXIT, product="NRML"), strategy_name="OTHER", **EXIT)
    spin(desk, 60)
    assert [(c.side, c.product) for c in desk.broker.placed][2:] == [(Side.SELL, "NRML")]
    assert desk.order(first.command_id).phase is not Phase.FILLED


def test_a_fill_of_others_does_not_hide_a_conversion_from_an_exit(desk):
    desk.post()
    spin(desk, 2)
    desk.broker.fill_at_once = False
    desk.post(leg(qty=25), strategy_name="OTHER")
    spin(desk, 2)
    by_hand(desk, -50, "MIS")
    by_hand(desk, 50, "NRML")
    desk.broker.fill_at_once = True
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 10)
    desk.broker.report("B00002", BrokerStatus.COMPLETE, 25)
    spin(desk, 60)
    assert desk.order(exit_.command_id).phase is Phase.FILLED
    assert sum(c.quantity for c in desk.broker.placed[2:]) == 50
    assert not any("our own fills say" in (n.detail or "") for n in desk.notices)
    assert desk.rows("SELECT strategy_name, net_quantity FROM holdings") == [("OTHER", "25")]


def squares_off(desk: Desk, quantity: int) -> None:
    """The broker sells, which its order book shows at once."""
    command = UniversalOrderCommand.of(desk.order(desk.post(leg("ELSEWHERE"))[0].command_id))
    desk.engine.tick()
    number = desk.broker._take(
        replace(
            command,
            client_order_id="",
            symbol="NIFTY26NOV24500CE",
            side=Side.SELL,
            quantity=Decimal(quantity),
        )
    )
    desk.broker.placed.pop()
    desk.broker.orders[number] = replace(desk.broker.orders[number], client_order_id=None)


@pytest.mark.parametrize("late", [0.2, 1, 2, 3])
def test_an_exit_just_after_the_brokers_square_off_sells_nothing_more(desk, late):
    desk.broker.traits = replace(desk.broker.traits, position_horizon=2.0, book_interval=1.0)
    desk.post()
    spin(desk, 40)
    lag_positions(desk, 3)
    spin(desk, 11)
    squares_off(desk, 50)
    desk.clock.advance(late)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 40)
    assert [c.side for c in desk.broker.placed if c.symbol != "ELSEWHERE"] == [Side.BUY]
    assert desk.order(exit_.command_id).tag == "GUARD_BLOCKED:NO_POSITION"


def test_a_book_that_cannot_be_read_keeps_no_exit_for_long(desk):
    desk.broker.traits = replace(desk.broker.traits, position_horizon=2.0)
    desk.post()
    spin(desk, 10)
    desk.broker.book_error = ReadFailed("502")
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 5)
    assert desk.order(exit_.command_id).phase is Phase.REGISTERED
    spin(desk, 10)
    assert [c.side for c in desk.broker.placed] == [Side.BUY, Side.SELL]
