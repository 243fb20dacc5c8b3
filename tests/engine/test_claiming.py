"""One order, one claim, one order at the broker: whoever else picked it, and however often it is sent.

What must not trade, or not any more, is not sent at all.
"""

from datetime import timedelta
from decimal import Decimal

from domain.broker_capabilities import IdClass
from domain.broker_reports import Book
from domain.errors import OutcomeUnknown
from domain.states import Phase, Status
from tests.engine.dying import die_in_the_call
from tests.support import EXIT, MARKET_EXIT


def test_the_claim_and_the_client_id_are_durable_before_the_broker_hears_of_it(desk):
    seen = []

    def look(command):
        row = desk.only()
        seen.append((row.status, row.phase, row.client_order_id == command.client_order_id))

    desk.broker.before_place = look
    desk.post()
    desk.settle()
    assert seen == [("SENT_TO_BROKER", "SUBMITTING", True)]


def test_two_watchers_send_once(desk):
    other = desk.new_engine("watcher-2")
    desk.look(other)
    taken = []

    def steal(command):
        taken.append(other.execute_next("default"))

    desk.broker.before_place = steal
    desk.post()
    desk.engine.execute_next("default")
    desk.settle()
    assert taken == [False]
    assert len(desk.broker.placed) == 1


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
    desk.broker.read_book = lambda wanted, **_: Book(desk.clock.now(), (), complete=True)
    desk.clock.advance(3)
    desk.engine.reconcile("default")
    assert desk.only().attempts == 2
    desk.broker.read_book = read_book
    desk.settle()
    assert [c.client_order_id for c in desk.broker.placed] == [desk.only().client_order_id]
    assert desk.only().status is Status.EXECUTED
    assert desk.broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS") == Decimal(50)


def test_a_dead_watchers_claim_is_found_out_at_once(make_desk):
    desk = make_desk(id_class=IdClass.C4)
    desk.post()
    die_in_the_call(desk)
    desk.engine.tick()
    desk.settle()
    assert desk.only().status is Status.EXECUTED
    assert len(desk.broker.placed) == 1


def test_a_living_watchers_claim_is_left_to_it_while_its_call_may_last(desk):
    other = desk.new_engine("watcher-2")

    def look(command):
        other.tick()
        assert desk.only().phase is Phase.SUBMITTING

    desk.broker.before_place = look
    desk.post()
    desk.engine.execute_next("default")
    assert len(desk.broker.placed) == 1


def test_a_claim_whose_process_slept_is_not_sent(desk):
    claimed = desk.engine._submitter._claim_entry
    context = desk.engine._contexts["default"]
    desk.post()

    def sleepy(context, order):
        result = claimed(context, order)
        desk.clock.advance(desk.rules.submit_window.total_seconds() + 1)
        return result

    desk.engine._submitter._claim_entry = sleepy
    assert desk.engine._submitter.execute_next(context)
    assert desk.broker.placed == []
    assert desk.only().phase is Phase.REGISTERED


def test_live_trading_off_blocks_everything_visibly(make_desk):
    desk = make_desk(is_real=True, live_allowed=False)
    (blocked,) = desk.post()
    assert blocked.tag == "GUARD_BLOCKED:ORDER_BLOCKED_LIVE_TRADING"
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    assert exit_.tag == "GUARD_BLOCKED:ORDER_BLOCKED_LIVE_TRADING"
    desk.settle()
    assert desk.broker.placed == []
    assert {r[0] for r in desk.rows("SELECT status FROM order_intents")} == {"ORDER_BLOCKED_LIVE_TRADING"}


def test_a_halt_between_registration_and_claim_stops_the_entry(desk):
    desk.post()
    desk.commands.halt("default", by="operator", reason="news")
    desk.settle()
    assert desk.only().tag == "GUARD_BLOCKED:TRADING_HALTED"
    assert desk.broker.placed == []


def test_expired_entries_are_not_sent_after_an_outage(desk):
    desk.post()
    desk.clock.advance(timedelta(minutes=10).total_seconds())
    desk.settle()
    assert desk.only().tag == "NOT_SENT:ALERT_TOO_OLD"
    assert desk.broker.placed == []


def test_an_entry_whose_life_is_over_is_not_sent_where_nothing_else_stops_it(desk):
    desk.post()
    desk.clock.advance(600)
    desk.engine.refresh("default", force=True)
    desk.engine.execute_next("default")
    assert desk.broker.placed == []
    assert desk.only().tag == "NOT_SENT:ALERT_TOO_OLD"
