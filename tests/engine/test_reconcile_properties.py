"""Whatever a broker answers, whenever its book can be read and however old it is: rows never contradict the broker.

The broker here has a truth that only it changes, and shows it badly: reads fail, leave out closed orders, lag by up to
its horizon, come shuffled and with rows repeated. Requests get lost, arrive late, or arrive while their answer does
not. Watchers die. At every moment a row may know less than the truth, but never something else.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.broker_capabilities import IdClass
from domain.broker_reports import Book, BrokerStatus, OrderRef, OrderReport
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import (
    ConcurrentUpdate,
    NotSent,
    OutcomeUnknown,
    ReadFailed,
    Refused,
    StoreUnavailable,
)
from domain.states import MAY_BE_LIVE, Phase, Status
from tests.engine.promises import check_durable_truths, check_end, check_told
from tests.support import EXIT, MARKET_EXIT, START, Desk, leg

HORIZON = 2.0
LIVE = (BrokerStatus.PENDING, BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING)
QUICK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

ANSWERS = ["ok", "refused", "not sent", "lost", "answer lost", "late"]
READS = ["true", "failed", "open only", "lagging", "shuffled"]


class Badly:
    """A desk whose broker's truth is kept here and shown badly."""

    def __init__(self, desk: Desk, answers: list[tuple[str, float]], shuffle: Callable[[list], list]) -> None:
        self.desk, self.broker, self.clock = desk, desk.broker, desk.clock
        self.broker.traits = replace(self.broker.traits, visibility_horizon=HORIZON)
        self.broker.fill_at_once = False
        self.answers, self.shuffle = answers, shuffle
        self.read, self.watchers = "true", 1
        self.history: list[tuple[datetime, tuple[OrderReport, ...]]] = [(START - timedelta(days=1), ())]
        self.on_their_way: list[tuple[datetime, UniversalOrderCommand]] = []
        self.filled: dict[str, Decimal] = {}
        self.take = self.broker.place
        self.broker.place = self.place  # type: ignore[method-assign]
        self.broker.cancel = self.take_cancel  # type: ignore[method-assign]
        self.broker.read_book = self.read_book  # type: ignore[method-assign]

    # the broker -----------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        answer, delay = self.answers.pop(0) if self.answers else ("ok", 0.0)
        if answer == "refused":
            raise Refused("no", "R1")
        if answer == "not sent":
            raise NotSent("no connection")
        if answer == "late":
            self.on_their_way.append((self.clock.now() + timedelta(seconds=delay), command))
        if answer in ("late", "lost"):
            raise OutcomeUnknown("timed out")
        result = self.take(command)
        self.note()
        if answer == "answer lost":
            raise OutcomeUnknown("connection reset")
        return result

    def note(self) -> None:
        self.history.append((self.clock.now(), tuple(self.broker.orders.values())))

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        began = self.clock.now()
        rows = list(self.broker.orders.values())
        if self.read == "failed":
            raise ReadFailed("502")
        if self.read == "open only":
            return Book(began, tuple(r for r in rows if r.status in LIVE), complete=False)
        if self.read == "lagging":
            shown = began - timedelta(seconds=HORIZON)
            rows = [list(then) for at, then in self.history if at <= shown][-1]
        if self.read == "shuffled":
            rows = self.shuffle(rows * 2)
        return Book(began, tuple(rows), complete=True)

    def take_cancel(self, ref: OrderRef) -> None:
        """Too late for what has ended, as everywhere."""
        ids = list(self.broker.orders)
        if ref.broker_order_id in ids:
            self.progress(ids.index(ref.broker_order_id), BrokerStatus.CANCELLED, 0)

    def progress(self, index: int, status: BrokerStatus, filled: int) -> None:
        """Only an order that lives goes on, and its fills only grow."""
        orders = list(self.broker.orders.values())
        if index >= len(orders) or orders[index].status not in LIVE:
            return
        report = orders[index]
        fills = 50 if status is BrokerStatus.COMPLETE else max(filled, int(report.filled_quantity))
        self.broker.report(report.broker_order_id, status, fills)
        self.note()

    # time and people ------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        until = self.clock.at + timedelta(seconds=seconds)
        for due, command in sorted(self.on_their_way, key=lambda item: item[0]):
            if due <= until:
                self.clock.at = max(self.clock.at, due)
                self.take(command)
                self.note()
                self.on_their_way.remove((due, command))
        self.clock.at = max(self.clock.at, until)

    def restart(self) -> None:
        self.desk.kill(f"watcher-{self.watchers}")
        self.watchers += 1
        self.desk.engine = self.desk.new_engine(f"watcher-{self.watchers}")

    def cancel(self, index: int) -> None:
        for (command_id,) in self.desk.rows(
            "SELECT command_id FROM orders ORDER BY rowid LIMIT 1 OFFSET ?", index
        ):
            try:
                self.desk.commands.cancel(str(command_id), by="op")
            except ConcurrentUpdate:
                pass  # it has ended, or is not known to be live

    def tick(self, read: str) -> None:
        self.read = read
        self.desk.engine.tick()
        self.read = "true"
        self.note()

    # what must hold at every moment -----------------------------------------------------------------------

    def truth(self) -> dict[str, OrderReport]:
        """What the broker really has, by our ids, echoed or not."""
        return {self.broker.owners[id_]: report for id_, report in self.broker.orders.items()}

    def check(self) -> None:
        truth = self.truth()
        self.check_holdings()
        for (command_id,) in self.desk.rows("SELECT command_id FROM orders"):
            order = self.desk.order(str(command_id))
            report = truth.get(order.client_order_id)
            assert order.filled_quantity >= self.filled.get(order.command_id, 0), "a fill was forgotten"
            self.filled[order.command_id] = order.filled_quantity
            on_its_way = any(c.command_id == order.command_id for _, c in self.on_their_way)
            if report is None:
                assert order.status is not Status.EXECUTED
                assert order.broker_order_id is None
                assert order.phase is not Phase.ABSENT or not on_its_way, (
                    "called absent with its call under way"
                )
            elif report.status in LIVE:
                assert order.phase in MAY_BE_LIVE, f"{order.phase} while the broker has it live"
            elif report.status is BrokerStatus.COMPLETE:
                assert order.status is not Status.FAILED, f"{order.phase} while the broker has it filled"
            else:
                assert order.status is not Status.EXECUTED
            assert report is None or order.filled_quantity <= report.filled_quantity

    def check_holdings(self) -> None:
        """Each fill counts once, however often and in whatever order it was reported."""
        fills: dict[str, Decimal] = {}
        for (command_id,) in self.desk.rows("SELECT command_id FROM orders"):
            order = self.desk.order(str(command_id))
            fills[order.symbol] = fills.get(order.symbol, Decimal(0)) + order.signed_fill
        held = {h.symbol: h.net_quantity for h in self.desk.store.holdings("default")}
        assert held == {symbol: net for symbol, net in fills.items() if net}

    def calm(self) -> None:
        """From now on everything works; look on until nothing is open."""
        self.answers = []
        for pause in [*[0.3] * 4, *[3.0] * 10, *[25.0] * 15]:
            self.tick("true")
            self.check()
            if not self.desk.rows("SELECT 1 FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER')"):
                break
            for index in range(len(self.broker.orders)):
                self.progress(index, BrokerStatus.COMPLETE, 50)
            self.pass_time(pause)


