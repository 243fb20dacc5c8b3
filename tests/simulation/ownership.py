"""Whose units are whose, by the exchange's truth, and what an exit may do with them.

A strategy's own units are the fills of its orders, whatever our tables say of them. A hand may trade in the same
account: what it traded after the read that an exit was sized from, no engine could know.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from domain.alert import LegRequest
from domain.broker_capabilities import IdClass
from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType, OrderType
from domain.money import ZERO
from domain.order import Order
from domain.states import Phase, Status
from tests.simulation.exchange import Account, TrueOrder
from tests.simulation.legs import came_before
from tests.simulation.plan import PlannedAlert
from tests.simulation.scheduler import SECOND, Scheduler

if TYPE_CHECKING:
    from tests.simulation.promises import Promises

Place = tuple[str, str, str]
"""Client, strategy, symbol."""

READ_SERVES = round(4.5 * SECOND)
"""An exit was sized from a read of its own process that is no older than this when its call begins."""
A_MOMENT = 15 * SECOND
"""What a hand did so short ago is an excuse: reads before it may still be at work."""
SETTLING = 2.5  # seconds: both halves of a turn that came closer together must find each other
TOLD_WITHIN = 15.0
SLACK = 8.0  # for somebody to come by
A_STOP_GOES_WITHIN = 20.0
SHOWS_WITHIN = 30.0
"""So long after a hand's trade neither the positions nor the order book may show it."""
AFTER_A_CONVERSION = 75 * SECOND
"""For so long a stop may wait after a hand has converted units: see docs/known-gaps.md."""
RESTING = (Phase.WORKING, Phase.PARTIALLY_FILLED)


class Breaks(Protocol):
    """Notes a promise that did not hold."""

    def __call__(self, promise: str, text: str) -> None: ...


