"""The contract of notices and the outbox, of what stops entries, of loops, of accounts, and of the facts for rules."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.account import BrokerAccount
from domain.broker_reports import Position, PositionsSnapshot, UnreadableRow
from domain.daily_loss import DayLoss, Lift
from domain.enums import OrderType, Side
from domain.errors import OpenOrders
from domain.limits import Limits
from domain.notice_keys import NoticeKey, NoticeSubject, of_order
from domain.notices import Notice, NoticeKind
from domain.ports import Halt, Heartbeat
from domain.position_comparison import Difference
from domain.risk_facts import Facts
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
    facts,
)
from tests.contract.store_positions import a_report

DAY = date(2026, 11, 20)
ONE, TWO = BrokerAccount("shoonya", "FA1"), BrokerAccount("shoonya", "FA2")


class NoticesContract(StoreCase):
    def notice(self, text: str = "", client_id: str = CLIENT) -> Notice:
        return Notice(NoticeKind.SYSTEM, client_id, detail=text)

    def test_a_notice_waits_in_the_outbox_with_its_text_until_it_is_sent(self, house, outbox):
        for text in ("one", "two", "three"):
            house.store.write(lambda tx, text=text: tx.notify(self.notice(text)))
        first, second, third = outbox.pending([CLIENT], 9)
        assert [m.text for m in (first, second, third)] == ["SYSTEM one", "SYSTEM two", "SYSTEM three"]
        assert (first.client_id, first.kind, first.attempts, first.command_id) == (CLIENT, "SYSTEM", 0, None)
        outbox.mark_sent([first.id], "77", house.clock.now())
        outbox.mark_attempt([second.id], "timeout", house.clock.now())
        outbox.mark_failed([third.id], "refused", house.clock.now())
        [left] = outbox.pending([CLIENT], 9)
        assert (left.id, left.attempts) == (second.id, 1)
        outbox.mark_attempt([first.id], "late", house.clock.now())  # what was sent is not pending again
        assert [m.id for m in outbox.pending([CLIENT], 9)] == [second.id]

    def test_messages_are_of_the_clients_that_are_named_and_no_more_than_wanted(self, house, outbox):
        for client in (CLIENT, "bob", CLIENT):
            house.store.write(lambda tx, client=client: tx.notify(self.notice("x", client)))
        assert [m.client_id for m in outbox.pending([CLIENT, "bob"], 2)] == [CLIENT, "bob"]
        assert [m.client_id for m in outbox.pending(["bob"], 9)] == ["bob"]
        assert outbox.pending([], 9) == []

    def test_an_orders_change_carries_its_notices(self, house, outbox):
        order = house.entered()
        assert [(m.kind, m.command_id) for m in outbox.pending([CLIENT], 9)] == [
            ("PLACED", order.command_id),
            ("FILLED", order.command_id),
        ]

    def test_a_lease_is_held_by_one_until_it_ends(self, house, outbox):
        now, length = house.clock.now(), timedelta(seconds=30)
        assert outbox.lease("outbox", "w1", now, length)
        assert not outbox.lease("outbox", "w2", now, length)
        assert outbox.lease("outbox", "w1", now, length)
        assert outbox.lease("other", "w2", now, length)
        later = now + length + timedelta(seconds=1)
        assert outbox.lease("outbox", "w2", later, length)
        assert outbox.lease("outbox", "w1", now - timedelta(hours=1), length)  # the clock was set back

    def test_a_notice_with_a_key_is_made_once_until_it_is_cleared(self, house, outbox):
        key = of_order(NoticeSubject.OVERFILL, "a1-1", "X/1")
        tell = lambda **more: house.store.write(  # noqa: E731
            lambda tx: tx.notify_once(key, self.notice("x"), **more)
        )
        assert not house.store.is_told(CLIENT, key)
        assert [tell(), tell(), tell(state=["7"]), tell(state=["7"]), tell()] == [
            True,
            False,
            True,
            False,
            True,
        ]
        assert len(outbox.pending([CLIENT], 9)) == 3
        assert house.store.is_told(CLIENT, key)
        assert house.store.write(lambda tx: tx.is_told(CLIENT, key))
        assert house.store.told_keys(CLIENT, NoticeSubject.OVERFILL) == [key]
        assert house.store.told_clients(NoticeSubject.OVERFILL) == [CLIENT]
        assert house.store.write(lambda tx: tx.clear_notice(CLIENT, key))
        assert not house.store.write(lambda tx: tx.clear_notice(CLIENT, key))
        assert not house.store.is_told(CLIENT, key)
        assert tell()

    def test_a_key_may_be_anothers_than_the_message(self, house, outbox):
        key = NoticeKey(NoticeSubject.UNCONFIGURED_CLIENT)
        house.store.write(lambda tx: tx.notify_once(key, self.notice("x"), client_id="gone"))
        assert house.store.is_told("gone", key) and not house.store.is_told(CLIENT, key)
        assert [m.client_id for m in outbox.pending([CLIENT, "gone"], 9)] == [CLIENT]

    def test_stale_orders_are_listed_until_people_were_notified(self, house):
        claimed = house.claim(house.register("a1"))
        old = house.move(claimed, Phase.WORKING, broker_order_id="B1")
        younger = house.work("a2")
        house.entered("a3")
        now = house.clock.now()
        found = house.store.untold_frozen(CLIENT, now, limit=9)
        assert [stale.order for stale in found] == [old, younger]
        assert found[0].since == claimed.updated_at < found[1].since < now
        assert house.store.untold_frozen(CLIENT, found[0].since, limit=9) == found[:1]
        assert house.store.untold_frozen(CLIENT, now, limit=1) == found[:1]
        key = of_order(NoticeSubject.FROZEN, old.command_id)
        house.store.write(lambda tx: tx.notify_once(key, self.notice("stale")))
        assert house.store.write(lambda tx: tx.untold_frozen(CLIENT, now, limit=9)) == found[1:]


class StopsContract(StoreCase):
    def test_a_halt_stands_until_it_is_cleared(self, house):
        for strategy in (None, STRATEGY):
            halt = Halt(CLIENT, strategy, house.clock.now(), "ann", "why")
            house.store.write(lambda tx, halt=halt: tx.set_halt(halt))
        clear = lambda client, strategy: house.store.write(  # noqa: E731
            lambda tx: tx.clear_halt(client, strategy)
        )
        assert not clear("bob", None) and not clear(CLIENT, "OTHER")
        assert clear(CLIENT, None) and not clear(CLIENT, None)
        assert clear(CLIENT, STRATEGY)

    def test_the_days_loss_is_kept_whole(self, house):
        at = house.clock.now()
        loss = DayLoss(
            DAY, Decimal(-5), Decimal(-5), Decimal(7), True, ((at, Decimal(-6)),), Decimal("-5.5"), Decimal(-1),
            frozenset({"", STRATEGY}),
        )  # fmt: skip
        house.store.write(lambda tx: tx.keep_day_loss(CLIENT, loss))
        assert house.store.day_loss(CLIENT) == loss
        assert house.store.day_loss("bob") is None
        assert house.store.saved_positions(CLIENT) is None
        lift = Lift(CLIENT, at, "ann", "why", DAY, Decimal(-6), Decimal(-5), Decimal(-5), ("",))
        house.store.write(lambda tx: tx.keep_lift(lift))
        assert house.store.day_loss(CLIENT) == loss


class LoopsContract(StoreCase):
    def test_watchers_are_known_by_their_heartbeats_and_their_claims(self, house):
        now = house.clock.now()
        beats = [Heartbeat("w2", loop, CLIENT, now, "OK", "x", {}) for loop in ("execute", "reconcile")]
        house.store.save_heartbeats([*beats, Heartbeat("w3", "outbox", "", now)])
        house.claim(house.register())
        assert house.store.watchers_of(CLIENT) == ["w1", "w2"]
        assert house.store.write(lambda tx: tx.watchers_of("bob")) == []
        house.store.forget_beats(["w2", "w9"])
        assert house.store.watchers_of(CLIENT) == ["w1"]

    def test_a_store_that_is_in_use_was_not_replaced_and_can_be_written(self, house):
        house.register()
        house.store.look()
        assert (house.store.replaced, house.store.unwritable) == (None, None)


class AccountsContract(StoreCase):
    def bind(self, house: House, client_id: str, account: BrokerAccount) -> BrokerAccount:
        return house.store.write(lambda tx: tx.bind_account(client_id, account))

    def test_the_first_account_stays(self, house):
        assert house.store.account(CLIENT) is None
        assert self.bind(house, CLIENT, ONE) == ONE
        assert self.bind(house, CLIENT, TWO) == ONE
        assert house.store.account(CLIENT) == ONE

    def test_an_account_of_anothers_rows_is_taken_while_they_are_open(self, house):
        self.bind(house, "bob", ONE)
        assert house.store.account_standing(CLIENT, ONE).taken_by == "bob"
        assert house.store.account_standing(CLIENT, TWO).taken_by is None
        self.bind(house, CLIENT, TWO)
        standing = house.store.account_standing(CLIENT, ONE)
        assert (standing.account, standing.taken_by) == (TWO, None)
        house.register(client_id="bob")
        assert house.store.write(lambda tx: tx.account_standing(CLIENT, ONE)).taken_by == "bob"

    def test_a_client_is_bound_anew_only_when_nothing_is_open_and_forgets_what_was_there(self, house):
        self.bind(house, CLIENT, ONE)
        order = house.register("a1")
        rebind = lambda: house.store.write(lambda tx: tx.rebind_account(CLIENT, TWO))  # noqa: E731
        with pytest.raises(OpenOrders, match="a1-1"):
            rebind()
        house.move(order, Phase.LAPSED, tag="NOT_SENT:X")
        house.entered("a2")
        house.store.save_positions(
            CLIENT, PositionsSnapshot(house.clock.now(), (Position(*PLACE, Decimal(50)),)), DAY
        )
        at = house.clock.now()
        kept = Difference(*PLACE, Decimal(50), Decimal(20), is_external=False)
        house.store.write(lambda tx: tx.keep_difference(CLIENT, kept, at, at))
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8), at))
        rebind()
        assert house.store.account(CLIENT) == TWO
        assert house.held() == {} and house.store.saved_positions(CLIENT) is None
        assert house.store.told_differences(CLIENT) == [] and house.store.day_loss(CLIENT) is None
        assert house.store.last_fill_at(CLIENT, SYMBOL) is None
        assert house.store.write(lambda tx: tx.external_place(CLIENT, "X1")) is None
        assert house.order("a2-1").phase is Phase.FILLED

    def test_what_clients_have_open_that_nobody_serves_is_listed(self, house):
        house.entered("a1")
        house.work("a2", client_id="bob")
        house.register("a3", client_id="bob")
        self.bind(house, "bob", ONE)
        found = lambda *configured: house.store.unconfigured_rows(configured, since)  # noqa: E731
        since = house.clock.now()
        assert [rows.client_id for rows in found()] == [CLIENT, "bob"]
        [bob] = found(CLIENT)
        assert (bob.waiting, bob.at_broker, bob.holdings, bob.account) == (1, 1, (), ONE)
        [alice] = found("bob")
        assert alice.holdings == (f"{STRATEGY} holds 50 {EXCHANGE}:{SYMBOL}",)
        house.store.save_heartbeats([Heartbeat("w1", "execute", "bob", house.clock.now())])
        assert [rows.client_id for rows in found()] == [CLIENT]


class FactsContract(StoreCase):
    def facts(self, house: House, limits: Limits | None = None, **changes: object) -> Facts:
        return facts(house, limits or Limits(), **({"product": PRODUCT} | changes))

    def test_of_an_empty_store_nothing_is_known(self, house):
        found = self.facts(house)
        assert (found.halt, found.positions_read_at, found.pnl, found.lowest_pnl) == (None,) * 4
        assert (found.open_orders, found.own_open_entries, found.own_held_entries, found.own_net) == (
            0,
            0,
            0,
            0,
        )
        assert not found.position_disputed and not found.exit_open and not found.opposite_holders

    def test_a_halt_of_the_client_or_of_the_strategy_stops(self, house):
        for strategy, expected in ((None, "why"), (STRATEGY, "why"), ("OTHER", None)):
            halt = Halt(CLIENT, strategy, house.clock.now(), "ann", "why")
            house.store.write(lambda tx, halt=halt: tx.set_halt(halt))
            assert self.facts(house).halt == expected
            house.store.write(lambda tx, strategy=strategy: tx.clear_halt(CLIENT, strategy))

    def test_what_is_open_and_held_is_counted_for_the_strategy(self, house):
        house.entered("a1")
        house.register("a2")
        house.fill(house.work("a3"), 20)
        found = self.facts(house)
        assert (found.own_open_entries, found.own_held_entries, found.own_net) == (1, 2, 70)
        assert self.facts(house, command_id="a2-1").own_open_entries == 0
        other = self.facts(house, strategy_name="OTHER", sign=-1)
        assert (other.own_open_entries, other.own_held_entries) == (0, 0)
        assert other.opposite_holders == (STRATEGY,)
        assert self.facts(house, symbol="OTHER").own_open_entries == 0

    def test_an_entry_ahead_on_the_other_side_turns_it(self, house):
        house.register("a1", side=Side.SELL)
        assert self.facts(house).turns_own_entry
        assert not self.facts(house, sign=-1).turns_own_entry

    def test_exits_ahead_and_exits_that_rest_are_told_apart(self, house):
        exit_ = house.register("a1", order_type=OrderType.LIMIT, **AN_EXIT)
        found = self.facts(house)
        assert found.exit_ahead and found.exit_open
        house.move(house.claim(exit_), Phase.WORKING, broker_order_id="B1")
        found = self.facts(house)
        assert not found.exit_ahead and found.exit_open
        earlier = exit_.created_at - timedelta(seconds=1)
        house.register("a2", order_type=OrderType.MARKET, **AN_EXIT)
        assert not self.facts(house, created_at=earlier, command_id="a0-1").exit_ahead

    def test_limits_are_counted_only_where_there_is_one(self, house):
        for n in range(3):
            house.register(f"01{n}")
        assert self.facts(house).open_orders == 0
        assert self.facts(house, Limits(max_open_orders=9)).open_orders == 3
        assert self.facts(house, Limits(max_open_orders=1)).open_orders == 2  # no further than needed
        assert self.facts(house, Limits(max_open_orders=9), command_id="010-1").open_orders == 2

    def test_unknown_and_provisionally_absent_orders_are_unknown(self, house):
        house.move(house.claim(house.register("a1")), Phase.UNKNOWN)
        order = house.move(house.claim(house.register("a2")), Phase.UNKNOWN)
        until = house.clock.now() + timedelta(minutes=2)
        house.move(order, Phase.ABSENT, provisional_until=until, tag="BROKER_ABSENT:PROVEN")
        assert self.facts(house).unknown_on_symbol == 2
        house.clock.advance(minutes=3)
        assert self.facts(house).unknown_on_symbol == 1

    def test_what_was_read_of_the_account_is_known(self, house):
        row = UnreadableRow(EXCHANGE, "ODD", None, None, None, "odd row", has_pnl=False)
        rows = (Position(*PLACE, Decimal(50), last_price=Decimal(112), realized_pnl=Decimal(-9)),)
        snapshot = PositionsSnapshot(house.clock.now(), rows, (row,))
        house.store.save_positions(CLIENT, snapshot, DAY)
        found = self.facts(house, Limits(max_order_value=Decimal(1)))
        assert (found.positions_read_at, found.pnl, found.last_price) == (snapshot.read_started_at, -9, 112)
        assert found.unreadable_row is None
        assert self.facts(house, symbol="ODD").unreadable_row == "odd row"

    def test_a_position_is_disputed_where_our_strategies_lack_something(self, house):
        house.store.save_positions(CLIENT, PositionsSnapshot(house.clock.now(), ()), DAY)
        at = house.clock.now()
        for held, at_broker, disputed in ((50, 20, True), (50, 60, False), (0, 5, False)):
            d = Difference(*PLACE, Decimal(held), Decimal(at_broker), is_external=not held)
            house.store.write(lambda tx, d=d: tx.keep_difference(CLIENT, d, at, at, believed=False))
            assert self.facts(house).position_disputed is disputed, (held, at_broker)

    def test_what_is_held_may_be_closed_by_hand(self, house):
        house.entered("a1")
        sell = lambda number, filled: house.store.write(  # noqa: E731
            lambda tx: tx.note_external(CLIENT, a_report(number, filled, Side.SELL), house.clock.now())
        )
        sell("X1", 20)
        assert not self.facts(house).closed_by_hand
        sell("X2", 30)
        assert self.facts(house).closed_by_hand

    def test_an_exit_knows_everything_of_its_symbol(self, house):
        filled = house.entered("a1")
        house.entered("a2", exchange="NSE")
        other = house.register("a3", strategy_name="OTHER")
        exit_ = house.register("a4", **AN_EXIT)
        at = house.clock.now()
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8), at))
        d = Difference(*PLACE, Decimal(50), Decimal(55), is_external=False)
        house.store.write(lambda tx: tx.keep_difference(CLIENT, d, at, at))
        found = house.store.write(lambda tx: tx.exit_facts(exit_, house.clock.now()))
        assert [(h.exchange, h.net_quantity) for h in found.holdings] == [(EXCHANGE, 50)]
        assert [h.exchange for h in found.elsewhere] == ["NSE"]
        assert found.orders == (other,)
        assert (found.believed, found.by_hand, dict(found.known)) == (5, 3, {PRODUCT: 8})
        assert found.last_fill_at is not None and found.last_fill_at >= (filled.updated_at or at)