steps = st.one_of(
    st.tuples(st.just("tick"), st.sampled_from(READS)),
    st.tuples(st.just("tick"), st.sampled_from(READS)),
    st.tuples(st.just("pass_time"), st.sampled_from([0.05, 0.5, 1.9, 2.1, 8.0, 17.0])),
    st.tuples(
        st.just("progress"),
        st.integers(0, 1),
        st.sampled_from([*BrokerStatus]).filter(lambda s: s is not BrokerStatus.UNRECOGNISED),
        st.integers(0, 49),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 1)),
    st.tuples(st.just("restart")),
)
# The last moment at which a request may arrive: the adapter's deadline, counted from the claim.
answers = st.lists(st.tuples(st.sampled_from(ANSWERS), st.floats(0, 14.9)), max_size=5)


@pytest.mark.parametrize("id_class", [IdClass.C0, IdClass.C1, IdClass.C2, IdClass.C4])
@QUICK
@given(
    answers=answers, script=st.lists(steps, min_size=4, max_size=18), random=st.randoms(use_true_random=False)
)
def test_rows_know_less_than_the_truth_or_all_of_it_and_never_something_else(
    make_desk, id_class, answers, script, random
):
    desk = make_desk(id_class=id_class)
    world = Badly(desk, list(answers), lambda rows: random.sample(rows, len(rows)))
    desk.post(leg("A"), leg("B"))
    for name, *values in script:
        getattr(world, name)(*values)
        world.check()
    world.calm()
    truth = world.truth()
    for (command_id,) in desk.rows("SELECT command_id FROM orders"):
        order = desk.order(str(command_id))
        check_end(order, truth.get(order.client_order_id))
        check_told(desk, order)
    check_durable_truths(desk)


def alarmed(desk: Desk) -> list[str]:
    return [
        f"{notice.kind} {notice.detail}"
        for notice in desk.notices
        if notice.kind in ("SYSTEM", "EXTERNAL_ORDER")
    ]


def test_a_second_order_under_the_tag_of_an_open_one_is_told_at_once(desk):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.orders["B2"] = replace(desk.broker.orders["B00001"], broker_order_id="B2")
    desk.broker.products["B2"] = "MIS"
    desk.clock.advance(31)
    desk.settle()
    assert alarmed(desk)


def test_an_order_that_was_called_never_sent_and_is_live_does_not_stop_the_pass_and_is_told(desk):
    """An adapter's mistake, or a proxy that answered for a broker it did reach."""
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", NotSent("no connection"))]
    desk.post()
    desk.clock.advance(299.9)
    desk.engine.refresh("default", force=True)
    desk.engine.execute_next("default")
    assert desk.only().phase is Phase.LAPSED
    desk.settle()
    assert desk.only().phase is Phase.WORKING
    assert [notice.kind for notice in desk.notices].count("RESURRECTED") == 1


