"""A broker order that carries an order's own tag is that order: it is followed, and never sent a second time."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.broker_capabilities import IdClass
from domain.broker_reports import Book, BrokerStatus, UnreadableRow
from domain.enums import Side
from domain.errors import NotSent, OutcomeUnknown, ReadFailed
from domain.notices import NoticeKind
from domain.states import Phase, Status
from persistence.sqlite.migrations import migrate
from tests.support import EXIT, MARKET_EXIT, Desk, kinds, leg

SYMBOL = "NIFTY26NOV24500CE"
ENDED = NotSent("the broker refused the session: Session Expired", "401", look_first=True)
TAKEN_ALL_THE_SAME = ("after", ENDED)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def restored(desk, tmp_path):
    """A desk on a database of before, at the same broker and at a later time."""
    folder = tmp_path / "restored"
    folder.mkdir()
    migrate(folder / "orders.db")
    again = Desk(folder)
    again.clock.at = desk.clock.at + timedelta(seconds=30)
    desk.broker.clock = again.clock
    again.broker = desk.broker
    again.kill("watcher-1")
    again.engine = again.new_engine("watcher-2")
    return again


def told(desk, kind=NoticeKind.SYSTEM):
    return [n.detail for n in desk.notices if n.kind == kind]


# a database that was restored ---------------------------------------------------------------------------------


def test_a_repeated_exit_whose_tag_is_in_the_book_is_followed_and_not_sent(desk, tmp_path):
    """Two strategies held 50 each; the first one's exit is at the broker, and the database is of before it."""
    desk.post()
    desk.post(strategy_name="OTHER")
    desk.settle()
    desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert len(desk.broker.placed) == 3
    again = restored(desk, tmp_path)
    again.hold(50)
    again.hold(50, strategy="OTHER")
    again.look()
    texts = [t for t in told(again, NoticeKind.UNREMEMBERED_ORDER) if "SELL" in t]
    assert [desk.broker.placed[2].client_order_id in text for text in texts] == [True]
    again.post(MARKET_EXIT, **EXIT)
    again.settle()
    assert len(desk.broker.placed) == 3, "it was sent again, and sold the other strategy's units"
    order = again.only()
    assert (order.status, order.broker_order_id, order.side) == (Status.EXECUTED, "B00003", Side.SELL)
    assert (order.quantity, order.filled_quantity) == (Decimal(50), Decimal(50))
    assert again.rows("SELECT strategy_name, net_quantity FROM holdings") == [("OTHER", "50")]
    assert [t for t in told(again) if "B00003 carries its tag" in t] != []
    assert NoticeKind.EXTERNAL_ORDER not in kinds(again)


def test_a_repeated_entry_is_followed_under_its_number(desk, tmp_path):
    desk.post()
    desk.settle()
    again = restored(desk, tmp_path)
    again.look()
    again.post()
    again.settle()
    assert len(desk.broker.placed) == 1
    assert (again.only().status, again.only().broker_order_id) == (Status.EXECUTED, "B00001")
    assert again.rows("SELECT strategy_name, net_quantity FROM holdings") == [("STRADDLE", "50")]
    assert again.rows("SELECT 1 FROM external_orders") == []


def test_what_another_watcher_noted_counts_for_this_one(desk, tmp_path):
    """The process that claims has read no book: an exit does not wait for that."""
    desk.post()
    desk.settle()
    desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    again = restored(desk, tmp_path)
    again.hold(50)
    again.look()
    again.kill("watcher-2")
    again.engine = again.new_engine("watcher-3")
    again.post(MARKET_EXIT, **EXIT)
    assert again.engine.execute_next("default")
    assert len(desk.broker.placed) == 2
    assert again.only().broker_order_id == "B00002"


def test_what_the_last_book_showed_counts_before_it_is_noted(desk, tmp_path, monkeypatch):
    desk.post()
    desk.settle()
    again = restored(desk, tmp_path)
    monkeypatch.setattr(again.engine._reconciler, "_explain", lambda *args: None)
    again.look()
    assert again.rows("SELECT 1 FROM external_orders") == []
    again.post()
    again.settle()
    assert len(desk.broker.placed) == 1
    assert again.only().broker_order_id == "B00001"


