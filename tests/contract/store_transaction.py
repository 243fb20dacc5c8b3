"""The contract of the transaction that writes: all of it or nothing, and one at a time."""

import threading
from decimal import Decimal

import pytest

from domain.order_events import advance, register
from domain.ports import Halt, Registration
from domain.states import Phase
from tests.contract.store_making import (
    CLIENT,
    StoreCase,
    an_alert,
    an_order,
)


class Oops(Exception):
    """An error of the work itself."""


class TransactionContract(StoreCase):
    def test_a_write_returns_what_its_work_returned(self, house):
        assert house.store.write(lambda tx: 42) == 42

    def test_an_error_of_the_work_is_raised_as_it_is_and_keeps_nothing(self, house, outbox):
        order = house.work()

        def work(tx):
            tx.add_alert(an_alert("a2", house.clock.now()))
            at = house.clock.now()
            tx.apply(register(an_order("a2", at), at=at, actor="webhook"))
            tx.set_halt(Halt(CLIENT, None, at, "ann", "why"))
            change = advance(
                order, Phase.FILLED, at=at, actor="w1", filled_quantity=Decimal(50), average_price=Decimal(1)
            )
            tx.apply(change)
            raise Oops

        before = outbox.pending([CLIENT], 100)
        with pytest.raises(Oops):
            house.store.write(work)
        assert house.order(order.command_id) == order
        assert house.store.get_by_id("a2-1") is None
        assert house.held() == {}
        assert outbox.pending([CLIENT], 100) == before
        assert house.store.write(lambda tx: tx.clear_halt(CLIENT, None)) is False
        assert house.store.write(lambda tx: tx.last_accepted(f"{CLIENT}|signal|a2")) is None

    def test_an_attempt_that_fails_is_undone_alone_and_registrations_are_written_together(self, house):
        at = house.clock.now()

        def registration(alert_id):
            change = register(an_order(alert_id, at), at=at, actor="webhook")
            return Registration(an_alert(alert_id, at), change, f"{alert_id}|0|0")

        def work(tx):
            first = tx.attempt(lambda: tx.add_registrations([registration("a2"), registration("a3")]))
            again = tx.attempt(lambda: tx.add_registrations([registration("a4"), registration("a3")]))
            return first, again, tx.accepted_among([f"{CLIENT}|signal|{each}" for each in ("a2", "a3", "a4")])

        first, again, keys = house.store.write(work)
        assert first is None and isinstance(again, Exception)
        assert keys == {f"{CLIENT}|signal|a2", f"{CLIENT}|signal|a3"}
        assert house.order("a2-1").phase is Phase.REGISTERED
        assert house.store.get_by_id("a4-1") is None

    def test_after_an_error_the_store_goes_on(self, house):
        def fails(tx):
            raise Oops

        with pytest.raises(Oops):
            house.store.write(fails)
        assert house.register().phase is Phase.REGISTERED

    def test_a_transaction_sees_what_it_wrote_and_others_see_it_afterwards(self, house):
        at = house.clock.now()

        def work(tx):
            tx.add_alert(an_alert("a1", at))
            tx.apply(register(an_order("a1", at), at=at, actor="webhook"))
            return tx.get("a1-1"), house.store.get_by_id("a1-1")

        inside, outside = house.store.write(work)
        assert inside is not None and outside is None
        assert house.order("a1-1") == inside

    def test_writers_of_many_threads_lose_nothing(self, house):
        threads = [threading.Thread(target=house.register, args=(f"a{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {f"a{n}-1" for n in range(8)} == {
            o.command_id
            for o in house.store.claimable(CLIENT, house.clock.now(), limit=100, exits_only=False)
        }
