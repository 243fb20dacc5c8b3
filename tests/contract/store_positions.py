"""The contract of holdings, positions, their differences, and broker orders that no row explains."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from domain.broker_reports import BrokerStatus, OrderReport, Position, PositionsSnapshot, UnreadableRow
from domain.enums import Side, TestMode
from domain.ids import client_order_id
from domain.position_comparison import Difference
from domain.states import Phase
from tests.contract.store_making import (
    AN_EXIT,
    CLIENT,
    EXCHANGE,
    PLACE,
    PRODUCT,
    STRATEGY,
    SYMBOL,
    House,
    StoreCase,
)

DAY = date(2026, 11, 20)
SECOND = timedelta(seconds=1)


def difference(held: int, at_broker: int, *, external: bool = False, savings: int = 0) -> Difference:
    return Difference(
        *PLACE, Decimal(held), Decimal(at_broker), is_external=external, savings=Decimal(savings)
    )


def a_report(number: str, filled: int, side: Side = Side.BUY, **changes: object) -> OrderReport:
    values: dict[str, object] = {
        "broker_order_id": number,
        "client_order_id": None,
        "status": BrokerStatus.OPEN,
        "exchange": EXCHANGE,
        "symbol": SYMBOL,
        "side": side,
        "quantity": Decimal(100),
        "filled_quantity": Decimal(filled),
        "product": PRODUCT,
    }
    return OrderReport(**(values | changes))  # type: ignore[arg-type]


class HoldingsContract(StoreCase):
    def test_a_filled_entry_is_held_by_its_strategy(self, house):
        order = house.work()
        assert house.held() == {}
        order = house.fill(order, 20)
        assert house.held() == {STRATEGY: (Decimal(20), 1)}
        house.fill(order)
        assert house.held() == {STRATEGY: (Decimal(50), 1)}
        [held] = house.store.write(lambda tx: tx.holding(CLIENT, STRATEGY, EXCHANGE, SYMBOL))
        assert (held.symbol, held.product, held.net_quantity) == (SYMBOL, PRODUCT, Decimal(50))
        assert house.store.write(lambda tx: tx.holding(CLIENT, "OTHER", EXCHANGE, SYMBOL)) == []

    def test_what_is_held_is_found_by_the_name_that_its_entry_asked_for(self, house):
        def found(asked: str = "NSE NIFTY1!", strategy: str = STRATEGY, client: str = CLIENT):
            return house.store.write(lambda tx: tx.held_as_asked(client, strategy, asked))

        of = json.dumps({"instrument": {"asked": "NSE NIFTY1!", "became": f"{EXCHANGE} {SYMBOL}"}})
        order = house.work(context_json=of)
        assert found() == []
        order = house.fill(order, 20)
        assert found() == [(EXCHANGE, SYMBOL)]
        house.fill(order)
        assert found() == [(EXCHANGE, SYMBOL)]
        house.entered("a2", symbol="OTHER", context_json=of)
        house.entered("a3", symbol="WITHOUT")
        house.work("a4", symbol="UNFILLED", context_json=of)
        assert found() == [(EXCHANGE, SYMBOL), (EXCHANGE, "OTHER")]
        assert [found("NSE NIFTY2!"), found(strategy="S2"), found(client="bob")] == [[], [], []]
        house.entered("a6", symbol="SOLD", side=Side.SELL, context_json=of)
        by_side = (
            house.store.write(lambda tx, s=s: tx.held_as_asked(CLIENT, STRATEGY, "NSE NIFTY1!", s))
            for s in Side
        )
        assert list(by_side) == [[(EXCHANGE, SYMBOL), (EXCHANGE, "OTHER")], [(EXCHANGE, "SOLD")]]
        house.fill(house.work("a5", quantity=Decimal(50), **AN_EXIT))
        assert found() == [(EXCHANGE, "OTHER"), (EXCHANGE, "SOLD")]

    def test_strategies_and_clients_hold_apart_and_a_place_is_their_sum(self, house):
        house.entered("a1")
        house.entered("a2", strategy_name="OTHER", side=Side.SELL, quantity=Decimal(20))
        house.entered("a3", client_id="bob")
        assert house.held() == {STRATEGY: (Decimal(50), 1), "OTHER": (Decimal(-20), 1)}
        assert house.store.write(lambda tx: tx.held_at(CLIENT, PLACE)) == Decimal(30)
        assert house.store.write(lambda tx: tx.held_at(CLIENT, (EXCHANGE, SYMBOL, "NRML"))) == 0

    def test_an_exits_fill_reduces_and_ends_the_holding(self, house):
        house.entered("a1")
        house.fill(house.work("a2", quantity=Decimal(20), **AN_EXIT))
        assert house.held() == {STRATEGY: (Decimal(30), 1)}
        house.fill(house.work("a3", quantity=Decimal(30), **AN_EXIT))
        assert house.held() == {}

    def test_a_test_orders_fill_is_held_by_nobody(self, house):
        house.entered(test_mode=TestMode.SUCCESS)
        assert house.held() == {}
        assert house.store.last_fill_at(CLIENT, SYMBOL) is None

    def test_an_exit_that_is_recorded_before_its_entrys_fill_is_kept_until_that_comes(self, house):
        entry = house.work("a1")
        house.fill(house.work("a2", **AN_EXIT))
        assert house.held() == {STRATEGY: (Decimal(-50), 0)}
        house.fill(entry)
        assert house.held() == {}

    def test_what_an_exit_took_too_early_ends_with_the_entry_that_does_not_come(self, house):
        entry = house.work("a1")
        house.fill(house.work("a2", **AN_EXIT))
        house.move(entry, Phase.CANCELLED, tag="BROKER_CANCELLED")
        assert house.held() == {}

    def test_the_last_fill_of_a_symbol_is_known(self, house):
        order = house.entered()
        assert house.store.last_fill_at(CLIENT, SYMBOL) == order.updated_at
        later = house.fill(house.work("a2", quantity=Decimal(20), **AN_EXIT))
        assert house.store.last_fill_at(CLIENT, SYMBOL) == later.updated_at
        assert house.store.last_fill_at(CLIENT, SYMBOL, Side.SELL) == later.updated_at
        assert house.store.last_fill_at(CLIENT, SYMBOL, Side.BUY) == order.updated_at
        assert house.store.last_fill_at(CLIENT, SYMBOL, Side.BUY, order.product) == order.updated_at
        assert house.store.last_fill_at(CLIENT, SYMBOL, Side.BUY, "OTHER") is None
        assert house.store.last_fill_at(CLIENT, "OTHER") is None
        assert house.store.last_fill_at("bob", SYMBOL) is None

    def test_holdings_are_cleared_where_they_are_named(self, house):
        house.entered("a1")
        house.entered("a2", strategy_name="OTHER")
        house.entered("a3", client_id="bob")
        clear = lambda **which: house.store.write(lambda tx: tx.clear_holdings(CLIENT, **which))  # noqa: E731
        assert clear(symbol="OTHER") == clear(exchange="NSE") == 0
        assert clear(strategy_name="OTHER") == 1
        assert list(house.held()) == [STRATEGY]
        assert clear(symbol=SYMBOL, exchange=EXCHANGE) == 1
        assert house.held() == {} and house.held("bob")

    def test_what_may_still_change_is_not_cleared(self, house):
        order = house.entered()
        assert order.updated_at is not None

        def clear(before: datetime) -> int:
            return house.store.write(lambda tx: tx.clear_holdings(CLIENT, settled_before=before))

        assert clear(order.updated_at) == 0  # it was filled at that time
        exit_ = house.work("a2", strategy_name="OTHER", **AN_EXIT)
        assert clear(order.updated_at + SECOND) == 0  # an exit at the broker may take from it
        house.move(exit_, Phase.CANCELLED, tag="BROKER_CANCELLED")
        assert clear(order.updated_at + SECOND) == 1


class PositionsContract(StoreCase):
    def save(
        self, house: House, *positions: Position, unreadable: tuple[UnreadableRow, ...] = ()
    ) -> datetime:
        at = house.clock.now()
        house.store.save_positions(CLIENT, PositionsSnapshot(at, positions, unreadable), DAY)
        return at

    def test_positions_are_unknown_until_they_are_read(self, house):
        assert house.store.saved_positions(CLIENT) is None
        assert house.store.day_loss(CLIENT) is None

    def test_a_read_is_kept_whole_with_its_time_and_replaces_the_one_before(self, house):
        one = Position(
            *PLACE, Decimal(50), Decimal("1.5"), Decimal(2), Decimal("-3"), Decimal(4), Decimal(10)
        )
        self.save(house, one, Position(EXCHANGE, "GONE", PRODUCT, Decimal(1)))
        at = self.save(house, one)
        found = house.store.saved_positions(CLIENT)
        assert found == PositionsSnapshot(at, (one,), ())
        assert house.store.saved_positions("bob") is None
        assert (found.net(*PLACE), found.net(EXCHANGE, "GONE", PRODUCT)) == (50, 0)

    def test_a_position_that_cannot_be_read_is_not_flat(self, house):
        self.save(house, Position(*PLACE, Decimal(50)))
        row = UnreadableRow(EXCHANGE, SYMBOL, None, None, None, "netqty: nonsense")
        self.save(house, Position(EXCHANGE, "OTHER", PRODUCT, Decimal(1)), unreadable=(row,))
        found = house.store.saved_positions(CLIENT)
        assert found is not None and found.unreadable == (row,)
        assert {p.symbol: p.net_quantity for p in found.positions} == {SYMBOL: 50, "OTHER": 1}
        assert not found.is_readable(EXCHANGE, SYMBOL) and found.is_readable(EXCHANGE, "OTHER")
        self.save(house)
        found = house.store.saved_positions(CLIENT)
        assert found is not None and found.is_readable(EXCHANGE, SYMBOL) and found.net(*PLACE) == 0

    def test_a_failed_read_leaves_what_was_read_before(self, house):
        at = self.save(house, Position(*PLACE, Decimal(50)))
        house.store.save_read_error(CLIENT, house.clock.now(), "timeout")
        found = house.store.saved_positions(CLIENT)
        assert found is not None and (found.read_started_at, len(found.positions)) == (at, 1)
        house.store.save_read_error("bob", house.clock.now(), "timeout")
        assert house.store.saved_positions("bob") is None

    def test_the_days_loss_follows_the_reads(self, house):
        self.save(house, Position(*PLACE, Decimal(0), realized_pnl=Decimal(-500)))
        house.clock.advance(seconds=10)
        self.save(house, Position(*PLACE, Decimal(0), realized_pnl=Decimal(-400)))
        loss = house.store.day_loss(CLIENT)
        assert loss is not None and (loss.day, loss.pnl, loss.lowest) == (DAY, -400, -400)
        assert house.store.write(lambda tx: tx.day_loss(CLIENT)) == loss

    def test_a_figure_of_the_day_before_is_carried_only_while_nothing_was_filled(self, house):
        self.save(house, Position(*PLACE, Decimal(0), realized_pnl=Decimal(-500)))
        starts = house.clock.now()
        next_day = DAY + timedelta(days=1)

        def read() -> bool:
            rows = (Position(*PLACE, Decimal(0), realized_pnl=Decimal(-500)),)
            snapshot = PositionsSnapshot(house.clock.now(), rows)
            house.store.save_positions(CLIENT, snapshot, next_day, day_starts=starts)
            loss = house.store.day_loss(CLIENT)
            assert loss is not None
            return loss.is_carried

        assert read() is True
        house.entered()
        assert read() is False


class DifferencesContract(StoreCase):
    def keep(
        self, house: House, d: Difference, *, believed: bool = True, at: datetime | None = None
    ) -> datetime:
        at = at or house.clock.now()
        house.store.write(lambda tx: tx.keep_difference(CLIENT, d, at, at, believed=believed))
        return at

    def believed(self, house: House) -> Decimal:
        return house.store.write(lambda tx: tx.believed(CLIENT, EXCHANGE, SYMBOL))

    def by_hand(self, house: House) -> Decimal:
        return house.store.write(lambda tx: tx.by_hand(CLIENT, EXCHANGE, SYMBOL))

    def test_a_difference_stands_until_it_is_gone(self, house):
        d = difference(50, 20)
        since = self.keep(house, d)
        assert house.store.told_differences(CLIENT) == [d]
        assert house.store.differences_since(CLIENT) == {PLACE: since}
        assert house.store.write(lambda tx: tx.told_difference(CLIENT, PLACE)) == d
        assert house.store.write(lambda tx: tx.told_difference("bob", PLACE)) is None
        self.keep(house, difference(50, 50))
        assert house.store.told_differences(CLIENT) == []
        assert house.store.differences_since(CLIENT) == {}

    def test_the_same_difference_has_stood_since_it_was_first_seen(self, house):
        since = self.keep(house, difference(50, 20))
        self.keep(house, difference(60, 30))
        assert house.store.differences_since(CLIENT) == {PLACE: since}
        anew = self.keep(house, difference(60, 40))
        assert house.store.differences_since(CLIENT) == {PLACE: anew}

    def test_what_strategies_lack_is_disputed_until_it_is_believed(self, house):
        since = self.keep(house, difference(50, 20))
        assert self.believed(house) == 0
        assert house.store.has_disputed(CLIENT, since)
        assert not house.store.has_disputed(CLIENT, since - SECOND)
        believe = lambda standing: house.store.write(  # noqa: E731
            lambda tx: tx.believe_differences(CLIENT, since, standing, now=since)
        )
        believe({PLACE: Decimal(-29)})
        believe({})
        assert house.store.has_disputed(CLIENT, since)
        believe({PLACE: Decimal(-30)})
        assert self.believed(house) == -30
        assert not house.store.has_disputed(CLIENT, since)

    def test_what_the_broker_has_more_is_believed_at_once_where_that_is_wanted(self, house):
        self.keep(house, difference(0, 5, external=True), believed=False)
        assert self.believed(house) == 0
        self.keep(house, difference(0, 5, external=True))
        assert self.believed(house) == 5

    def test_an_external_order_of_an_earlier_day_explains_nothing_more(self, house):
        house.store.save_positions(CLIENT, PositionsSnapshot(house.clock.now(), ()), DAY)
        at = house.clock.now()
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8), at))
        starts, tomorrow = house.clock.now(), DAY + timedelta(days=1)
        later = house.clock.now()
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X2", 3), later))
        read = PositionsSnapshot(house.clock.now(), ())
        house.store.save_positions(CLIENT, read, DAY, day_starts=at)
        assert self.by_hand(house) == 11
        house.store.save_positions(CLIENT, read, tomorrow, day_starts=starts)
        assert self.by_hand(house) == 3

    def test_what_is_believed_is_no_longer_by_hand(self, house):
        at = house.clock.now()
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8), at))
        assert self.by_hand(house) == 8
        self.keep(house, difference(0, 5, external=True))
        assert (self.believed(house), self.by_hand(house)) == (5, 3)

    def believe(self, house: House, since: datetime, *, after: int = 0, **standing: int) -> None:
        places = {(EXCHANGE, SYMBOL, product): Decimal(units) for product, units in standing.items()}
        now = since + after * SECOND
        house.store.write(lambda tx: tx.believe_differences(CLIENT, since, places, now=now))

    def test_an_order_that_the_book_showed_just_after_the_positions_is_in_what_stood(self, house):
        """Ours are not there for three minutes; the book showed a purchase by hand just after the positions did."""
        since = self.keep(house, difference(25, 0))
        late = since + SECOND
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X2", 25), late))
        self.believe(house, since, after=180, MIS=-25)
        assert (self.believed(house), self.by_hand(house)) == (-25, 0)

    def test_an_order_of_just_now_may_not_be_in_what_stood(self, house):
        since = self.keep(house, difference(25, 0))
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X2", 25), since + 170 * SECOND))
        self.believe(house, since, after=180, MIS=-25)
        assert (self.believed(house), self.by_hand(house)) == (-25, 25)

    def test_a_difference_that_stood_has_all_that_hands_had_done_before(self, house):
        unnamed = lambda number, side: a_report(number, 7, side, product=None)  # noqa: E731
        note = lambda report: house.store.write(  # noqa: E731
            lambda tx: tx.note_external(CLIENT, report, house.clock.now())
        )
        note(unnamed("X1", Side.SELL))
        note(unnamed("X2", Side.BUY))
        house.clock.advance(seconds=1)
        since = self.keep(house, difference(25, 0), believed=False)
        house.clock.advance(seconds=1)
        note(a_report("X3", 2))
        assert self.by_hand(house) == 2
        self.believe(house, since, MIS=-25)
        assert (self.believed(house), self.by_hand(house)) == (-25, 2)

    def test_one_half_of_a_conversion_is_not_believed_alone(self, house):
        since = self.keep(house, difference(75, 0), believed=False)
        house.clock.advance(seconds=10)
        appeared = replace(difference(0, 75, external=True), product="NRML")
        later = self.keep(house, appeared, believed=False)
        self.believe(house, since, MIS=-75, NRML=75)
        assert self.believed(house) == 0
        assert house.store.has_disputed(CLIENT, since)
        self.believe(house, later, MIS=-75, NRML=75)
        assert self.believed(house) == 0 and not house.store.has_disputed(CLIENT, later)

    def test_units_of_another_time_are_no_half_of_a_conversion(self, house):
        since = self.keep(house, difference(75, 0), believed=False)
        house.clock.advance(seconds=31)
        self.keep(house, replace(difference(0, 75, external=True), product="NRML"), believed=False)
        self.believe(house, since, MIS=-75, NRML=75)
        assert self.believed(house) == -75

    def test_what_the_book_showed_later_than_the_positions_is_in_the_difference_too(self, house):
        note = lambda number, units, side: house.store.write(  # noqa: E731
            lambda tx: tx.note_external(
                CLIENT, a_report(number, units, side, product=None), house.clock.now()
            )
        )
        note("X1", 10, Side.BUY)
        note("X2", 10, Side.SELL)
        house.clock.advance(seconds=1)
        since = self.keep(house, difference(0, -25, external=True), believed=False)
        house.clock.advance(seconds=6)
        note("X3", 25, Side.SELL)
        self.believe(house, since, MIS=-25)
        assert (self.believed(house), self.by_hand(house)) == (-25, 0)

    def test_what_a_hand_did_in_an_unknown_product_explains_what_is_not_believed_in_another(self, house):
        report = a_report("X1", 7, product=None)
        house.store.write(lambda tx: tx.note_external(CLIENT, report, house.clock.now()))
        house.clock.advance(seconds=1)
        since = self.keep(house, difference(25, 0), believed=False)
        house.clock.advance(seconds=31)
        other = replace(difference(0, 40, external=True), product="NRML")
        self.keep(house, other, believed=False)
        self.believe(house, since, MIS=-25)
        assert self.by_hand(house) == 7
        self.believe(house, house.clock.now(), NRML=40)
        assert (self.believed(house), self.by_hand(house)) == (15, 0)

    def test_an_order_that_positions_showed_first_counts_once(self, house):
        self.keep(house, difference(0, 5, external=True))
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8), house.clock.now()))
        assert (self.believed(house), self.by_hand(house)) == (5, 3)
        house.clock.advance(seconds=60)
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X2", 8), house.clock.now()))
        assert self.by_hand(house) == 11

    def test_a_symbol_that_is_flat_is_forgotten(self, house):
        may_forget = lambda: house.store.may_forget(CLIENT, EXCHANGE, SYMBOL)  # noqa: E731
        assert not may_forget()
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8), house.clock.now()))
        assert may_forget()
        self.keep(house, difference(50, 20))
        house.store.write(lambda tx: tx.forget_symbol(CLIENT, EXCHANGE, SYMBOL))
        assert not may_forget()
        assert house.store.told_differences(CLIENT) == [] and self.by_hand(house) == 0
        self.keep(house, difference(0, 5, external=True))
        assert may_forget()

    def test_units_that_an_exit_took_and_nobody_held_explain_nothing_more(self, house):
        self.keep(house, difference(0, 5, external=True))
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 60), house.clock.now()))
        before = self.believed(house) + self.by_hand(house)
        exit_ = house.fill(house.work("a1", **AN_EXIT))
        assert self.believed(house) + self.by_hand(house) == before - 50
        assert exit_.updated_at is not None
        assert self.believed(house) == 0
        assert house.store.differences_since(CLIENT) == {PLACE: exit_.updated_at}

    def test_what_others_did_since_our_last_fill_closes_what_we_hold(self, house):
        closed = lambda: house.store.write(  # noqa: E731
            lambda tx: tx.is_closed_by_others(CLIENT, EXCHANGE, SYMBOL, {"MIS": Decimal(50)})
        )
        sold = lambda number, filled: house.store.write(  # noqa: E731
            lambda tx: tx.note_external(CLIENT, a_report(number, filled, Side.SELL), house.clock.now())
        )
        house.entered()
        assert not closed()
        sold("X1", 20)
        assert not closed()
        sold("X2", 30)
        assert closed()
        house.fill(house.work("a2", quantity=Decimal(1)))
        assert not closed()  # it was there before


class ExternalOrdersContract(StoreCase):
    def note(self, house: House, report: OrderReport) -> bool:
        return house.store.write(lambda tx: tx.note_external(CLIENT, report, house.clock.now()))

    def test_an_order_of_nobodys_is_news_once(self, house):
        assert self.note(house, a_report("X1", 0))
        assert not self.note(house, a_report("X1", 8))
        assert house.store.write(lambda tx: tx.by_hand(CLIENT, EXCHANGE, SYMBOL)) == 8
        assert house.store.write(lambda tx: tx.external_place(CLIENT, "X1")) == (EXCHANGE, SYMBOL, "BUY")
        assert house.store.write(lambda tx: tx.external_place("bob", "X1")) is None

    def test_a_fill_is_not_taken_back(self, house):
        self.note(house, a_report("X1", 8))
        self.note(house, a_report("X1", 5))
        assert house.store.write(lambda tx: tx.by_hand(CLIENT, EXCHANGE, SYMBOL)) == 8

    def test_a_number_that_begins_anew_is_another_order(self, house):
        self.note(house, a_report("X1", 8))
        assert self.note(house, a_report("X1", 3, Side.SELL))
        assert house.store.write(lambda tx: tx.by_hand(CLIENT, EXCHANGE, SYMBOL)) == -3

    def test_a_tag_of_our_form_is_kept_and_found(self, house):
        tag = client_order_id("lost")
        self.note(house, a_report("X1", 8, client_order_id=tag))
        self.note(house, a_report("X2", 8, client_order_id="somebody's"))
        [(report, _)] = house.store.write(lambda tx: tx.tagged_external(CLIENT, tag))
        assert report == a_report("X1", 8, client_order_id=tag)
        assert house.store.write(lambda tx: tx.tagged_external(CLIENT, "somebody's")) == []
        tags = [client_order_id("another"), tag]
        assert house.store.write(lambda tx: tx.tagged_among(CLIENT, tags)) == {tag}
        assert house.store.write(lambda tx: tx.tagged_among("bob", tags)) == set()

    def test_one_that_turns_out_to_be_ours_is_external_no_more(self, house):
        self.note(house, a_report("B1", 8))
        order = house.move(house.claim(house.register()), Phase.WORKING, broker_order_id="B1")
        assert order.broker_order_id == "B1"
        assert house.store.write(lambda tx: tx.external_place(CLIENT, "B1")) is None

    def test_of_some_numbers_it_is_known_whose_they_are_and_since_when(self, house):
        ours = house.work()
        self.note(house, a_report("X1", 8))
        found = house.store.sightings(CLIENT, [str(ours.broker_order_id), "X1", "X2"])
        assert found.claimed == {ours.broker_order_id}
        assert list(found.first_seen) == ["X1"] and found.first_seen["X1"].tzinfo == UTC
        assert house.store.write(lambda tx: tx.sightings(CLIENT, ["X1"])).first_seen == found.first_seen
        assert house.store.sightings("bob", ["X1", str(ours.broker_order_id)]).claimed == frozenset()