def test_a_book_that_shows_a_filled_order_open_again_with_more_does_not_stop_the_pass(desk):
    desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.OPEN, 60)
    desk.clock.advance(31)
    desk.settle()
    assert desk.only().filled_quantity == 60


def test_an_exit_whose_life_is_over_ends_even_while_positions_cannot_be_read(desk):
    desk.broker.positions_error = ReadFailed("502")
    (order,) = desk.post(MARKET_EXIT, **EXIT)
    desk.clock.advance(3601)
    desk.settle()
    assert desk.order(order.command_id).status is Status.FAILED


def test_a_pass_that_changes_nothing_writes_nothing(desk, monkeypatch):
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    desk.broker.report("B00001", BrokerStatus.OPEN, 60)
    desk.settle()
    monkeypatch.setattr(desk.store, "write", None)
    assert desk.engine.reconcile("default") == 0


def test_an_alarm_without_a_move_is_written_once(desk, monkeypatch):
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    desk.post()
    desk.engine.execute_next("default")
    desk.broker.report("B00001", BrokerStatus.UNRECOGNISED)
    desk.broker.orders["B2"] = replace(desk.broker.orders["B00001"], broker_order_id="B2")
    desk.broker.products["B2"] = "MIS"
    desk.engine.reconcile("default")
    assert len(alarmed(desk)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "write", None)
        assert desk.engine.reconcile("default") == 0
    desk.replace_watcher()
    desk.look()
    assert len(alarmed(desk)) == 1, "nor after a restart"


@pytest.mark.parametrize("status", [BrokerStatus.COMPLETE, BrokerStatus.CANCELLED])
def test_an_order_that_ended_before_a_book_of_open_orders_was_read_is_not_called_absent(make_desk, status):
    desk = make_desk(id_class=IdClass.C1)
    world = Badly(desk, [("answer lost", 0.0)], list)
    desk.post()
    world.tick("failed")
    world.progress(0, status, 0)
    world.pass_time(3600)
    world.tick("open only")
    assert desk.only().phase is Phase.UNKNOWN
    world.tick("true")
    check_end(desk.only(), next(iter(desk.broker.orders.values())))


def test_a_book_that_lags_does_not_revive_what_has_ended(desk):
    world = Badly(desk, [], list)
    desk.post(leg("A"), leg("B"))
    world.tick("true")
    world.pass_time(3)
    world.progress(0, BrokerStatus.CANCELLED, 0)
    for read in ("true", "lagging", "true"):
        world.tick(read)
        assert desk.rows("SELECT phase FROM orders ORDER BY leg_index") == [("CANCELLED",), ("WORKING",)]
    assert "RESURRECTED" not in [notice.kind for notice in desk.notices]


def test_the_last_of_several_sends_is_waited_for_before_an_order_is_called_absent(make_desk):
    desk = make_desk(id_class=IdClass.C4)
    world = Badly(desk, [("lost", 0.0)] * 4 + [("late", 14.0)], list)
    desk.post()
    while not world.on_their_way:
        world.tick("true")
        world.pass_time(1)
    ((due, _),) = world.on_their_way
    assert desk.only().attempts == 5
    while desk.clock.at < due - timedelta(seconds=1):
        world.tick("true")
        world.pass_time(0.5)
        assert desk.only().phase is Phase.UNKNOWN
    world.pass_time(2)
    world.tick("true")
    assert desk.only().phase is Phase.WORKING


def break_next_commit(desk: Desk) -> None:
    """The next transaction does all of its work, and then cannot be committed."""
    write = desk.store.write

    def breaking(work):
        desk.store.write = write

        def undone(tx):
            work(tx)
            raise StoreUnavailable("disk full")

        return write(undone)

    desk.store.write = breaking  # type: ignore[method-assign]


def messages(desk: Desk) -> list[str]:
    return [str(text) for (text,) in desk.rows("SELECT message FROM telegram_messages ORDER BY id")]


def test_an_alarm_that_could_not_be_committed_is_told_with_the_next_pass(desk):
    desk.broker.fill_at_once = False
    desk.broker.script = [("after", OutcomeUnknown("timed out"))]
    desk.post()
    desk.engine.execute_next("default")
    desk.broker.orders["B2"] = replace(desk.broker.orders["B00001"], broker_order_id="B2")
    desk.broker.products["B2"] = "MIS"
    break_next_commit(desk)
    with pytest.raises(StoreUnavailable):
        desk.engine.reconcile("default")
    assert messages(desk) == []
    desk.settle()
    assert any("2 broker orders carry the tag" in text for text in messages(desk))


def test_that_a_broker_cannot_be_read_is_told_even_if_the_database_failed_at_that_moment(desk):
    desk.broker.positions_error = ReadFailed("502")
    desk.clock.advance(3)
    desk.engine.refresh("default")
    desk.clock.advance(20)
    break_next_commit(desk)
    with pytest.raises(StoreUnavailable):
        desk.engine.refresh("default")
    desk.clock.advance(20)
    desk.engine.refresh("default")
    assert any("cannot be read" in text for text in messages(desk))
