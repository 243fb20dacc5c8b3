"""The contract of profit and loss by our own fills, of stops, and of the facts that limits need."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from domain.broker_reports import Position, PositionsSnapshot
from domain.entry_waits import WaitsFor
from domain.enums import Side
from domain.equity import EquityPoint
from domain.limits import LimitAction, Limits, OwnLimits, SymbolLimits
from domain.marks import Mark
from domain.pnl import DayResult, Lot, Place, PnlBook
from domain.risk_stops import EventKind, RiskEvent, RiskRule, Stop, StopKey
from domain.states import Phase
from tests.contract.store_making import AN_EXIT, CLIENT, EXCHANGE, STRATEGY, SYMBOL, House, StoreCase, facts

HERE = Place(CLIENT, STRATEGY, EXCHANGE, SYMBOL)
DAY = date(2026, 11, 20)
KEY = StopKey(CLIENT, STRATEGY, RiskRule.DAILY_LOSS)


def counted(house: House, limit: int = 100):
    """Read what is new, and note that it was read."""

    def work(tx):
        news = tx.new_fills(limit)
        tx.keep_fill_cursor(news.cursor)
        return news

    return house.store.write(work)


def read(house: House, *positions: Position) -> None:
    snapshot = PositionsSnapshot(house.clock.now(), positions)
    house.store.save_positions(CLIENT, snapshot, DAY)


class RiskContract(StoreCase):
    def test_fills_are_found_once_and_in_their_order(self, house):
        assert not house.store.has_new_fills()
        order = house.fill(house.work(), 20)
        house.fill(order)
        house.entered("b1", client_id="bob")
        assert house.store.has_new_fills()
        news = counted(house)
        assert news.is_all and not house.store.has_new_fills()
        assert [(f.where.client_id, f.units, f.cost) for f in news.fills] == [
            (CLIENT, Decimal(20), Decimal(2249)),
            (CLIENT, Decimal(30), Decimal("3373.5")),
            ("bob", Decimal(50), Decimal("5622.5")),
        ]
        assert counted(house).fills == []

    def test_few_at_a_time_are_all_the_same(self, house):
        for n in range(5):
            house.entered(f"a{n}", symbol=f"S{n}")
        found, rounds = [], 0
        while True:
            news = counted(house, 2)
            found += news.fills
            rounds += 1
            if news.is_all:
                break
        assert [f.where.symbol for f in found] == [f"S{n}" for n in range(5)]
        assert rounds == 3

    def test_an_exit_counts_by_its_side(self, house):
        house.entered()
        house.entered("x1", **AN_EXIT)
        assert [f.units for f in counted(house).fills] == [50, -50]

    def test_books_and_results_are_read_as_they_were_written(self, house):
        assert house.store.write(lambda tx: tx.pnl_book(HERE)) == PnlBook(HERE)
        assert house.store.write(lambda tx: tx.last_result(HERE)) is None
        at = house.clock.now()
        lots = (Lot(Decimal("-2.5"), Decimal("-250.25")), Lot(Decimal(-1), Decimal(-99)))
        book = PnlBook(HERE, lots, frozenset({"o1"}), Decimal("99.5"), at, Decimal("-3.5"), at)
        first = DayResult(HERE, DAY, Decimal("12.34"), Decimal(-5), None, 3)
        second = replace(first, day=DAY + timedelta(days=1), unrealized=Decimal("0.05"))

        def work(tx):
            tx.keep_pnl_book(replace(book, lots=()))
            tx.keep_pnl_book(book)
            tx.keep_result(second)
            tx.keep_result(first)
            tx.keep_result(DayResult(HERE._replace(client_id="bob"), DAY))

        house.store.write(work)
        assert house.store.pnl_books(CLIENT) == [book]
        assert house.store.write(lambda tx: tx.pnl_book(HERE)) == book
        assert house.store.day_results(CLIENT, DAY) == [first]
        assert house.store.write(lambda tx: tx.last_result(HERE)) == second
        house.store.write(lambda tx: tx.keep_pnl_book(PnlBook(HERE)))
        assert house.store.pnl_books(CLIENT) == []

    def test_stops_stand_until_they_are_dropped_and_have_a_history(self, house):
        at = house.clock.now()
        stop = Stop(
            KEY,
            at,
            at + timedelta(hours=1),
            Decimal(-500),
            Decimal(400),
            LimitAction.FLATTEN,
            detail="-500 today",
            by="ann",
            lifted_at=at,
            counts_from=Decimal(-500),
            flat_at=at,
        )
        other = Stop(KEY._replace(strategy_name=""), at, is_confirmed=False)

        def work(tx):
            tx.put_stop(Stop(KEY, at))
            tx.put_stop(stop)
            tx.put_stop(other)
            tx.add_risk_event(RiskEvent(at, KEY, EventKind.STOPPED, "x"))
            tx.add_risk_event(RiskEvent(at, KEY, EventKind.LIFTED))

        house.store.write(work)
        assert house.store.risk_stops(CLIENT) == [other, stop]
        assert house.store.risk_stops("bob") == []
        house.store.write(lambda tx: tx.drop_stop(KEY))
        assert house.store.risk_stops(CLIENT) == [other]
        assert [e.kind for e in house.store.risk_events(CLIENT, limit=9)] == [
            EventKind.LIFTED,
            EventKind.STOPPED,
        ]
        assert len(house.store.risk_events(CLIENT, limit=1)) == 1

    def test_a_book_a_holding_or_a_stop_of_the_client_changes_its_state_and_nothing_else_does(self, house):
        states = [house.store.risk_state(CLIENT)]

        def changes(work) -> bool:
            work()
            states.append(house.store.risk_state(CLIENT))
            return states[-1] != states[-2]

        def keep(book):
            return lambda: house.store.write(lambda tx: tx.keep_pnl_book(book))

        book = PnlBook(HERE, (Lot(Decimal(5), Decimal(500)),), last_price=Decimal(100))
        stop = Stop(KEY, house.clock.now())
        assert not changes(lambda: house.register("a0"))
        assert changes(lambda: house.entered("a1"))
        assert changes(keep(book)) and not changes(keep(book))
        assert changes(keep(replace(book, last_price=Decimal(101))))
        assert not changes(keep(PnlBook(HERE._replace(client_id="bob"), book.lots)))
        assert not changes(lambda: house.entered("b1", client_id="bob"))
        assert not changes(lambda: read(house, Position(EXCHANGE, SYMBOL, "MIS", Decimal(50))))
        assert not states[-1].has_stops
        assert changes(lambda: house.store.write(lambda tx: tx.put_stop(stop)))
        assert states[-1].has_stops
        assert changes(lambda: house.store.write(lambda tx: tx.drop_stop(KEY))) and states[-1] == states[-3]

    def test_an_order_is_told_of_the_stops_that_concern_it(self, house):
        at = house.clock.now()
        own = Stop(KEY, at, at + timedelta(hours=1), detail="x")
        of_all = Stop(KEY._replace(strategy_name=""), at, is_confirmed=False)
        others = Stop(KEY._replace(strategy_name="OTHER"), at)
        lifted = Stop(KEY._replace(rule=RiskRule.DAILY_PROFIT), at, lifted_at=at)

        def work(tx):
            for stop in (own, of_all, others, lifted):
                tx.put_stop(stop)

        house.store.write(work)
        assert facts(house, Limits()).stops == (of_all, own)

    def test_entries_of_a_day_are_counted_that_were_sent_or_may_be(self, house):
        old = house.register("a0")
        house.clock.advance(seconds=60)
        starts = house.clock.now()
        house.entered("a1")
        house.register("a2", strategy_name="OTHER")
        house.move(house.register("a3"), Phase.BLOCKED, tag="RISK_BLOCKED:X")
        house.register("a4", client_id="bob")
        house.register("a5", **AN_EXIT)
        me = house.register("a6")
        limits = Limits(max_trades_per_day=5)
        found = facts(house, limits, command_id=me.command_id, day_starts_at=starts).of_limits
        assert (found.trades, found.own_trades) == (2, 1)
        assert old.created_at < starts

    def test_what_is_held_and_being_entered_is_counted_with_its_price(self, house):
        house.entered("a1")
        house.work("a2", symbol="RESTING", side=Side.SELL, price=Decimal(7))
        house.work("a3", symbol="OTHERS", strategy_name="OTHER", price=None)
        savings = Position("NSE", "SAVED", "CNC", Decimal(7), last_price=Decimal(9), delivered=Decimal(7))
        read(house, savings, Position(EXCHANGE, "BY_HAND", "MIS", Decimal(-3), last_price=Decimal(9)))
        mark = Mark(EXCHANGE, "OTHERS", Decimal(11), house.clock.now(), "x")
        house.store.write(lambda tx: tx.keep_marks(CLIENT, [mark]))
        limits = Limits(max_open_positions=9, own=OwnLimits(max_gross_exposure=Decimal(1)))
        found = facts(house, limits).of_limits
        assert sorted(found.exposed, key=lambda e: e.symbol) == [
            ("", EXCHANGE, "BY_HAND", Decimal(-3), Decimal(9), False),
            (STRATEGY, EXCHANGE, SYMBOL, Decimal(50), None, False),
            ("OTHER", EXCHANGE, "OTHERS", Decimal(50), Decimal(11), False),
            (STRATEGY, EXCHANGE, "RESTING", Decimal(-50), Decimal(7), False),
        ]
        assert (len(found.places), found.waiting) == (4, frozenset())
        assert found.own_places == {(EXCHANGE, SYMBOL), (EXCHANGE, "RESTING")}
        assert facts(house, Limits()).of_limits.exposed == ()

    def test_an_entry_that_waits_for_an_exit_keeps_its_place_and_opens_none(self, house):
        waits = house.register("a1", waits_for=WaitsFor.EXIT)
        found = facts(house, Limits(max_open_positions=9)).of_limits
        assert found.places == found.waiting == found.own_waiting == {(EXCHANGE, SYMBOL)}
        house.register("a2", strategy_name="OTHER")
        found = facts(house, Limits(max_open_positions=9)).of_limits
        assert (found.waiting, found.own_waiting) == (frozenset(), {(EXCHANGE, SYMBOL)})
        assert waits.waits_for is WaitsFor.EXIT

    def test_two_entries_that_wait_do_not_open_a_place_for_each_other(self, house):
        first, second = house.register("a1"), house.register("a2", strategy_name="OTHER")
        limits = Limits(max_open_positions=9)
        found = facts(house, limits, command_id=first.command_id).of_limits
        assert (found.places, found.waiting) == ({(EXCHANGE, SYMBOL)},) * 2
        assert facts(house, limits, command_id=second.command_id).of_limits.waiting == frozenset()
        house.claim(second)
        assert facts(house, limits, command_id=first.command_id).of_limits.waiting == frozenset()

    def test_trades_are_counted_by_symbol_where_a_symbol_limits_them(self, house):
        starts = house.clock.now()
        for n, symbol in enumerate(("A", "B", "A")):
            house.work(f"a{n}", symbol=symbol)
        house.work("b1", symbol="A", client_id="bob")
        table = SymbolLimits("A*", max_trades_per_day=5)
        found = facts(house, Limits(of_symbols=(table,)), day_starts_at=starts).of_limits
        assert found.trades_in == (("A", 2), ("B", 1))
        limited = facts(house, Limits(max_trades_per_day=5), day_starts_at=starts).of_limits
        assert limited.trades_in == ()

    def test_the_youngest_last_price_of_the_symbol_is_known(self, house):
        limits = Limits(price_collar_percent=Decimal(5))
        assert facts(house, limits).of_limits.last_mark is None
        at = house.clock.now()
        read(house, Position(EXCHANGE, SYMBOL, "MIS", Decimal(3), last_price=Decimal(9)))
        found = facts(house, limits).of_limits.last_mark
        assert found is not None and (found.price, found.source) == (Decimal(9), "positions")
        newer = Mark(EXCHANGE, SYMBOL, Decimal(11), at + timedelta(seconds=9), "x")
        others = Mark(EXCHANGE, "OTHERS", Decimal(12), at + timedelta(seconds=10), "x")
        house.store.write(lambda tx: tx.keep_marks(CLIENT, [newer, others]))
        assert facts(house, limits).of_limits.last_mark == newer
        older = PnlBook(HERE, (), frozenset(), Decimal(8), at - timedelta(hours=1))
        house.store.write(lambda tx: tx.keep_pnl_book(older))
        assert facts(house, limits).of_limits.last_mark == newer
        assert facts(house, Limits()).of_limits.last_mark is None

    def test_the_equity_curve_is_read_as_it_was_kept_and_old_points_are_forgotten(self, house):
        assert house.store.last_equity(CLIENT) is None
        at = house.clock.now()
        points = [EquityPoint(at + timedelta(minutes=n), Decimal(n), None) for n in range(3)]
        points.append(EquityPoint(at + timedelta(minutes=3), None, Decimal("-1.5")))

        def work(tx):
            for point in points:
                tx.keep_equity_point(CLIENT, point, forget_before=at + timedelta(minutes=1))
            tx.keep_equity_point("bob", points[0], forget_before=at)

        house.store.write(work)
        assert house.store.equity_curve(CLIENT, at) == points[1:]
        assert house.store.equity_curve(CLIENT, points[2].at) == points[2:]
        assert house.store.last_equity(CLIENT) == points[-1]
        assert house.store.equity_curve("bob", at) == points[:1]

    def test_results_since_a_day_come_oldest_first(self, house):
        def work(tx):
            for n in (3, 0, 1, 2):
                tx.keep_result(DayResult(HERE, DAY + timedelta(days=n), Decimal(n)))
            tx.keep_result(DayResult(HERE._replace(client_id="bob"), DAY + timedelta(days=2)))

        house.store.write(work)
        found = house.store.results_since(CLIENT, DAY + timedelta(days=1))
        assert [int(each.realized) for each in found] == [1, 2, 3]

    def test_the_last_exit_is_known_and_its_result_once_it_is_counted(self, house):
        limits = Limits(cooldown_minutes=Decimal(5))
        house.entered("a1")
        assert facts(house, limits).of_limits.last_exit is None
        exit_ = house.entered("x1", **AN_EXIT)
        before = facts(house, limits).of_limits.last_exit
        assert before is not None and (before.at, before.realized) == (exit_.updated_at, None)
        counted(house)
        book = PnlBook(HERE, trade_pnl=Decimal(-7), closed_at=exit_.updated_at, last_price=Decimal(1))
        house.store.write(lambda tx: tx.keep_pnl_book(book))
        after = facts(house, limits).of_limits.last_exit
        assert after is not None and after.realized == -7
        assert facts(house, limits, symbol="OTHER").of_limits.last_exit is None

    def test_what_an_entry_may_reduce(self, house):
        at = house.clock.now()
        state = Stop(KEY._replace(rule=RiskRule.REDUCING, strategy_name=""), at)
        house.store.write(lambda tx: tx.put_stop(state))
        read(house, Position(EXCHANGE, SYMBOL, "MIS", Decimal(50)))
        assert facts(house, Limits()).of_limits.reducible == 0, "the same side"
        assert facts(house, Limits(), sign=-1).of_limits.reducible == 50
        order = house.work("a1", side=Side.SELL, quantity=Decimal(20))
        assert facts(house, Limits(), sign=-1).of_limits.reducible == 30
        house.fill(order)
        assert facts(house, Limits(), sign=-1).of_limits.reducible is None, "the read is of before the fill"
        read(house, Position(EXCHANGE, SYMBOL, "MIS", Decimal(30)))
        assert facts(house, Limits(), sign=-1).of_limits.reducible == 30
        house.register("x1", **{**AN_EXIT, "quantity": Decimal(0), "requested_quantity": None})
        assert facts(house, Limits(), sign=-1).of_limits.reducible == 0, "an exit takes all of it"
