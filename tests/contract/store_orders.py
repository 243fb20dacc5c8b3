"""The contract of orders, alerts and intents."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.alert import Alert
from domain.entry_waits import Wait, WaitsFor
from domain.enums import DecisionType, OrderType, Outcome, Side, TestMode
from domain.errors import ConcurrentUpdate, IllegalTransition
from domain.order_events import advance, event_hash, register
from domain.reason_codes import Reason
from domain.states import Phase, Status
from domain.times import time_text
from domain.transitions import blocked, claimed, waiting
from tests.contract.store_making import (
    AN_EXIT,
    CLIENT,
    STRATEGY,
    StoreCase,
    an_alert,
    an_order,
)


class OrderWritesContract(StoreCase):
    def test_a_registered_order_is_read_back_as_it_was_written(self, house):
        exact = {
            "price": Decimal("0.05"),
            "trigger_price": Decimal("1E+3"),
            "test_mode": TestMode.SUCCESS,
            "requested_side": Side.BUY,
            "requested_product": "NRML",
            "order_type": OrderType.STOP_LIMIT,
        }
        order = house.register(**exact)
        assert house.order(order.command_id) == order
        assert {name: getattr(order, name) for name in exact} == exact
        assert order.event_hash

    def test_each_move_has_its_event_chained_to_the_one_before(self, house, tmp_path):
        order = house.fill(house.work())
        found = self.events(house.store, tmp_path, order.command_id)
        assert [(a, b) for a, b, _, _ in found] == [
            (None, "REGISTERED"),
            ("REGISTERED", "SUBMITTING"),
            ("SUBMITTING", "WORKING"),
            ("WORKING", "FILLED"),
        ]
        hashes = ["", *(digest for *_, digest in found)]
        assert [previous for _, _, previous, _ in found] == hashes[:-1]
        assert order.event_hash == hashes[-1] and len(set(hashes)) == 5

    def test_the_hash_covers_the_event(self, house, tmp_path):
        at = house.clock.now()
        order = an_order("a1", at)
        change = register(order, at=at, actor="webhook")
        house.store.write(lambda tx: (tx.add_alert(an_alert("a1", at)), tx.apply(change)))
        e = change.event
        digest = event_hash(
            "", "a1-1", time_text(at), None, "CREATED", None, "REGISTERED", None, "webhook", e.detail_json
        )
        assert house.order("a1-1").event_hash == e.hash == digest

    def test_a_move_computed_from_an_older_row_is_refused(self, house, tmp_path):
        order = house.register()
        house.claim(order)
        with pytest.raises(ConcurrentUpdate):
            house.claim(order)
        assert len(self.events(house.store, tmp_path, order.command_id)) == 2

    def test_an_order_is_registered_once(self, house):
        order = house.register()
        again = register(replace(order, event_hash=""), at=house.clock.now(), actor="webhook")
        with pytest.raises(ConcurrentUpdate):
            house.store.write(lambda tx: tx.apply(again))
        assert house.order(order.command_id) == order

    @pytest.mark.parametrize("changes", [{"strategy_name": "OTHER"}, {"symbol": "OTHER"}, {"alert_id": "a9"}])
    def test_what_identifies_an_order_never_changes(self, house, changes):
        order = house.register()
        with pytest.raises(IllegalTransition):
            house.move(order, Phase.REGISTERED, **changes)
        assert house.order(order.command_id) == order

    @pytest.mark.parametrize("changes", [{"side": Side.SELL}, {"quantity": Decimal(60)}])
    def test_side_and_quantity_change_only_before_it_is_sent(self, house, changes):
        order = house.move(house.register(), Phase.REGISTERED, **changes)
        order = house.claim(order)
        other = {"side": Side.BUY} if "side" in changes else {"quantity": Decimal(70)}
        with pytest.raises(IllegalTransition):
            house.move(order, Phase.SUBMITTING, **other)
        assert house.order(order.command_id) == order

    def test_a_phase_that_the_table_does_not_lead_to_is_refused_by_the_store_too(self, house):
        order = house.entered()
        forged = advance(order, Phase.FILLED, at=house.clock.now(), actor="w1")
        forged = replace(
            forged, after=replace(forged.after, phase=Phase.WORKING, status=Status.SENT_TO_BROKER)
        )
        with pytest.raises(IllegalTransition):
            house.store.write(
                lambda tx: tx.apply(replace(forged, columns=(*forged.columns, "phase", "status")))
            )
        assert house.order(order.command_id) == order

    def test_an_order_is_found_by_each_of_its_ids(self, house):
        claimed = house.claim(house.register())
        store = house.store
        assert store.get_by_client_order_id(CLIENT, claimed.client_order_id) == claimed
        order = house.move(claimed, Phase.WORKING, broker_order_id="B1")
        assert store.get_by_broker_id(CLIENT, "B1") == order
        assert store.write(lambda tx: tx.get_by_broker_id(CLIENT, "B1")) == order
        assert store.get_by_client_order_id(CLIENT, order.client_order_id) is None  # its number is known
        assert store.get_by_broker_id("bob", "B1") is None
        assert store.get_by_id("other") is None

    def test_of_two_orders_under_one_broker_id_the_younger_is_meant(self, house):
        for alert in ("a1", "a2"):
            house.move(house.claim(house.register(alert)), Phase.WORKING, broker_order_id="B1")
        found = house.store.get_by_broker_id(CLIENT, "B1")
        assert found is not None and found.command_id == "a2-1"

    def test_changes_written_together_leave_what_they_leave_one_by_one(self, house, tmp_path):
        working = [house.work(f"a{n}", symbol=f"S{n % 3}", strategy_name=f"T{n % 2}") for n in range(8)]
        entry, exit_ = house.work("b1", symbol="S9"), house.register("b2", symbol="S9", **AN_EXIT)
        wait = Wait(WaitsFor.EXIT, house.clock.now() + timedelta(minutes=5))
        behind = house.register("b3", symbol="S9")
        behind = house.store.write(
            lambda tx: tx.apply(waiting(behind, wait, at=house.clock.now(), actor="w1"))
        )
        changes = [claimed(exit_, at=house.clock.now(), claimant="w1")]
        for order in [*working, entry]:
            filled = {"filled_quantity": order.quantity, "average_price": Decimal(7)}
            changes.append(advance(order, Phase.FILLED, at=house.clock.now(), actor="w1", **filled))
        house.store.write(lambda tx: tx.attempt(lambda: tx.apply_all(changes)))
        assert [house.order(c.after.command_id) for c in changes] == [c.after for c in changes]
        assert len(house.store.holdings(CLIENT)) == 7
        assert {h.net_quantity for h in house.store.holdings(CLIENT) if h.symbol in ("S0", "S1")} == {
            Decimal(50),
            Decimal(100),
        }
        assert house.order(behind.command_id).not_before is None, "released"
        for change in changes:
            assert self.events(house.store, tmp_path, change.after.command_id)[-1][3] == change.event.hash
        status = ("ORDER_PLACED", working[0].broker_order_id, None)
        assert self.intent(house.store, tmp_path, working[0].command_id) == status
        assert house.store.last_fill_at(CLIENT, "S9", Side.BUY) == changes[-1].after.updated_at

    def test_of_changes_written_together_none_is_kept_when_one_may_not_be(self, house):
        first, moved = house.register("a1"), house.register("a2")
        house.claim(moved)
        changes = [claimed(order, at=house.clock.now(), claimant="w1") for order in (first, moved)]
        failed = house.store.write(lambda tx: tx.attempt(lambda: tx.apply_all(changes)))
        assert isinstance(failed, ConcurrentUpdate)
        assert house.order(first.command_id) == first

    def test_orders_whose_rows_have_moved_are_told_from_others(self, house):
        still, moved, strange = (
            house.register("a1"),
            house.register("a2"),
            an_order("a9", house.clock.now()),
        )
        house.claim(moved)
        found = house.store.write(lambda tx: tx.unmoved([still, moved, strange]))
        assert found == {still.command_id}

    def test_entries_that_a_full_exit_follows_are_told_from_others(self, house):
        early, other = house.register("a1"), house.register("a2", symbol="GOLD")
        house.register("a3", **AN_EXIT, requested_quantity=None)
        late = house.register("a4")
        entries = [early, other, late]
        assert house.store.write(lambda tx: tx.with_full_exit(entries)) == {early.command_id}

    def test_a_transaction_knows_whether_an_exit_may_be_sent(self, house):
        def has_exit():
            now = house.clock.now()
            return house.store.write(lambda tx: tx.has_work(CLIENT, now, exits_only=True))

        house.register("a1")
        assert not has_exit()
        exit_ = house.register("a2", **AN_EXIT)
        assert has_exit()
        house.claim(exit_)
        assert not has_exit()

    def test_an_exits_part_is_found_by_its_leg_and_is_no_leg_itself(self, house):
        leg = house.register(**AN_EXIT)
        part = house.register("a1", 1, parent_command_id=leg.command_id, **AN_EXIT)
        assert house.store.write(lambda tx: tx.parts(leg.command_id)) == [part]
        assert house.store.write(lambda tx: tx.orders_of_alert("a1")) == [leg]

    def test_the_latest_full_exits_are_found_latest_first(self, house):
        entry = house.register("a0")
        full = {**AN_EXIT, "requested_quantity": None}
        for n in range(1, 8):
            house.register(f"a{n}", **full)
        house.register("a8", **AN_EXIT)  # it names a quantity
        house.register("a9", **{**full, "strategy_name": "OTHER"})
        found = house.store.write(lambda tx: tx.full_exits_after(entry))
        assert [order.command_id for order in found] == [f"a{n}-1" for n in (7, 6, 5, 4, 3)]

    def test_a_later_entry_counts_when_it_is_or_was_at_the_broker(self, house):
        first, second = house.register("a1"), house.register("a2")
        since = lambda: house.store.write(lambda tx: tx.entered_since(first))  # noqa: E731
        assert since() is False
        house.claim(second)
        assert since() is True
        assert house.store.write(lambda tx: tx.entered_since(second)) is False

    def test_a_waiting_entry_is_released_when_what_it_waits_for_ends(self, house):
        exit_ = house.work("a1", **AN_EXIT)
        entry = house.register("a2")
        wait = Wait(WaitsFor.EXIT, entry.expires_at)
        house.store.write(lambda tx: tx.apply(waiting(entry, wait, at=house.clock.now(), actor="w1")))
        assert house.order("a2-1").not_before is not None
        house.fill(exit_)
        released = house.order("a2-1")
        assert (released.not_before, released.waits_for) == (None, WaitsFor.EXIT)


class IntentsContract(StoreCase):
    def test_an_intents_key_is_taken_once_and_the_loser_keeps_nothing(self, house):
        house.register("a1")
        at = house.clock.now()
        order = an_order("a2", at)

        def work(tx):
            tx.add_alert(an_alert("a2", at))
            tx.add_intent(tx.apply(register(order, at=at, actor="webhook")), f"{CLIENT}|a1|0|0", None)

        with pytest.raises(ConcurrentUpdate):
            house.store.write(work)
        assert house.store.get_by_id("a2-1") is None

    def test_an_order_has_one_intent(self, house):
        order = house.register("a1")
        with pytest.raises(ConcurrentUpdate):
            house.store.write(lambda tx: tx.add_intent(order, "another key", None))

    def test_an_intent_follows_its_order(self, house, tmp_path):
        order = house.register()
        found = lambda: self.intent(house.store, tmp_path, order.command_id)  # noqa: E731
        assert found() == ("PENDING", None, None)
        order = house.claim(order)
        assert found() == ("PENDING", None, None)
        order = house.move(order, Phase.WORKING, broker_order_id="B1")
        assert found() == ("ORDER_PLACED", "B1", None)
        house.move(order, Phase.REJECTED, tag="BROKER_REJECTED:17")
        assert found() == ("ORDER_FAILED", "B1", "BROKER_REJECTED:17")

    def test_a_blocked_duplicate_is_skipped(self, house, tmp_path):
        order = house.register()
        change = blocked(order, Reason.DUPLICATE_ENTRY_BLOCKED, "", at=house.clock.now(), actor="webhook")
        house.store.write(lambda tx: tx.apply(change))
        assert self.intent(house.store, tmp_path, order.command_id)[0] == "DEDUP_SKIPPED"

    def test_the_newest_delivery_that_was_accepted_is_found_by_its_key(self, house):
        at = house.clock.now()

        def add(alert_id: str, **changes: object) -> Alert:
            alert = an_alert(alert_id, at, idempotency_key="key", **changes)
            house.store.write(lambda tx: tx.add_alert(alert))
            return alert

        def last() -> Alert | None:
            return house.store.write(lambda tx: tx.last_accepted("key"))

        assert last() is None
        add("a1")
        second = add("a2", generation=1, content_hash="c", strategy_name=STRATEGY, signal_id="s1")
        add("a3", generation=2, duplicate_of="a2", outcome=Outcome.DUPLICATE)
        add("a4", generation=3, outcome=Outcome.REJECTED)
        assert last() == second

    def test_all_that_were_accepted_since_then_are_found_and_the_replays_of_an_alert(self, house):
        at = house.clock.now()
        later = at + timedelta(seconds=60)

        def add(alert_id: str, when: datetime = at, **changes: object) -> Alert:
            alert = an_alert(alert_id, when, idempotency_key="key", **changes)
            house.store.write(lambda tx: tx.add_alert(alert))
            return alert

        add("a1")
        second = add("a2", later, generation=1)
        add("a3", later, generation=2, duplicate_of="a2", outcome=Outcome.DUPLICATE)
        again = add("a4", later, generation=2, signal_id="replay-1-of-a1")
        add("a5", later, generation=3, signal_id="replay-1-of-a11")
        found = house.store.write(lambda tx: tx.accepted("key", later))
        assert [alert.alert_id for alert in found] == ["a2", "a4", "a5"] and found[0] == second
        assert house.store.write(lambda tx: tx.accepted("other", at)) == []
        assert house.store.write(lambda tx: tx.replays_of("a1", at)) == [again]
        assert house.store.write(lambda tx: tx.replays_of("a1", later + timedelta(seconds=1))) == []

    def test_an_alert_is_decided_as_its_most_consequential_leg(self, house):
        first, second = house.register("a1"), house.register("a1", 1)

        def decision() -> DecisionType | None:
            alert = house.store.write(lambda tx: tx.last_accepted(f"{CLIENT}|signal|a1"))
            assert alert is not None
            return alert.decision_type

        assert decision() is None
        change = blocked(first, Reason.DUPLICATE_ENTRY_BLOCKED, "", at=house.clock.now(), actor="webhook")
        house.store.write(lambda tx: tx.apply(change))
        assert decision() is DecisionType.SKIPPED
        order = house.claim(second)
        house.move(order, Phase.WORKING, broker_order_id="B1", decision_type=DecisionType.EXECUTED)
        assert decision() is DecisionType.EXECUTED

    def test_an_alert_is_added_once(self, house):
        alert = an_alert("a1", house.clock.now())
        house.store.write(lambda tx: tx.add_alert(alert))
        with pytest.raises(
            Exception, match="a"
        ):  # each store in its own words: such an id is never made twice
            house.store.write(lambda tx: tx.add_alert(replace(alert, signal_id="other")))
        assert house.store.write(lambda tx: tx.last_accepted(alert.idempotency_key)) == alert