@pytest.mark.parametrize("status", [BrokerStatus.CANCELLED, BrokerStatus.REJECTED, BrokerStatus.OPEN])
def test_its_outcome_is_what_the_book_says(desk, tmp_path, status):
    desk.post()
    desk.settle()
    desk.broker.report("B00001", status)
    again = restored(desk, tmp_path)
    again.look()
    again.post()
    again.settle()
    assert len(desk.broker.placed) == 1
    phase = Phase.WORKING if status is BrokerStatus.OPEN else Phase(status)
    assert again.only().phase is phase


def test_of_several_under_one_tag_the_one_that_was_filled_is_followed(desk, tmp_path):
    desk.post()
    desk.settle()
    filled = desk.broker.orders.pop("B00001")
    for number, status in (("A1", BrokerStatus.REJECTED), ("B00001", None), ("C1", BrokerStatus.CANCELLED)):
        changes = {"status": status, "filled_quantity": Decimal(0)} if status else {}
        desk.broker.orders[number] = replace(filled, broker_order_id=number, **changes)
        desk.broker.products[number] = "MIS"
    again = restored(desk, tmp_path)
    again.look()
    assert len(told(again, NoticeKind.UNREMEMBERED_ORDER)) == 1  # what came to nothing concerns nobody
    again.post()
    again.settle()
    assert len(desk.broker.placed) == 1
    assert (again.only().status, again.only().broker_order_id) == (Status.EXECUTED, "B00001")


def test_an_alert_whose_life_is_over_is_followed_all_the_same(desk, tmp_path):
    desk.post()
    desk.settle()
    again = restored(desk, tmp_path)
    again.look()
    again.post()
    again.clock.advance(400)
    again.settle()
    assert (again.only().status, again.only().broker_order_id) == (Status.EXECUTED, "B00001")


def test_one_that_was_noted_on_another_day_is_another_order(desk, tmp_path):
    desk.post()
    desk.settle()
    again = restored(desk, tmp_path)
    again.look()
    desk.broker.orders.clear()  # the next day's book is empty
    again.clock.advance(36 * 3600)
    again.look()
    again.post()
    again.settle()
    assert len(desk.broker.placed) == 2
    assert again.only().status is Status.EXECUTED


def test_the_same_tag_on_another_symbol_is_another_order(desk, tmp_path):
    """A `signal_id` that was used again."""
    desk.post(signal_id="one")
    desk.settle()
    again = restored(desk, tmp_path)
    again.look()
    again.post(leg("BANKNIFTY26NOVFUT"), signal_id="one")
    again.settle()
    assert [c.symbol for c in desk.broker.placed] == [SYMBOL, "BANKNIFTY26NOVFUT"]


# an answer that says the order was turned away ------------------------------------------------------------------


@pytest.mark.parametrize("is_exit", [False, True])
def test_one_that_was_turned_away_and_taken_is_followed(desk, is_exit):
    if is_exit:
        desk.post()
        desk.settle()
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    (order,) = desk.post(MARKET_EXIT, **EXIT) if is_exit else desk.post()
    before = len(desk.broker.placed)
    desk.settle()
    after = desk.order(order.command_id)
    assert len(desk.broker.placed) == before + 1, "it was sent again"
    assert (after.status, after.attempts) == (Status.EXECUTED, 1)
    assert kinds(desk).count(NoticeKind.EXTERNAL_ORDER) == 0
    assert kinds(desk).count(NoticeKind.UNREMEMBERED_ORDER) == 0
    assert len([t for t in told(desk) if "carries its tag" in t]) == 1


def test_one_that_was_turned_away_is_sent_again_after_one_look(desk):
    desk.broker.script = [ENDED]
    desk.post()
    reads = []
    read = desk.broker.read_book
    desk.broker.read_book = lambda wanted, **_: reads.append(wanted) or read(wanted)
    assert desk.engine.execute_next("default")
    assert (desk.only().phase, desk.only().look_first) == (Phase.REGISTERED, True)
    desk.clock.advance(0.2)
    assert desk.engine.execute_next("default")
    assert len(reads) == 1
    assert len(desk.broker.placed) == 1
    assert (desk.only().phase, desk.only().attempts) == (Phase.WORKING, 1)


