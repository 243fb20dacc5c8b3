"""The promises, looked at after every step: what is committed against what is true.

The checker reads the database over a connection of its own, so that it sees what any other process would see.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from greenlet import getcurrent, greenlet

from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType
from domain.exit_chase import is_superseded
from domain.exit_sizing import HoldReason
from domain.order import Order
from domain.receipt import Receipt
from domain.states import STATUS_OF, TRANSITIONS, Phase, Status
from persistence.sqlite.audit.replay import faults, histories
from persistence.sqlite.rows import SELECT_ORDER, order_of
from tests.simulation.adjusting import Adjustments
from tests.simulation.exchange import Account, TrueOrder
from tests.simulation.grouping import Groups
from tests.simulation.holding import Holdings
from tests.simulation.legs import Legs
from tests.simulation.ownership import Ownership, is_a_hands_twin, orders_of
from tests.simulation.plan import PlannedAlert
from tests.simulation.protecting import Protections
from tests.simulation.risking import Money, Risks
from tests.simulation.scheduler import SECOND, Scheduler

LISTED_WITHIN = 60.0
"""Seconds after which an outcome that is still unknown has been told."""
SLACK = 8.0
"""Seconds for somebody to come by and do it: looks at the book are apart, slow, or fail."""
PROMPT = 6.0
"""Seconds after which an order is claimed where nothing of its own stands in the way."""


@dataclass(frozen=True)
class Broken:
    """A promise that did not hold."""

    promise: str
    text: str
    at: float


class Promises:
    """Holds the engine to its word.

    Args:
        path: the database.
        scheduler: for the time, and to stop the world at the first breach.
        money: the limits of the clients on profit and loss and on positions.
        unchecked: how promises begin that are not looked at.
    """

    def __init__(
        self,
        path: Path,
        scheduler: Scheduler,
        *,
        money: Money | None = None,
        largest: Decimal | None = None,
        unchecked: Collection[str] = (),
    ) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._scheduler = scheduler
        self._seen = 0
        self.rows: dict[str, Order] = {}
        self._to_be_told: set[tuple[str, str]] = set()
        self._by_tag: dict[tuple[str, str], str] = {}
        self._waiting: dict[
            str, float
        ] = {}  # at the broker's, or perhaps, and since when: in the order they came
        self.accounts: dict[str, Account] = {}
        self._twins: set[str] = set()
        self.broken: list[Broken] = []
        self.steps = 0
        self.told: Counter[str] = Counter()
        self.troubled_at = -1.0  # when a process died or the database failed
        self.incoming: dict[
            greenlet, dict[datetime, PlannedAlert]
        ] = {}  # what each task is about to register
        self._unchecked = tuple(unchecked)
        self._registered: dict[str, None] = {}
        self._unfinished: dict[str, None] = {}
        self.ownership = Ownership(self, scheduler)
        self._holdings = Holdings(self._connection, self)
        self._legs = Legs(self, largest)
        self._adjustments = Adjustments(self)
        self._protections = Protections(self._connection, self, scheduler)
        self._groups = Groups(self._connection, self, scheduler)
        self.best_effort: set[str] = set()  # strategies for which some of an alert's legs are enough
        self._risks = Risks(self._connection, self, scheduler, money)

    def breaks(self, promise: str, text: str) -> None:
        """Note it and stop the world: what follows a breach proves nothing."""
        if promise.startswith(self._unchecked):
            return
        if not self.broken:
            self.broken.append(Broken(promise, text, self._scheduler.seconds))
        self._scheduler.stopped = True

    def trouble(self, seconds: float = 0.0) -> None:
        """Everybody has a reason to be slow, and for so long."""
        self.troubled_at = max(self.troubled_at, self._scheduler.seconds + seconds)

    # what is committed --------------------------------------------------------------------------------------

    def committed(self) -> None:
        """Look at everything that any process has committed since the last look."""
        self.steps += 1
        events = self._connection.execute(
            "SELECT event_id, command_id, previous_hash, hash, from_phase, to_phase FROM order_events "
            "WHERE event_id > ? ORDER BY event_id",
            (self._seen,),
        ).fetchall()
        heads: dict[str, str] = {}
        moved: list[tuple[Order | None, Order]] = []
        for event_id, command_id, previous, hash_, before, after in events:
            self._seen = event_id
            known = self.rows.get(command_id)
            head = heads.get(command_id) or (known.event_hash if known else "")
            if head and previous != head:
                self.breaks("9 history", f"{command_id}: event {event_id} does not follow the last one")
            if before is not None and Phase(after) not in TRANSITIONS[Phase(before)]:
                self.breaks("9 history", f"{command_id}: {before} to {after}")
            heads[command_id] = hash_
        for command_id, head in heads.items():
            row = self._connection.execute(f"{SELECT_ORDER} WHERE command_id = ?", (command_id,)).fetchone()
            if row is None:
                self.breaks("9 history", f"{command_id}: events and no row")
                return
            order = order_of(row)
            if order.event_hash != head:
                self.breaks("9 history", f"{command_id}: the row is not at its last event")
            before = self.rows.get(command_id)
            moved.append((before, order))
            self._moved(before, order)
        self._holdings.committed(moved)
        self._risks.committed(moved)

    def _moved(self, before: Order | None, order: Order) -> None:
        self.rows[order.command_id] = order
        self._index(order)
        if before is None:
            self.ownership.registered(order, self.incoming.get(getcurrent(), {}).get(order.created_at))
        self.ownership.moved(before, order)
        if order.escalation >= 2 > (before.escalation if before else 0):
            # An exit that is not sent yet, or a market order that rests, is told as such.
            lasting = "UNKNOWN" if order.phase is Phase.UNKNOWN else "SYSTEM"
            self._to_be_told.add((order.command_id, lasting))
        if before is None:
            self._by_tag[order.client_id, order.client_order_id] = order.command_id
        elif before.phase is Phase.REGISTERED and order.phase is Phase.SUBMITTING:
            self._claimed_promptly(before, order)
        if order.may_be_live:
            self._waiting.setdefault(order.command_id, self._scheduler.seconds)
        else:
            self._waiting.pop(order.command_id, None)
        if before is not None and order.filled_quantity < before.filled_quantity:
            self.breaks(
                "5 fills", f"{order.command_id}: {before.filled_quantity} became {order.filled_quantity}"
            )
        if order.status is not STATUS_OF[order.phase]:
            self.breaks("3 status", f"{order.command_id}: {order.phase} is not {order.status}")
        self._true(order)

    def _index(self, order: Order) -> None:
        waits = order.phase is Phase.REGISTERED and order.execution_type is ExecutionType.EXIT
        for index, belongs in (
            (self._registered, waits),
            (self._unfinished, order.status not in (Status.EXECUTED, Status.FAILED)),
        ):
            if belongs:
                index[order.command_id] = None
            else:
                index.pop(order.command_id, None)

    def registered_exits(self) -> list[Order]:
        """Exits that are not sent yet."""
        return [self.rows[command_id] for command_id in self._registered]

    def _claimed_promptly(self, before: Order, order: Order) -> None:
        """Neither Telegram nor another client's broker may hold an order up."""
        account = self.accounts[order.client_id]
        created = self._scheduler.true_micros(order.created_at) / SECOND
        free_since = max(created, self.troubled_at, account.troubled_at)
        waited = self._scheduler.seconds - free_since
        # An exit that waits for its entry, or a retry, has a reason of its own, and says it.
        if before.reason_message is None and waited > PROMPT and order.execution_type is ExecutionType.ENTRY:
            self.breaks(
                "10 isolation", f"{order.command_id}: claimed {waited:.1f} s after it could have been"
            )

    @property
    def micros(self) -> int:
        """Now."""
        return self._scheduler.micros

    def _true(self, order: Order) -> None:
        """What the row claims of the broker is so."""
        account = self.accounts[order.client_id]
        orders = orders_of(order, account, self.rows)
        if order.test_mode is not None:
            if orders:
                self.breaks("4 no order unasked", f"{order.command_id} is a test and is at the broker")
        elif order.status is Status.EXECUTED:
            self._truly_executed(order, account, orders)
        elif order.status is Status.FAILED:
            self._truly_failed(order, account, orders)

    def _truly_executed(self, order: Order, account: Account, orders: list[TrueOrder]) -> None:
        if not order.broker_order_id:
            self.breaks("3 EXECUTED without id", order.command_id)
        if any(o.broker_id == order.broker_order_id and o.filled >= order.quantity for o in orders):
            return
        if is_a_hands_twin(order, account):
            self._twins.add(str(order.broker_order_id))
        else:
            self.breaks("3 false EXECUTED", f"{order.command_id}: {[_said(o) for o in orders]}")

    def _truly_failed(self, order: Order, account: Account, orders: list[TrueOrder]) -> None:
        for o in orders:
            if o.odd or o.revived:
                continue  # the broker goes back on its own word: settled in the end, and checked there
            if order.phase is Phase.BLOCKED and not o.was_turned_away:
                self.breaks("4 blocked and sent", f"{order.command_id}: {_said(o)}")
            if o.is_live or o.filled > order.filled_quantity or o.filled >= order.quantity:
                self.breaks(
                    "3 false FAILED", f"{order.command_id} {order.phase} {order.filled_quantity}: {_said(o)}"
                )
        if account.travelling[order.client_order_id] > 0 and not orders:
            self.breaks("3 false FAILED", f"{order.command_id} {order.phase}: its request is still under way")

    def looked_at_book(self, client_id: str) -> None:
        """A watcher has just been through the client's open orders: what is unknown for long has been told."""
        for command_id, since in self._waiting.items():
            order, age = self.rows[command_id], self._scheduler.seconds - since
            overdue = age > LISTED_WITHIN + SLACK
            if order.client_id == client_id and overdue and self._is_unknown(order) and order.escalation < 2:
                self.breaks("6 listed within 60 s", f"{command_id} {order.phase} for {age:.0f} s")
        self.ownership.looked(client_id, self._is_told)

    def looked_at_protections(self, client_id: str) -> None:
        """A watcher has just been through the client's protections."""
        self._protections.looked(client_id)
        self._groups.looked(client_id)

    def _is_told(self, command_id: str) -> bool:
        kinds = (
            "SELECT 1 FROM telegram_messages WHERE command_id = ? AND kind IN ('UNKNOWN', 'SYSTEM') LIMIT 1"
        )
        return self._connection.execute(kinds, (command_id,)).fetchone() is not None

    def leaves_rest_to_a_person(self, order: Order) -> bool:
        """Whether a person was told that this exit sends less than may be held, and asked to exit what is left."""
        asked = "SELECT 1 FROM telegram_messages WHERE command_id = ? AND message LIKE ? LIMIT 1"
        text = "%what is left there has to be exited by a person%"
        return self._connection.execute(asked, (order.command_id, text)).fetchone() is not None

    def _is_unknown(self, order: Order) -> bool:
        """Its call is over and nobody has said how it ended, for longer than it takes to notice."""
        if order.phase is not Phase.UNKNOWN:
            return False
        assert order.updated_at is not None
        return self._scheduler.since(order.updated_at) > SLACK

    # what truly happens -------------------------------------------------------------------------------------

    def call_begins(self, account: Account, process: str, command: UniversalOrderCommand) -> None:
        """A process is about to ask the broker for an order."""
        order = self.rows.get(command.command_id)
        if order is None:
            self.breaks("4 first durable", f"{command.command_id} is sent and has no row")
        elif order.client_order_id != command.client_order_id or order.quantity != command.quantity:
            self.breaks("4 first durable", f"{command.command_id} is sent with another id or quantity")
        elif order.sent_at is None or order.phase is Phase.REGISTERED:
            self.breaks("4 first durable", f"{command.command_id} is sent while {order.phase}")
        elif order.phase is Phase.BLOCKED:
            self.breaks("4 blocked and sent", command.command_id)
        if order is not None:
            self.ownership.call_begins(account, process, command)
            self._adjustments.call_begins(account, order)

    def order_made(self, account: Account, order: TrueOrder) -> None:
        """The broker has a new order of ours."""
        command = order.command
        assert command is not None
        of_leg = account.by_tag[command.client_order_id]
        if (
            command.client_order_id in account.turned_away
        ):  # what it kept of an order that it turned away is nothing
            of_leg = [o for o in of_leg if o.is_live or o.filled]
        if len(of_leg) > 1:
            self.breaks("2 one order a leg", f"{command.command_id} has {len(of_leg)}")
        self.ownership.order_made(account, order)
        self._legs.order_made(account, order)
        self._groups.order_made(account, order)
        self.order_changed(account, order)

    def order_changed(self, account: Account, order: TrueOrder) -> None:
        """The row, if it claims an end, still says the truth."""
        self.steps += 1
        if order.command is not None and order.command.command_id in self.rows:
            self._true(self.rows[order.command.command_id])

    # what was answered --------------------------------------------------------------------------------------

    def acknowledged(self, receipt: Receipt) -> None:
        """The sender has been told that we have it."""
        legs = receipt.originals or receipt.legs
        rows = self._connection.execute(
            "SELECT count(*) FROM alerts JOIN orders USING (alert_id) WHERE alert_id = ? AND parent_command_id IS NULL",
            (receipt.alert_id,),
        ).fetchone()[0]
        if rows != len(legs) or any(leg.command_id not in self.rows for leg in receipt.legs):
            self.breaks("1 acknowledged and lost", f"{receipt.alert_id}: {rows} of {len(legs)} legs")
        if not receipt.originals:
            self.ownership.acknowledged(list(receipt.legs))

    # the end ------------------------------------------------------------------------------------------------

    def settled(self) -> bool:
        """Every order has ended, or stands unknown before the operator, or is an exit that waits for one that does."""
        unknown = {(o.client_id, o.symbol) for o in self.unknown() if o.escalation >= 2}
        return all(
            ((o.client_id, o.symbol) in unknown and o.phase in (Phase.UNKNOWN, Phase.REGISTERED))
            or self._is_in_doubt(o)
            for o in self.unfinished()
        )

    def _is_in_doubt(self, order: Order) -> bool:
        """An exit that was told: units are in another product, and another exit may take those that are here.

        Or a hand was there beside a step of the clock: its orders and what the positions show are told apart by times.
        """
        account = self.accounts[order.client_id]
        if order.reason_message != HoldReason.DISPUTED.sentence or order.escalation < 2:
            return False
        is_odd_hand = self._scheduler.was_set and bool(account.moved_by_hand(order.symbol, -1))
        return is_odd_hand or any(symbol == order.symbol for _, symbol, *_ in account.conversions)

    def unfinished(self) -> list[Order]:
        """What has not ended."""
        return [self.rows[command_id] for command_id in self._unfinished]

    def exits_to_come(self, client_ids: Iterable[str]) -> bool:
        """Whether a protection exits by the clock, or asks again, at prices that stand still; or a flatten goes on."""
        looks = (self._protections, self._risks)
        return any(look.has_to_come(client_id) for client_id in client_ids for look in looks)

    def groups_to_come(self) -> bool:
        """Whether a group of legs has not ended."""
        return self._groups.to_come()

    def in_doubt(self) -> list[Order]:
        """Exits of which the operator has to decide."""
        return [order for order in self.unfinished() if self._is_in_doubt(order)]

    def unknown(self) -> list[Order]:
        """What the operator has to look at."""
        return [order for order in self.rows.values() if order.phase is Phase.UNKNOWN]

    def check_end(self) -> None:
        """Nothing goes wrong any more, and everybody has had time."""
        for order in self.rows.values():
            for o in orders_of(order, self.accounts[order.client_id], self.rows):
                if (o.odd or o.revived) and o.filled != order.filled_quantity:
                    self.breaks("3 false FAILED", f"{order.command_id} {order.phase}: {_said(o)}")
            self._true(order)
        self._check_signals()
        self._check_messages()
        self.ownership.check_end()
        self._holdings.check_end(self._scheduler.micros)
        self._protections.check_end()
        self._legs.check_end(self.accounts)
        self._groups.check_end(self.accounts)
        self._risks.check_end()
        self._check_books()
        self._connection.row_factory = sqlite3.Row
        for history in histories(self._connection):
            for fault in faults(history):
                self.breaks("9 history", f"{history.command_id}: {fault}")
        self._connection.row_factory = None

    def _check_books(self) -> None:
        """Profit and loss is counted of what strategies hold, where the world counts it."""
        books = self.select("SELECT client_id, strategy_name, symbol, lots_json FROM pnl_books")
        if not books:
            return
        nets = dict[tuple[str, ...], Decimal]()
        for client, strategy, symbol, lots in books:
            open_ = sum((Decimal(units) for units, _ in json.loads(lots)), Decimal(0))
            nets[client, strategy, symbol] = nets.get((client, strategy, symbol), Decimal(0)) + open_
        held = "SELECT client_id, strategy_name, symbol, net_quantity FROM holdings"
        for client, strategy, symbol, net in self.select(held):
            nets[client, strategy, symbol] = nets.get((client, strategy, symbol), Decimal(0)) - Decimal(net)
        for place, difference in nets.items():
            if difference:
                self.breaks("books", f"{place}: {difference} more in its book than it holds")

    def _check_signals(self) -> None:
        """However often it came: one signal, one alert that counts."""
        twice = self._connection.execute(
            "SELECT client_id, signal_id, count(*) FROM alerts WHERE signal_id IS NOT NULL "
            "AND outcome NOT IN ('duplicate', 'rejected') GROUP BY 1, 2 HAVING count(*) > 1"
        ).fetchall()
        for client_id, signal_id, times in twice:
            self.breaks("2 one alert a signal", f"{client_id} {signal_id} counted {times} times")

    def _check_messages(self) -> None:
        """Everything that is to be told was told, and delivered."""
        rows = self._connection.execute("SELECT command_id, kind, status FROM telegram_messages").fetchall()
        told: dict[str, Counter[str]] = {}
        for command_id, kind, status in rows:
            self.told[kind] += 1
            told.setdefault(command_id, Counter())[kind] += 1
            if status != "SENT":
                self.breaks("8 delivered", f"a message about {command_id} is {status}")
        for order in self.rows.values():
            kinds = told.get(order.command_id, Counter())
            is_told = kinds["BLOCKED"] + kinds["REJECTED"] + kinds["FAILED"] or is_superseded(order)
            if order.status is Status.FAILED and not is_told:
                self.breaks("8 told", f"{order.command_id} failed in silence")
            if order.status is Status.EXECUTED and kinds["FILLED"] != 1:
                self.breaks(
                    "8 told", f"{order.command_id} is filled and that was told {kinds['FILLED']} times"
                )
            if order.filled_quantity > order.quantity and not kinds["OVERFILLED"]:
                self.breaks("5 fills", f"{order.command_id} was overfilled in silence")
        for command_id, kind in self._to_be_told:
            if not told.get(command_id, Counter())[kind]:
                self.breaks("8 told", f"{command_id} waited in silence: no {kind}")
        kept = "SELECT count(*) FROM external_orders WHERE client_order_id IS NULL"
        external = self._connection.execute(kept).fetchone()[0]
        by_hand = sum(o.command is None for a in self.accounts.values() for o in a.orders.values())
        by_hand -= len(self._twins)  # each is taken for one of ours
        if external != by_hand or self.told["EXTERNAL_ORDER"] != by_hand:
            self.breaks(
                "external orders",
                f"{by_hand} traded by hand, {external} kept, {self.told['EXTERNAL_ORDER']} told",
            )

    def events_since(self, event_id: int) -> str:
        """What was written after that event."""
        query = "SELECT command_id, from_phase, to_phase, detail_json FROM order_events WHERE event_id > ?"
        return "; ".join(" ".join(map(str, row)) for row in self._connection.execute(query, (event_id,)))

    def undelivered(self) -> int:
        """How many messages wait."""
        query = "SELECT count(*) FROM telegram_messages WHERE status = 'PENDING'"
        return int(self._connection.execute(query).fetchone()[0])

    def events(self) -> int:
        """How many events there are."""
        return int(
            self._connection.execute("SELECT coalesce(max(event_id), 0) FROM order_events").fetchone()[0]
        )

    def story(self, text: str) -> list[str]:
        """The events of the orders that a text names, and of all others of their strategies in their symbols."""
        named = {(o.client_id, o.strategy_name, o.symbol) for o in self.rows.values() if o.command_id in text}
        concerned = [o for o in self.rows.values() if (o.client_id, o.strategy_name, o.symbol) in named]
        told = [
            row
            for order in concerned
            for row in self._connection.execute(
                "SELECT event_id, at, command_id, coalesce(from_phase, ''), to_phase, coalesce(tag, ''), actor, "
                "detail_json FROM order_events WHERE command_id = ?",
                (order.command_id,),
            )
        ]
        return [" ".join(map(str, row[1:])) for row in sorted(told)]

    def select(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """What the database has."""
        return self._connection.execute(query, parameters).fetchall()

    def dump(self) -> str:
        """All of the database as text, but for its id, which is drawn anew for each database."""
        (id_,) = self._connection.execute("SELECT id FROM database_identity").fetchone()
        return "\n".join(self._connection.iterdump()).replace(id_, "its id")

    def close(self) -> None:
        self._connection.close()


def _said(order: TrueOrder) -> str:
    return f"{order.broker_id} {order.status} {order.filled}/{order.quantity}"