class Ownership:
    """Follows every strategy's true units, and holds exits to them."""

    def __init__(self, promises: "Promises", scheduler: Scheduler) -> None:
        self._promises = promises
        self._scheduler = scheduler
        self._breaks: Breaks = promises.breaks
        self._orders: dict[Place, list[TrueOrder]] = {}
        self._as_of: dict[str, int] = {}  # command id → the moment of which its size was true
        self.asked: dict[str, LegRequest] = {}
        self._whole_exits: dict[Place, list[Order]] = {}
        self._pairs: dict[int, dict[ExecutionType, list[str]]] = {}
        self._stopped_short: set[str] = set()
        self._alerts: dict[str, list[str]] = {}
        self._revived: list[tuple[Account, TrueOrder]] = []
        self._rests_since: dict[str, float] = {}  # since when each row has said that its order rests

    # truths -------------------------------------------------------------------------------------------------

    def _place(self, row: Order) -> Place:
        return row.client_id, row.strategy_name, row.symbol

    def orders(self, row: Order) -> list[TrueOrder]:
        """All that the broker has of the row's strategy in the row's symbol."""
        return self._orders.get(self._place(row), [])

    def own(self, orders: Iterable[TrueOrder]) -> Decimal:
        """What these orders have left, positive long."""
        return sum((o.filled * o.side.sign for o in orders), ZERO)

    def _row(self, order: TrueOrder) -> Order:
        assert order.command is not None
        return self._promises.rows[order.command.command_id]

    def _is_clear(self, account: Account, symbol: str) -> bool:
        """Neither has the broker gone back on its word there, nor has a hand been there a moment ago."""
        since = self._scheduler.micros - A_MOMENT
        return symbol not in account.odd_symbols and not account.moved_by_hand(symbol, since)

    # registered ---------------------------------------------------------------------------------------------

    def registered(self, row: Order, planned: PlannedAlert | None) -> None:
        """A row is new."""
        self._alerts.setdefault(row.alert_id, []).append(row.command_id)
        if planned is None:
            return
        is_exit = row.execution_type is ExecutionType.EXIT and row.test_mode is None
        if is_exit and row.requested_quantity is None and row.reason_code != "IDEMPOTENCY_BLOCKED":
            self._whole_exits.setdefault(self._place(row), []).append(row)
        self.asked[row.command_id] = planned.alert.legs[row.leg_index]
        if planned.pair is not None and row.reason_code != "IDEMPOTENCY_BLOCKED":
            pair = self._pairs.setdefault(planned.pair, {})
            pair.setdefault(row.execution_type, []).append(row.command_id)

    def acknowledged(self, rows: list[Order]) -> None:
        """The legs of one alert are judged together."""
        blocked = {row.command_id for row in rows if row.phase is Phase.BLOCKED}
        is_entry = bool(rows) and rows[0].execution_type is ExecutionType.ENTRY
        if is_entry and rows[0].strategy_name in self._promises.best_effort:
            return
        if is_entry and 0 < len(blocked) < len(rows):
            self._breaks(
                "13 a spread cut in half", ", ".join(f"{r.command_id} {r.phase} {r.tag}" for r in rows)
            )

    # exits --------------------------------------------------------------------------------------------------

    def call_begins(self, account: Account, process: str, command: UniversalOrderCommand) -> None:
        """An order is about to be asked for."""
        row = self._promises.rows[command.command_id]
        if command.execution_type is ExecutionType.ENTRY:
            self._hedged(account, row)
            return
        leg = self._leg(row)
        if leg is not None and leg.side not in (None, command.side):
            self._breaks(
                "11 the side that was asked", f"{command.command_id}: {command.side}, not {leg.side}"
            )
        since = self._scheduler.micros - READ_SERVES
        reads = [r for r in account.reads if r.process == process and r.at >= since]
        as_of = min((-1 if row.symbol in r.wrong else r.as_of for r in reads), default=-1)
        self._as_of[command.command_id] = min(as_of, self._as_of.get(command.command_id, as_of))

    def _leg(self, row: Order) -> LegRequest | None:
        """What was asked for; a further part has its leg's number and one of its own."""
        return self.asked.get(row.command_id) or self.asked.get(row.command_id.rpartition(".")[0])

    def _hedged(self, account: Account, row: Order) -> None:
        """A sold leg waits for its alert's bought ones."""
        if row.side.sign > 0 or row.test_mode is not None:
            return
        for command_id in self._alerts.get(row.alert_id, []):
            other = self._promises.rows[command_id]
            if other.side.sign < 0 or other.execution_type is not ExecutionType.ENTRY:
                continue
            filled = sum((o.filled for o in account.by_tag.get(other.client_order_id, [])), ZERO)
            if filled < other.quantity:
                self._breaks("13 sold before its hedge", f"{row.command_id} before {command_id}")

    def order_made(self, account: Account, order: TrueOrder) -> None:
        """The broker has a new order of ours."""
        row = self._row(order)
        self._orders.setdefault(self._place(row), []).append(order)
        if order.revived:
            self._revived.append((account, order))
        if order.is_exit and order.symbol not in account.odd_symbols and not order.was_turned_away:
            self._reverses(account, order)
            self._is_own(account, row, order)

    def _reverses(self, account: Account, order: TrueOrder) -> None:
        """Never more than there is, less what other exits may still take; but for what a hand took meanwhile."""
        assert order.command is not None
        there = -account.net(order.symbol, order.product) * order.side.sign
        others = [o for o in account.orders.values() if o.symbol == order.symbol and o is not order]
        leaving = sum(
            (o.rest for o in others if o.side is order.side and o.is_exit and o.product == order.product),
            ZERO,
        )
        if order.quantity + leaving <= there:
            return
        since = self._as_of.get(order.command.command_id, -1)
        moved = account.moved_by_hand(order.symbol, since, order.product)
        by_hand = sum((signed * order.side.sign for signed in moved if signed * order.side.sign > 0), ZERO)
        if order.quantity + leaving - there > by_hand:
            text = f"{order.command.command_id}: {order.side} {order.quantity} of {-there * order.side.sign}"
            self._breaks("11 reversed", f"{text}, {leaving} leaving, {by_hand} by hand since")

    def _is_own(self, account: Account, row: Order, order: TrueOrder) -> None:
        """Only what its strategy holds, with what its other exits may still take."""
        orders = [o for o in self.orders(row) if o is not order]
        own = -self.own(orders) * order.side.sign
        leaving = sum((o.rest for o in orders if o.is_exit and o.side is order.side), ZERO)
        # What a hand closed of an entry of this exit's side is no more its strategy's: only what came after is.
        closed = sum((o.filled for o in orders if not o.is_exit and o.side is order.side), ZERO)
        moved = account.moved_by_hand(order.symbol, -1)
        by_hand = sum((max(-signed * order.side.sign, ZERO) for signed in moved), ZERO)
        if order.quantity + leaving > own + min(closed, by_hand):
            text = f"{row.command_id}: {row.strategy_name} {order.side} {order.quantity}"
            self._breaks("11 not its own", f"{text} of its {-own * order.side.sign}, {leaving} leaving")

    def moved(self, before: Order | None, row: Order) -> None:
        """A row has changed."""
        if row.phase in RESTING and (before is None or before.phase not in RESTING):
            self._rests_since[row.command_id] = self._scheduler.seconds
        if row.status is not Status.FAILED or row.test_mode is not None:
            return
        if before is not None and before.status is Status.FAILED:
            return
        tag = row.tag or ""
        if row.execution_type is ExecutionType.EXIT and tag.endswith((":NO_POSITION", ":ALERT_TOO_OLD")):
            self._over_too_soon(row)
        if tag.endswith(":DUPLICATE_ENTRY_BLOCKED") and self._may_turn(row):
            self._stopped_short.add(row.command_id)

    def _over_too_soon(self, row: Order) -> None:
        """An exit found nothing to do: then nothing of its strategy is there, and nothing can come."""
        account, orders = self._promises.accounts[row.client_id], self.orders(row)
        if not self._is_clear(account, row.symbol) or any(o.revived for o in orders):
            return
        leg = self._leg(row)
        own = self._left(account, row, orders)
        if own and not self._names_the_other_side(row, own):
            self._breaks(
                "11 exit FAILED too soon", f"{row.command_id} {row.tag}: {row.strategy_name} has {own}"
            )
        if row.requested_quantity is None:
            side = row.requested_side if leg is None else leg.side
            closes = -side.sign if side else own
            live = self._live_entries(account, row, Decimal(closes))
            if live:
                text = f"{row.command_id} {row.tag}: {', '.join(live)} may still open it"
                self._breaks("11 exit FAILED too soon", text)

    def _names_the_other_side(self, row: Order, own: Decimal) -> bool:
        """It was to sell what is short, or to buy what is long: it must do nothing."""
        leg = self._leg(row)
        side = row.requested_side if leg is None else leg.side  # no alert asked for a protection's exit
        return side is not None and side.sign * own > 0

    def _left(self, account: Account, row: Order, orders: list[TrueOrder]) -> Decimal:
        """Own units that were entered before the exit and are there: by its fills, and in the account."""
        before = [o for o in orders if o.is_exit or came_before(self._row(o), row)]
        all_, older, net = self.own(orders), self.own(before), account.net(row.symbol)
        sign = 1 if all_ > 0 else -1
        left = min(all_ * sign, older * sign, net * sign)
        by_hand = -sign * sum(signed for signed in account.moved_by_hand(row.symbol, -1) if signed * sign < 0)
        return sign * max(left - by_hand, ZERO)  # what a hand has closed may have been of this strategy

    def _live_entries(self, account: Account, row: Order, closes: Decimal) -> list[str]:
        """Entries of before the exit that may still be filled on the side that it closes."""
        live = []
        for other in self._promises.unfinished():
            same = self._place(other) == self._place(row) and other.execution_type is ExecutionType.ENTRY
            if not same or not came_before(other, row) or other.test_mode is not None:
                continue
            if closes * other.side.sign < 0:
                continue  # the turn to the other side
            there = account.by_tag.get(other.client_order_id, [])
            comes = account.travelling[other.client_order_id] > 0 or any(o.rest for o in there)
            if comes or other.phase in (Phase.REGISTERED, Phase.SUBMITTING):
                live.append(f"{other.command_id} {other.phase}")
        return live

    def _may_turn(self, row: Order) -> bool:
        """Nothing of its own stands on the side that this entry opens, or will."""
        if self.own(self.orders(row)) * row.side.sign > 0:
            return False
        return not any(
            self._place(o) == self._place(row) and o.execution_type is ExecutionType.ENTRY
            for o in self._promises.unfinished()
            if o.command_id != row.command_id
        )

    # as time goes by ----------------------------------------------------------------------------------------

    def looked(self, client_id: str, told: "Told") -> None:
        """A watcher of the client has just been through its round: what should have happened by now has."""
        now, account = self._scheduler.seconds, self._promises.accounts[client_id]
        calm_since = max(account.troubled_at, self._promises.troubled_at)
        for owner, order in self._revived:
            shown = order.shown_at
            if owner is account and shown is not None and now - max(shown, calm_since) > TOLD_WITHIN:
                self._is_told_revived(order)
        for order in account.orders.values():
            since = order.contradicts_since
            if since is None or now >= order.says_nothing_until or order.command is None:
                continue
            if self._row(order).broker_order_id is None:
                continue  # nobody can say yet that these rows are its own: it is told as one of unknown outcome
            if now - max(since, calm_since) > TOLD_WITHIN + SLACK and not told(order.command.command_id):
                self._breaks(
                    "8 a contradiction is told", f"{order.command.command_id}: COMPLETE with nothing"
                )
        self._stops_pass(account, calm_since)

    def _is_told_revived(self, order: TrueOrder) -> None:
        row = self._row(order)
        if row.status is Status.FAILED and row.broker_order_id is None:
            self._breaks("8 revived, told", f"{row.command_id} {row.phase}: the broker has {order.broker_id}")

    def _stops_pass(self, account: Account, calm_since: float) -> None:
        """A market exit does not wait behind a limit exit that rests."""
        for row in self._promises.registered_exits():
            if row.client_id != account.client_id or row.order_type is not OrderType.MARKET:
                continue
            waited = min(self._scheduler.since(row.created_at), self._scheduler.seconds - calm_since)
            targets = [
                o
                for o in self.orders(row)
                if o.is_exit
                and o.rest
                and self._row(o).order_type is OrderType.LIMIT
                and self._row(o).phase in RESTING
                # One of unknown outcome until now rested unseen: the exit waited for its outcome.
                and self._scheduler.seconds - self._rests_since[self._row(o).command_id] > A_STOP_GOES_WITHIN
            ]
            # Whose units a hand has converted is known when reads show all fills.
            converted = account.converted_by_hand(row.symbol, self._scheduler.micros - AFTER_A_CONVERSION)
            if (
                targets
                and waited > A_STOP_GOES_WITHIN
                and self._is_clear(account, row.symbol)
                and not converted
            ):
                text = f"{row.command_id} waits for {waited:.0f} s behind {targets[0].broker_id}"
                self._breaks("11 a stop passes a target", f"{text}: {row.reason_message}")

    # the end ------------------------------------------------------------------------------------------------

    def check_end(self) -> None:
        """Everything has ended: exits have closed what was theirs to close, turns have turned."""
        for pair in self._pairs.values():
            self._turned(pair)
        for place, orders in self._orders.items():
            self._closed(place, orders)

    def _turned(self, pair: dict[ExecutionType, list[str]]) -> None:
        rows = self._promises.rows
        exits = [rows[id_] for id_ in pair.get(ExecutionType.EXIT, [])]
        for command_id in pair.get(ExecutionType.ENTRY, []):
            entry = rows[command_id]
            if any(o.odd or _contradicts_its_exit(o) for o in self.orders(entry)):
                continue  # an exit was over when the broker said so, or less went than there was; both are told
            if any(self._place(r) == self._place(entry) and _came_to_nothing(r) for r in rows.values()):
                continue  # another exit that units were left to; its failure was told
            for exit_ in exits:
                apart = abs((entry.created_at - exit_.created_at).total_seconds())
                if (
                    command_id in self._stopped_short
                    and exit_.symbol == entry.symbol
                    and exit_.status is Status.EXECUTED
                    and apart < SETTLING
                    and not self._entered_between(exit_, entry)
                    and not self._hand_came_between(exit_, entry)
                    and not self._hand_hid_units(exit_, entry)
                ):
                    self._breaks("7 stop and reverse", f"{exit_.command_id} is out, {command_id} {entry.tag}")

    def _hand_came_between(self, exit_: Order, entry: Order) -> bool:
        """Somebody traded there when the exit was on its way or later: whose the units are is a matter for people.

        Or just before, so that neither the positions nor the order book showed it yet.
        """
        began = self._scheduler.true_micros(exit_.created_at) - round(SHOWS_WITHIN * SECOND)
        return bool(self._promises.accounts[entry.client_id].moved_by_hand(entry.symbol, began))

    def _hand_hid_units(self, exit_: Order, entry: Order) -> bool:
        """A hand was short before the strategy was long, say: the exit could close no more than the account had.

        As it was when the entry was stopped: a later exit may have closed the rest since.
        """
        stopped = entry.updated_at or entry.created_at
        before = [
            o
            for o in self.orders(entry)
            if self._row(o).created_at <= (stopped if o.is_exit else exit_.created_at)
        ]
        account = self._promises.accounts[entry.client_id]
        own = self.own(before)
        net = account.net_at(entry.symbol, self._scheduler.true_micros(stopped))
        return own * exit_.side.sign < 0 and own != net and self._hand_was_there(entry)

    def _hand_was_there(self, row: Order) -> bool:
        return bool(self._promises.accounts[row.client_id].moved_by_hand(row.symbol, -1))

    def _entered_between(self, exit_: Order, entry: Order) -> bool:
        """Another entry came or went after the exit and before this one: it is that one which would be turned."""
        others = (r for r in self._promises.rows.values() if r.command_id != entry.command_id)
        return any(
            self._place(r) == self._place(entry)
            and r.execution_type is ExecutionType.ENTRY
            and r.attempts > 0
            and r.created_at <= entry.created_at
            and (exit_.created_at <= r.created_at or _went_after(r, exit_))
            for r in others
        )

    def _closed(self, place: Place, orders: list[TrueOrder]) -> None:
        """After the last exit of everything that found its end, nothing of before it is left."""
        client_id, strategy, symbol = place
        account = self._promises.accounts[client_id]
        if symbol in account.odd_symbols or any(o.revived or _contradicts_its_exit(o) for o in orders):
            return  # what the broker contradicts is told, and a person looks
        if account.moved_by_hand(symbol, -1):
            return  # whose units are gone, and whose have come back, is a matter for people
        if _converted_under_an_exit(account, symbol):
            return  # that exit may take the units that are left in its product; the others' was told
        own = self.own(orders)
        exits = [r for r in self._whole_exits.get(place, []) if not self._names_the_other_side(r, own)]
        if not exits:
            return
        last = max((self._promises.rows[r.command_id] for r in exits), key=lambda r: r.created_at)
        parts = [r for r in self._promises.rows.values() if r.parent_command_id == last.command_id]
        taking = [
            self._row(o) for o in orders if o.is_exit
        ]  # what one of them did not bring was told as its failure
        if not all(_is_over(row) for row in (last, *parts, *taking)):
            return
        if any(self._place(r) == place and _came_to_nothing(r) for r in self._promises.rows.values()):
            return  # another exit that it had left units to; its failure was told
        if any(map(self._promises.leaves_rest_to_a_person, (last, *parts))):
            return  # our fills and the positions differed for as long as an exit waits
        after = [o for o in orders if not o.is_exit and self._row(o).created_at > last.created_at]
        # An entry of the side that the exit itself sent turns the position: it waits for the exit, and stays.
        turning = [
            o
            for o in orders
            if not o.is_exit
            and (
                0 <= (last.created_at - self._row(o).created_at).total_seconds() < SETTLING
                or (last.status is Status.EXECUTED and self._row(o).side is last.side)
            )
        ]
        if own and not after and not turning and own * account.net(symbol) > 0:
            text = f"{strategy} {symbol} has {own} after {last.command_id} {last.status} {last.tag or ''}"
            self._breaks("11 an exit ends flat", text)