def test_those_that_were_turned_away_together_share_one_look(desk):
    names = [f"NIFTY26NOV2{n}000CE" for n in range(6)]
    desk.broker.script = [ENDED] * len(names)
    desk.post(*[leg(name) for name in names])
    while desk.engine.execute_next("default"):
        pass
    reads = []
    read = desk.broker.read_book
    desk.broker.read_book = lambda wanted, **_: reads.append(wanted) or read(wanted)
    desk.clock.advance(0.2)
    while desk.engine.execute_next("default"):
        pass
    assert len(desk.broker.placed) == len(names)
    assert len(reads) == 1


HIDING = UnreadableRow("NFO", SYMBOL, None, None, None, "qty 1,0")


@pytest.mark.parametrize("trouble", ["unreadable", "not whole", "a row hides it", "an adapter's defect"])
def test_while_the_book_cannot_tell_it_is_not_sent_again(desk, trouble):
    desk.broker.script = [ENDED]
    desk.post()
    desk.engine.execute_next("default")
    read = desk.broker.read_book
    if trouble == "unreadable":
        desk.broker.book_error = ReadFailed("Session Expired", "401")
    elif trouble == "not whole":
        desk.broker.read_book = lambda wanted, **_: Book(desk.clock.now(), (), complete=False)
    elif trouble == "a row hides it":
        desk.broker.unreadable_orders = (HIDING,)
    else:
        desk.broker.read_book = lambda wanted, **_: 1 // 0
    desk.settle(5)
    assert desk.broker.placed == []
    assert desk.only().phase is Phase.REGISTERED
    desk.broker.book_error, desk.broker.read_book, desk.broker.unreadable_orders = None, read, ()
    desk.clock.advance(6)
    desk.settle()
    assert len(desk.broker.placed) == 1


def test_a_book_of_before_the_answer_is_no_look(desk):
    stale = desk.broker.read_book([])
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    desk.post()
    desk.engine.execute_next("default")
    desk.engine._submitter.own_tags.saw("default", stale)
    desk.clock.advance(0.2)
    desk.engine.execute_next("default")
    assert len(desk.broker.placed) == 1


def test_the_mark_outlives_the_watcher(desk):
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    desk.post()
    desk.engine.execute_next("default")
    desk.replace_watcher()
    desk.settle()
    assert len(desk.broker.placed) == 1
    assert desk.only().status is Status.EXECUTED


def test_one_whose_life_ended_meanwhile_ends_only_after_its_look(desk):
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    desk.post()
    desk.engine.execute_next("default")
    sent_at = desk.only().sent_at
    desk.broker.book_error = ReadFailed("down")
    desk.clock.advance(400)
    desk.settle()
    assert desk.only().phase is Phase.UNKNOWN  # escalated, and a person can resolve it
    assert desk.only().sent_at == sent_at
    assert len(desk.broker.placed) == 1
    desk.broker.book_error = None
    desk.clock.advance(31)
    desk.settle()
    assert desk.only().phase is Phase.FILLED
    assert len(desk.broker.placed) == 1


def test_a_row_that_contradicts_itself_is_no_refusal(desk):
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    (order,) = desk.post()
    desk.engine.execute_next("default")
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 0)
    shown = replace(desk.broker.orders["B00001"], contradiction="COMPLETE with 0 filled")
    desk.broker.orders["B00001"] = shown
    desk.commands.cancel(order.command_id, by="cli:ann")
    desk.settle()
    assert len(desk.broker.placed) == 1
    assert desk.only().broker_order_id == "B00001"


def test_one_that_shows_in_another_read_is_followed_before_its_next_turn(desk):
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    desk.post()
    desk.engine.execute_next("default")
    desk.engine.nudge("default")
    desk.engine.reconcile("default")
    assert desk.only().broker_order_id == "B00001"


def test_turned_away_then_lost_is_unknown_as_ever(desk):
    desk.broker.script = [ENDED, ("after", OutcomeUnknown("timed out"))]
    desk.post()
    desk.settle()
    assert len(desk.broker.placed) == 1
    assert desk.only().status is Status.EXECUTED


