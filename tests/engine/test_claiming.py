"""One order, one claim, one order at the broker: whoever else picked it, and however often it is sent."""

from decimal import Decimal

from domain.errors import OutcomeUnknown
from domain.reports import Book, IdClass
from domain.states import Status


def test_of_two_watchers_that_picked_one_order_one_sends_it(desk, monkeypatch):
    """Both read it before either claimed it, as two processes may."""
    other = desk.new_engine("watcher-2")
    other.tick()
    desk.post()
    picked = desk.store.claimable("default", desk.clock.now(), limit=1, exits_only=False)
    monkeypatch.setattr(desk.store, "claimable", lambda *args, **options: picked)
    late = [other]

    def claim_too(command):
        if late:
            assert late.pop().execute_next("default"), "it had nothing to claim"

    desk.broker.before_place = claim_too
    assert desk.engine.execute_next("default")
    assert late == []
    assert len(desk.broker.placed) == 1
    assert (desk.only().attempts, desk.only().claimed_by) == (1, "watcher-1")


def test_an_order_that_is_sent_again_is_one_order_at_the_broker(make_desk):
    """The first send arrived, its answer was lost, and the book does not show it yet."""
    desk = make_desk(id_class=IdClass.C4)
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    desk.post()
    desk.engine.execute_next("default")
    read_book = desk.broker.read_book
    desk.broker.read_book = lambda wanted: Book(desk.clock.now(), (), complete=True)
    desk.clock.advance(3)
    desk.engine.reconcile("default")
    assert desk.only().attempts == 2
    desk.broker.read_book = read_book
    desk.settle()
    assert [c.client_order_id for c in desk.broker.placed] == [desk.only().client_order_id]
    assert desk.only().status is Status.EXECUTED
    assert desk.broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS") == Decimal(50)


def test_an_entry_whose_life_is_over_is_not_sent_where_nothing_else_stops_it(desk):
    desk.post()
    desk.clock.advance(600)
    desk.engine.refresh("default", force=True)
    desk.engine.execute_next("default")
    assert desk.broker.placed == []
    assert desk.only().tag == "NOT_SENT:ALERT_TOO_OLD"