class Told(Protocol):
    """Whether a person was told something of an order."""

    def __call__(self, command_id: str) -> bool: ...


def _converted_under_an_exit(account: Account, symbol: str) -> bool:
    """A hand moved units to another product while an exit for them was at the broker, and had not ended.

    Or so shortly before that no read could tell the conversion from our own fills of that time.
    """
    exits = [
        o for o in account.orders.values() if o.is_exit and o.symbol == symbol and o.accepted_at is not None
    ]
    times = [at for at, name, *_ in account.conversions if name == symbol]
    shortly = round(SHOWS_WITHIN * SECOND)
    return any(
        o.accepted_at - shortly < at <= max((t for t, _ in o.said), default=at) for o in exits for at in times
    )


def _came_to_nothing(row: Order) -> bool:
    """An exit that was sent, and that the broker never had or did not fill."""
    is_exit = row.execution_type is ExecutionType.EXIT
    return is_exit and row.status is Status.FAILED and row.attempts > 0


def _is_over(row: Order) -> bool:
    """It ended as if there were nothing left to do."""
    return row.status is Status.EXECUTED or (row.tag or "").endswith(":NO_POSITION")


def _went_after(one: Order, other: Order) -> bool:
    return one.sent_at is not None and other.sent_at is not None and one.sent_at > other.sent_at