def test_the_look_waits_until_a_taken_order_would_show(desk):
    desk.broker.traits = replace(desk.broker.traits, visibility_horizon=3.0)
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    read, hidden_until = desk.broker.read_book, desk.clock.now() + timedelta(seconds=2.5)

    def lagging(wanted, **_):
        book = read(wanted)
        return book if desk.clock.now() >= hidden_until else replace(book, reports=())

    desk.broker.read_book = lagging
    desk.post()
    desk.settle(12)
    assert len(desk.broker.placed) == 1, "it was sent again, while the book did not show it yet"
    assert desk.only().status is Status.EXECUTED


@pytest.mark.parametrize("seconds", [4, 6, 60])
def test_a_clock_that_is_set_forward_makes_no_look_early(desk, seconds):
    desk.broker.traits = replace(desk.broker.traits, visibility_horizon=3.0)
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    read, step = desk.broker.read_book, timedelta(seconds=seconds)
    began = stepped = desk.clock.now()

    def lagging(wanted, **_):
        book, now = replace(read(wanted), steady_since=stepped), desk.clock.now()
        passed = now - began - (step if stepped > began else timedelta())
        return book if passed >= timedelta(seconds=2.5) else replace(book, reports=())

    desk.broker.read_book = lagging
    desk.post()
    desk.engine.tick()
    desk.clock.advance(seconds)  # in no time
    stepped = desk.clock.now()
    desk.engine.tick()
    assert desk.only().phase is Phase.REGISTERED, "it was called not sent, while the book did not show it yet"
    desk.settle(40)
    assert len(desk.broker.placed) == 1
    assert desk.only().status is Status.EXECUTED


@pytest.mark.parametrize("taken", [False, True])
def test_a_cancel_of_what_was_turned_away_waits_for_its_look(desk, taken):
    desk.broker.fill_at_once = False
    desk.broker.script = [TAKEN_ALL_THE_SAME if taken else ENDED]
    (order,) = desk.post()
    desk.engine.execute_next("default")
    desk.commands.cancel(order.command_id, by="cli:ann")
    assert desk.only().phase is Phase.REGISTERED
    desk.settle(3)
    assert len(desk.broker.placed) == taken
    assert desk.only().tag == ("BROKER_CANCELLED" if taken else "NOT_SENT:CANCELLED_BEFORE_SENT")


def test_where_nothing_is_echoed_no_look_can_find_it_and_its_outcome_is_unknown(make_desk):
    mute = make_desk(id_class=IdClass.C0)
    mute.broker.script = [TAKEN_ALL_THE_SAME]
    mute.post()
    mute.engine.execute_next("default")
    assert mute.only().phase is Phase.UNKNOWN
    mute.settle()
    assert len(mute.broker.placed) == 1


def test_what_the_broker_keeps_of_the_refused_one_is_not_told_as_a_strangers(desk):
    desk.broker.script = [TAKEN_ALL_THE_SAME]
    desk.post()
    desk.engine.execute_next("default")
    desk.broker.report("B00001", BrokerStatus.REJECTED, 0)
    desk.settle()
    assert (desk.only().status, desk.only().broker_order_id) == (Status.EXECUTED, "B00002")
    desk.clock.advance(31)
    desk.look()
    assert NoticeKind.UNREMEMBERED_ORDER not in kinds(desk)


@pytest.mark.parametrize("taken", [False, True])
def test_one_turned_away_in_the_last_seconds_of_its_life_ends_only_after_its_look(desk, taken):
    (order,) = desk.post()
    desk.clock.at = order.expires_at - timedelta(seconds=0.05)
    desk.engine.refresh("default", force=True)
    desk.broker.script = [TAKEN_ALL_THE_SAME if taken else ENDED]
    desk.engine.execute_next("default")
    assert (desk.only().phase, desk.only().look_first) == (Phase.REGISTERED, True)
    desk.settle(30)
    assert len(desk.broker.placed) == taken
    assert desk.only().phase is (Phase.FILLED if taken else Phase.LAPSED)
