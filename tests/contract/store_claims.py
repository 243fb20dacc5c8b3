"""The contract of claims: what is sent next, what waits, and who holds what."""

from datetime import timedelta

from domain.claim_priority import claim_priority
from domain.enums import ExecutionType, Side, TestMode
from domain.states import Phase
from tests.contract.store_making import (
    AN_EXIT,
    CLIENT,
    STRATEGY,
    House,
    StoreCase,
)


class ClaimsContract(StoreCase):
    def test_entries_under_way_are_those_of_one_strategy_that_have_not_ended(self, house: House):
        def found(client: str = CLIENT, strategy: str = STRATEGY) -> list[str]:
            read = house.store.open_entries(client, strategy)
            assert house.store.write(lambda tx: tx.open_entries(client, strategy)) == read
            return [each.command_id for each in read]

        assert found() == []
        created = house.register("a1")
        tried = house.register("a2", symbol="TRIED", test_mode=TestMode.SUCCESS)
        house.register("a3", execution_type=ExecutionType.EXIT)
        house.register("a4", strategy_name="ELSE")
        house.entered("a5", symbol="DONE")
        working = house.work("a6", symbol="THERE")
        assert found() == [created.command_id, tried.command_id, working.command_id]
        assert found(client="bob") == [] and len(found(strategy="ELSE")) == 1
        house.move(working, Phase.CANCELLED)
        assert found() == [created.command_id, tried.command_id]

    def test_exits_are_claimed_first_and_then_the_oldest(self, house):
        for alert, changes in (("a1", {}), ("a2", {}), ("a3", AN_EXIT), ("a4", AN_EXIT)):
            house.register(alert, **changes)
        found = house.store.claimable(CLIENT, house.clock.now(), limit=3, exits_only=False)
        assert [order.command_id for order in found] == ["a3-1", "a4-1", "a1-1"]
        exits = house.store.claimable(CLIENT, house.clock.now(), limit=9, exits_only=True)
        assert [order.command_id for order in exits] == ["a3-1", "a4-1"]
        assert house.store.claimable("bob", house.clock.now(), limit=9, exits_only=False) == []

    def test_orders_are_claimed_by_their_priority_and_then_by_their_age(self, house):
        orders = [
            house.register(f"a{n}", **changes)
            for n, changes in enumerate(({}, AN_EXIT, {}, AN_EXIT, {"side": Side.SELL}, AN_EXIT))
        ]
        house.claim(orders[1])
        wanted = sorted((orders[n] for n in (0, 2, 3, 4, 5)), key=lambda o: (claim_priority(o), o.created_at))
        for limit in range(1, 7):
            found = house.store.claimable(CLIENT, house.clock.now(), limit=limit, exits_only=False)
            assert found == wanted[:limit]

    def test_an_order_that_comes_back_keeps_its_priority(self, house):
        entry, exit_ = house.register("a1"), house.claim(house.register("a2", **AN_EXIT))
        exit_ = house.move(exit_, Phase.REGISTERED)
        found = house.store.claimable(CLIENT, house.clock.now(), limit=9, exits_only=False)
        assert found == [exit_, entry]

    def test_there_is_work_only_while_something_may_be_sent(self, house):
        has_work = house.store.has_work
        assert not has_work(CLIENT, house.clock.now())
        order = house.register()
        assert has_work(CLIENT, house.clock.now())
        assert not has_work(CLIENT, house.clock.now(), exits_only=True)
        house.claim(order)
        assert not has_work(CLIENT, house.clock.now())

    def test_a_postponed_order_waits_unless_the_clock_was_set_back(self, house):
        order = house.register()
        now = house.clock.now()
        for seconds, waits in ((5, True), (0, False), (-1, False), (11, False)):
            order = house.move(order, Phase.REGISTERED, not_before=now + timedelta(seconds=seconds))
            assert house.store.has_work(CLIENT, now) is not waits, seconds

    def test_orders_at_the_broker_are_listed_oldest_first(self, house):
        house.register("a1")
        claimed, working = house.claim(house.register("a2")), house.work("a3")
        house.entered("a4")
        other = house.work("a5", strategy_name="OTHER")
        store = house.store
        assert store.get_open_orders(CLIENT) == [claimed, working, other]
        assert store.get_open_orders_by_strategy(CLIENT, "OTHER") == [other]
        assert store.may_be_live(CLIENT) == [claimed, working, other]
        assert store.unplaced(CLIENT) == [claimed]

    def test_an_order_that_was_turned_away_may_be_live(self, house):
        order = house.move(house.claim(house.register()), Phase.REGISTERED)
        assert order.look_first
        assert house.store.may_be_live(CLIENT) == [order]
        assert house.store.get_open_orders(CLIENT) == []

    def test_an_absent_order_is_provisional_until_its_time(self, house):
        order = house.move(house.claim(house.register()), Phase.UNKNOWN)
        until = house.clock.now() + timedelta(minutes=2)
        house.move(order, Phase.ABSENT, provisional_until=until, tag="BROKER_ABSENT:PROVEN")
        assert house.store.has_provisional(CLIENT, until - timedelta(seconds=1))
        assert not house.store.has_provisional(CLIENT, until)
        assert not house.store.has_provisional("bob", house.clock.now())

    def test_a_claimant_is_alive_while_it_holds_its_name(self, house):
        store = house.store
        assert not store.claimant_alive("w1")
        store.claimants.enter("w1")
        assert store.claimant_alive("w1")
        store.claimants.leave("w1")
        assert not store.claimant_alive("w1")
        with store.claimants.ended() as ended:
            assert ended == []