def _contradicts_its_exit(order: TrueOrder) -> bool:
    """The broker's rows of an exit said two things: that was told, and less may have been sent than there was."""
    return order.is_exit and order.contradicts_since is not None


def is_a_hands_twin(order: Order, account: "Account") -> bool:
    """Nothing is echoed, and a hand has just done the very same as this order: no one can tell the two apart."""
    twin = account.orders.get(order.broker_order_id or "")
    if twin is None or account.traits.id_class is not IdClass.C0 or twin.command is not None:
        return False
    return (twin.symbol, twin.side, twin.filled) == (order.symbol, order.side, order.quantity)


def orders_of(row: Order, account: "Account", rows: Mapping[str, Order]) -> "list[TrueOrder]":
    """What the broker has of a row.

    Where nothing is echoed, two orders of ours of one kind and size, as two slices of one exit, may be taken for each
    other: it makes no difference which row has which. The row's order is then that of the number that it has.
    """
    told = account.orders.get(row.broker_order_id or "")
    mine = account.by_tag.get(row.client_order_id, [])
    if told is None or told in mine or told.command is None or account.traits.id_class is not IdClass.C0:
        return mine
    return [told] if _kind(rows[told.command.command_id]) == _kind(row) else mine


def _kind(row: Order) -> tuple[object, ...]:
    return (
        row.symbol,
        row.side,
        row.quantity,
        row.strategy_name,
        row.execution_type,
        row.order_type,
        row.price,
    )
