"""A watcher may be killed between any two instructions that anybody else can see, and again while it recovers.

Each kind of order lives its life once undisturbed, while the boundaries are counted: before and after every commit and
every call to the broker. Then it lives again for every boundary, and the process dies there. A new watcher finds what
is left, and every promise has to hold. What dies with a process is its engine; the database, the broker and the sender
of the alert, who repeats what was not answered, go on.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from domain.alert import ParsedAlert
from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderReport, PositionsSnapshot
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, TestMode
from domain.errors import ConcurrentUpdate, NotSent, OutcomeUnknown, Refused
from domain.order import Order
from domain.states import Phase, Status
from tests.engine.promises import check_durable_truths, check_end, check_told
from tests.support import EXIT, MARKET_EXIT, Desk, entry, leg

SYMBOL = "NIFTY26NOV24500CE"
LIVE = (BrokerStatus.PENDING, BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING)
PAUSES = (*[0.3] * 4, *[2.0] * 10, *[25.0] * 16)
"""Seconds between looks while a desk settles: together longer than an alert lives and an absence takes to prove."""


class Killed(BaseException):
    """The process is gone. No `except Exception` may survive it."""


class Boundaries:
    """Counts what is crossed, and kills at the one that was chosen."""

    def __init__(self) -> None:
        self.crossed: list[str] = []
        self.fatal: int | None = None
        self.dead = False
        self.wrongs: list[str] = []

    def begin(self, fatal: int | None) -> None:
        """A new process, which will die at its boundary number `fatal`, if at any."""
        self.crossed, self.fatal, self.dead = [], fatal, False

    def cross(self, name: str) -> None:
        if self.dead:
            self.wrongs.append(f"a dead process went on to {name}")
        self.crossed.append(name)
        if len(self.crossed) - 1 == self.fatal:
            self.dead = True
            raise Killed(name)

    def around(self, owner: object, method: str) -> None:
        """Let every call of a method cross two boundaries."""
        original = getattr(owner, method)

        def bounded(*args: object, **kwargs: object) -> object:
            self.cross(f"{method} before")
            try:
                return original(*args, **kwargs)
            finally:
                self.cross(f"{method} after")

        setattr(owner, method, bounded)


# kinds of orders --------------------------------------------------------------------------------------------

Event = Callable[[Desk], None]


@dataclass(frozen=True)
class Kind:
    """An alert, how the broker takes it, and what happens to it afterwards.

    `before` is what an order of the same strategy has come to; `ends_flat`: whatever dies, nothing of it may be left,
    but where an exit was lost; `comes_late`: what was called absent may be accepted after all.
    """

    alert: ParsedAlert
    script: tuple = ()
    fill_at_once: bool = True
    after: tuple[Event, ...] = ()
    before: Event | None = None
    ends_flat: bool = False
    comes_late: bool = False


def broker_orders(desk: Desk) -> list[OrderReport]:
    """What became of the alert at the broker; a position that was there before is not of it."""
    return [report for id_, report in desk.broker.orders.items() if id_ != "BEFORE"]


def filled_by_20(desk: Desk) -> None:
    for report in broker_orders(desk):
        if report.status in LIVE:
            desk.broker.report(report.broker_order_id, BrokerStatus.OPEN, 20)


def filled_in_full(desk: Desk) -> None:
    for report in broker_orders(desk):
        if report.status in LIVE:
            desk.broker.report(report.broker_order_id, BrokerStatus.COMPLETE, 50)


def rejected_later(desk: Desk) -> None:
    for report in broker_orders(desk):
        if report.status in LIVE:
            desk.broker.report(report.broker_order_id, BrokerStatus.REJECTED, code="RMS1", reason="price")


def cancel_is_asked_for(desk: Desk) -> None:
    for (command_id,) in desk.rows("SELECT command_id FROM orders WHERE broker_order_id IS NOT NULL"):
        try:
            desk.commands.cancel(str(command_id), by="op")
        except ConcurrentUpdate:
            pass  # it has ended


def a_position(desk: Desk) -> None:
    """An entry that was filled."""
    (order,) = desk.post(MARKET)
    desk.settle()
    held = desk.order(order.command_id)
    assert held.status is Status.EXECUTED
    desk.clock.advance(5)
    desk.engine.tick()
    desk.broker.placed.clear()


def an_entry_filled_by_20(desk: Desk) -> None:
    """It rests; while it is taken back it is filled by 15 more."""
    desk.broker.fill_at_once = False
    desk.post(leg())
    for _ in range(4):
        desk.engine.tick()
        desk.clock.advance(0.5)
        filled_by_20(desk)
    cancel = desk.broker.cancel

    def cancel_late(ref):
        desk.broker.report(ref.broker_order_id, BrokerStatus.OPEN, 35)
        cancel(ref)

    desk.broker.cancel = cancel_late  # type: ignore[method-assign]


def a_position_that_reads_lack(desk: Desk) -> None:
    """For some seconds the broker lists no positions."""
    a_position(desk)
    read, until = desk.broker.read_positions, desk.clock.now() + timedelta(seconds=1.5)

    def lacking(*, urgent=False):
        at = desk.clock.now()
        return PositionsSnapshot(at, ()) if at < until else read(urgent=urgent)

    desk.broker.read_positions = lacking  # type: ignore[method-assign]


def a_position_at_a_broker_that_accepts_late(desk: Desk) -> None:
    a_position(desk)
    desk.broker.traits = replace(desk.broker.traits, acceptance_horizon=20.0)


def accepted_after_all(desk: Desk) -> None:
    """What was called absent."""
    for (command_id,) in desk.rows("SELECT command_id FROM orders WHERE phase = 'ABSENT'"):
        order = desk.order(str(command_id))
        if order.client_order_id not in desk.broker.owners.values():
            desk.broker._take(UniversalOrderCommand.of(order))


def alert(**changes: object) -> ParsedAlert:
    return entry(leg(), **{"signal_id": "s-1", **changes})


MARKET = leg(order_type=OrderType.MARKET, price=None)
SOLD = entry(MARKET_EXIT, signal_id="s-1", **EXIT)
TURNED_AWAY = NotSent("the session has expired", look_first=True)
TAKEN = ("after", TURNED_AWAY)
KINDS = {
    "entry at market": Kind(entry(MARKET, signal_id="s-1")),
    "entry with a limit": Kind(alert(), fill_at_once=False, after=(filled_by_20, filled_in_full)),
    "two legs": Kind(entry(MARKET, leg("B"), signal_id="s-1")),
    "exit": Kind(SOLD, before=a_position, ends_flat=True),
    "exit that takes its entry back": Kind(SOLD, before=an_entry_filled_by_20, ends_flat=True),
    "exit that reads contradict": Kind(SOLD, before=a_position_that_reads_lack, ends_flat=True),
    "exit that is absent and comes late": Kind(
        SOLD,
        script=(OutcomeUnknown("timed out"),),
        after=(accepted_after_all,),
        before=a_position_at_a_broker_that_accepts_late,
        ends_flat=True,
        comes_late=True,
    ),
    "test mode": Kind(alert(test_mode=TestMode.SUCCESS)),
    "refused": Kind(alert(), script=(Refused("Insufficient margin", "RMS7"),)),
    "rejected later": Kind(alert(), fill_at_once=False, after=(rejected_later,)),
    "not sent, then sent": Kind(alert(), script=(NotSent("no connection"),)),
    "turned away, then sent": Kind(alert(), script=(TURNED_AWAY,)),
    "turned away and taken": Kind(alert(), script=(TAKEN,)),
    "exit that is turned away and taken": Kind(SOLD, script=(TAKEN,), before=a_position, ends_flat=True),
    "unknown, then found": Kind(alert(), script=(("after", OutcomeUnknown("timed out")),)),
    "unknown, never arrived": Kind(alert(), script=(OutcomeUnknown("timed out"),)),
    "partly filled, then cancelled": Kind(
        alert(), fill_at_once=False, after=(filled_by_20, cancel_is_asked_for)
    ),
}
CLASSES = [IdClass.C1, IdClass.C4]
IN_MEMORY = Path("/dev/shm")
"""Where there is one, the databases live in it: thousands of lives need no disk."""


# one life ---------------------------------------------------------------------------------------------------


class Life:
    """One desk on which one alert lives, through any number of deaths of the watcher."""

    def __init__(self, folder: Path, kind: Kind, id_class: IdClass, deaths: tuple[int, ...] = ()) -> None:
        folder.mkdir()
        self.kind = kind
        self.desk = Desk(folder, id_class=id_class)
        self.boundaries = Boundaries()
        self.wrongs = self.boundaries.wrongs
        self._deaths = list(deaths)
        self._watchers = 1
        self.phases_left: list[dict[str, Phase]] = []  # at each death
        if kind.before is not None:
            kind.before(self.desk)
        self.desk.kill("watcher-1")
        self.desk.engine = self.desk.new_engine(
            "watcher-1"
        )  # has yet to look at its broker for the first time
        self.desk.broker.script = list(kind.script)
        self.desk.broker.fill_at_once = kind.fill_at_once
        for method in ("place", "cancel", "read_book", "read_positions"):
            self.boundaries.around(self.desk.broker, method)
        for method in ("write", "save_positions"):
            self.boundaries.around(self.desk.store, method)
        self._watch_every_call()
        self._begin_process()
        self._live()

    def _watch_every_call(self) -> None:
        """Note what reaches the broker before it is durable here as sent, or again where it would be a second order.

        Noted, not raised: to the engine an error out of a broker call is an outcome like any other.
        """
        desk = self.desk
        place = desk.broker.place
        sent: set[str] = set()

        def watched(command):
            row = desk.order(command.command_id)
            if (row.status, row.client_order_id) != (Status.SENT_TO_BROKER, command.client_order_id):
                self.wrongs.append(f"{command.command_id} was sent while {row.status}")
            if command.command_id in sent and desk.broker.traits.id_class not in (IdClass.C3, IdClass.C4):
                self.wrongs.append(f"{command.command_id} was sent again")
            sent.add(command.command_id)
            try:
                return place(command)
            except NotSent:
                sent.discard(command.command_id)
                raise

        desk.broker.place = watched  # type: ignore[method-assign]

    def _begin_process(self) -> None:
        self.boundaries.begin(self._deaths.pop(0) if self._deaths else None)

    def _survived(self, step: Callable[[], object]) -> None:
        """Do this; where the process dies of it, a new one takes over, and whoever asked for it asks again."""
        while True:
            try:
                step()
            except Killed:
                self._take_over()
            else:
                return

    def _take_over(self) -> None:
        self.phases_left.append({o.command_id: o.phase for o in self.orders()})
        self.desk.kill(f"watcher-{self._watchers}")
        self._watchers += 1
        self.desk.engine = self.desk.new_engine(f"watcher-{self._watchers}")
        self.desk.clock.advance(1)
        self._begin_process()

    def _live(self) -> None:
        desk = self.desk
        self._survived(lambda: desk.commands.register(self.kind.alert, desk.delivery()))
        self._look(2)
        for event in self.kind.after:
            self._survived(lambda event=event: event(desk))  # type: ignore[misc]
            self._look(2)
        self._settle()
        for event in self.kind.after:  # for what was sent only by a later watcher
            self._survived(lambda event=event: event(desk))  # type: ignore[misc]
            self._settle()

    def _look(self, times: int) -> None:
        for _ in range(times):
            self._survived(lambda: self.desk.engine.tick())
            self.desk.clock.advance(0.3)

    def _settle(self) -> None:
        """Look on, with longer and longer pauses, until nothing is open."""
        for pause in PAUSES:
            self._survived(lambda: self.desk.engine.tick())
            if not self.desk.rows("SELECT 1 FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER')"):
                return
            self.desk.clock.advance(pause)

    def orders(self) -> list[Order]:
        """The rows of the alert and of its repetitions."""
        rows = self.desk.rows("SELECT command_id FROM orders ORDER BY rowid")
        orders = [self.desk.order(str(row[0])) for row in rows]
        return orders[1:] if self.kind.before is not None else orders


# promises ---------------------------------------------------------------------------------------------------


def check(life: Life) -> None:
    """Every promise, for every row."""
    desk = life.desk
    assert life.wrongs == []
    check_durable_truths(desk)
    legs = [o for o in life.orders() if o.parent_command_id is None]
    own = [o for o in legs if not (o.tag or "").startswith("DUPLICATE_BLOCKED")]
    assert len(own) == len(life.kind.alert.legs), "a leg was lost, or traded on twice"
    by_tag = {desk.broker.owners[id_]: report for id_, report in desk.broker.orders.items()}
    for order in life.orders():
        check_end(order, by_tag.get(order.client_order_id))
        if not life.kind.comes_late:
            check_told(desk, order)
    check_no_needless_loss(life)
    fills = {r.symbol: Decimal(0) for r in desk.broker.orders.values()}
    for report in desk.broker.orders.values():
        fills[report.symbol] += report.filled_quantity * report.side.sign
    held = {h.symbol: h.net_quantity for h in desk.store.holdings("default")}
    assert held == {symbol: net for symbol, net in fills.items() if net}
    lost = any(order.phase is Phase.ABSENT for order in life.orders())
    assert not life.kind.ends_flat or lost or not held, "the exit is over, and something is left"


def check_no_needless_loss(life: Life) -> None:
    """A death loses no order that it need not: only a claim whose call may have been lost is given up, below C3."""
    if life.kind.script or life.kind.after:
        return
    for order in life.orders():
        if order.phase is Phase.BLOCKED:
            continue
        given_up = order.phase is Phase.ABSENT
        assert given_up or order.status is Status.EXECUTED
        if given_up:
            assert not life.desk.broker.traits.id_class.may_send_again
            assert any(phases.get(order.command_id) is Phase.SUBMITTING for phases in life.phases_left)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None) as name:
        yield Path(name)


def told_apart(name: str, id_class: IdClass) -> bool:
    """False where nobody can know whose an order is that comes late: its broker echoes nothing."""
    return not (
        (KINDS[name].comes_late or {TURNED_AWAY, TAKEN} & set(KINDS[name].script)) and id_class is IdClass.C0
    )


LIVES = [(name, id_class) for name in KINDS for id_class in IdClass if told_apart(name, id_class)]


def of_each_class(name: str, id_class: IdClass) -> Any:
    """Every kind at the broker class that is served first; the others are a matter of the gate."""
    return pytest.param(name, id_class, marks=() if id_class is IdClass.C1 else pytest.mark.gate)


@pytest.mark.parametrize(("name", "id_class"), [of_each_class(*life) for life in LIVES])
def test_death_at_every_boundary(folder, name, id_class):
    undisturbed = Life(folder / "undisturbed", KINDS[name], id_class)
    check(undisturbed)
    boundaries = undisturbed.boundaries.crossed
    assert len(boundaries) >= 10, "too few to mean anything"
    for number, boundary in enumerate(boundaries):
        life = Life(folder / str(number), KINDS[name], id_class, (number,))
        try:
            assert len(life.phases_left) == 1, "nobody died"
            check(life)
        except AssertionError as broken:
            raise AssertionError(f"{name}, {id_class}, killed at boundary {number}, {boundary}") from broken
        forget(life)
    print(f"{name}, {id_class}: {len(boundaries)} boundaries")


def forget(life: Life) -> None:
    """Its database is not needed any more."""
    store: Any = life.desk.store  # on SQLite: what it holds open is ended with it
    for name in list(store.claimants._held):
        store.claimants.leave(name)
    store._readers.get().close()
    store.close()
    shutil.rmtree(life.desk.path.parent)


def changing(boundaries: list[str]) -> list[int]:
    """Those behind which something is different; all others leave a world that one of these left too."""
    return [i for i, name in enumerate(boundaries) if name in ("write after", "place after", "cancel after")]


def every(boundaries: list[str]) -> list[int]:
    """All of them, to see whether that is so."""
    return list(range(len(boundaries)))


@pytest.mark.gate
@pytest.mark.parametrize("id_class", CLASSES)
@pytest.mark.parametrize("name", KINDS)
def test_a_second_death_while_the_first_is_recovered_from(folder, name, id_class, request):
    chosen = every if request.config.getoption("--every-boundary") else changing
    pairs = 0
    first_life = Life(folder / "undisturbed", KINDS[name], id_class)
    for first in chosen(first_life.boundaries.crossed):
        recovery = Life(folder / f"{first}", KINDS[name], id_class, (first,))
        for second in sorted({0, *chosen(recovery.boundaries.crossed)}):
            life = Life(folder / f"{first}-{second}", KINDS[name], id_class, (first, second))
            pairs += 1
            try:
                check(life)
            except AssertionError as broken:
                raise AssertionError(f"{name}, {id_class}, killed at {first} and at {second}") from broken
            forget(life)
        forget(recovery)
    assert pairs >= 4
    print(f"{name}, {id_class}: {pairs} pairs of deaths")
