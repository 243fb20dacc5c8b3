"""Every order enters here: alerts become orders and intents in one transaction, operators' wishes changes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from blockers.pipeline import blocked_by
from blockers.rules import Block
from domain.alert import (
    Alert,
    DecisionType,
    Delivery,
    ExecutionType,
    LegRequest,
    OrderType,
    Outcome,
    ParsedAlert,
    Side,
)
from domain.cancelling import cancel_asked
from domain.commands import UniversalOrderCommand
from domain.errors import ConcurrentUpdate, InvalidAlert, InvalidResolution, NotFound, SignalReused
from domain.ids import alert_key, client_order_id, command_id, content_hash, intent_key
from domain.lifecycle import register
from domain.limits import ClientPolicy
from domain.money import ZERO
from domain.moves import blocked, followed, resolved_absent, resolved_fill
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Clock, Halt, Ids, Store, Transaction
from domain.receipt import Receipt
from domain.repeats import may_be_repeated
from domain.states import Phase, Status
from domain.tags import Reason
from domain.times import has_elapsed

log = logging.getLogger(__name__)

EXIT_LIFE = timedelta(hours=1)
"""How long an exit is tried: longer than an entry, because a position that stays open is the greater harm."""


@dataclass(frozen=True, slots=True)
class ResolvedFill:
    """What an operator found at the broker for an order of unknown outcome, and how it was found out.

    Without `filled_quantity` the operator only says which of the broker's orders it is; its book says the rest.
    """

    broker_order_id: str
    filled_quantity: Decimal | None
    average_price: Decimal | None
    reason: str | None = None


class CommandService:
    """Registers orders and carries out operators' wishes.

    Args:
        clients: what binds each client; an alert of any other client is refused.
        dedup_window: the same content without a signal_id within it is a duplicate.
        alert_life: an entry that could not be sent within it is not sent any more.
    """

    def __init__(
        self,
        store: Store,
        clients: Mapping[str, ClientPolicy],
        *,
        clock: Clock,
        ids: Ids,
        dedup_window: timedelta,
        alert_life: timedelta,
    ) -> None:
        self._store = store
        self._clients = clients
        self._clock = clock
        self._ids = ids
        self._dedup_window = dedup_window
        self._alert_life = alert_life

    # alerts -------------------------------------------------------------------------------------------------

    def register(self, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        """Make all legs of an alert durable, blocked or not, and say how they stand.

        Raises:
            InvalidAlert: no such client.
            SignalReused: its signal_id came before with other content.
            StoreUnavailable: nothing was kept.
        """
        if alert.client_id not in self._clients:
            raise InvalidAlert("UNKNOWN_CLIENT", f"no client {alert.client_id!r} is configured", "client_id")
        return self._store.write(lambda tx: self._register(tx, alert, delivery))

    def _register(self, tx: Transaction, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        content = content_hash(alert)
        key = alert_key(alert, content)
        first = tx.last_accepted(key)
        if first is not None:
            reason = self._duplicate(tx, alert, content, first, delivery.received_at)
            if reason is not None:
                return self._register_duplicate(tx, alert, delivery, first, reason)
        generation = 0 if first is None else first.generation + 1
        alert_id = self._ids.alert_id(delivery.received_at)
        legs = tuple(
            self._register_leg(tx, alert, leg, alert_id, index, intent_key(key, generation, index), delivery)
            for index, leg in enumerate(alert.legs)
        )
        outcome = _outcome(legs)
        blocked = legs[0] if outcome is Outcome.BLOCKED else None
        tx.add_alert(
            Alert(
                alert_id=alert_id,
                client_id=alert.client_id,
                delivery=delivery,
                outcome=outcome,
                idempotency_key=key,
                content_hash=content,
                generation=generation,
                signal_id=alert.signal_id,
                strategy_name=alert.strategy_name,
                execution_type=alert.execution_type,
                decision_type=blocked.decision_type if blocked else None,
                reason_code=blocked.reason_code if blocked else None,
                reason_message=blocked.reason_message if blocked else None,
            )
        )
        return Receipt(alert_id, outcome, legs)

    def _duplicate(
        self, tx: Transaction, alert: ParsedAlert, content: str, first: Alert, at: datetime
    ) -> Reason | None:
        """Why this delivery repeats the first, or None: the window slides with each accepted alert."""
        if alert.signal_id is None:
            is_old = has_elapsed(first.delivery.received_at, at, self._dedup_window)
            return None if is_old or may_be_repeated(tx, first) else Reason.CONTENT_ALREADY_SEEN
        if first.content_hash != content:
            raise SignalReused(
                "SIGNAL_REUSED",
                f"{alert.signal_id!r} was already used by alert {first.alert_id} with other content; "
                "each alert needs a signal_id of its own",
                "signal_id",
            )
        return Reason.SIGNAL_ALREADY_SEEN

    def _register_duplicate(
        self, tx: Transaction, alert: ParsedAlert, delivery: Delivery, first: Alert, reason: Reason
    ) -> Receipt:
        """A repeated delivery stands in the order book as blocked and never becomes a command."""
        alert_id = self._ids.alert_id(delivery.received_at)
        originals = tuple(tx.orders_of_alert(first.alert_id))
        legs = []
        for index, leg in enumerate(alert.legs):
            order = self._order(tx, alert, leg, alert_id, index, f"duplicate|{alert_id}|{index}", delivery)
            order = _write(tx, order, f"duplicate|{alert_id}|{index}", alert.signal_id)
            legs.append(_block(tx, order, Block(reason, _first_stands(first, originals, index)), "webhook"))
        tx.add_alert(
            Alert(
                alert_id=alert_id,
                client_id=alert.client_id,
                delivery=delivery,
                outcome=Outcome.DUPLICATE,
                idempotency_key=first.idempotency_key,
                content_hash=first.content_hash,
                duplicate_of=first.alert_id,
                signal_id=alert.signal_id,
                strategy_name=alert.strategy_name,
                execution_type=alert.execution_type,
                decision_type=DecisionType.SKIPPED,
                reason_code="IDEMPOTENCY_BLOCKED",
                reason_message=Block(reason, f"alert {first.alert_id}").message,
            )
        )
        return Receipt(first.alert_id, Outcome.DUPLICATE, tuple(legs), originals)

    def _register_leg(
        self,
        tx: Transaction,
        alert: ParsedAlert,
        leg: LegRequest,
        alert_id: str,
        index: int,
        intent: str,
        delivery: Delivery,
    ) -> Order:
        order = self._order(tx, alert, leg, alert_id, index, intent, delivery)
        order = _write(tx, order, intent, alert.signal_id)
        return self._check(tx, order)

    def register_intent(self, tx: Transaction, order: Order, intent: str, signal_id: str | None) -> Order:
        """Write the order's row and its intent under the UNIQUE key; a row that is there already is returned."""
        return tx.get(order.command_id) or _write(tx, order, intent, signal_id)

    def _order(
        self,
        tx: Transaction,
        alert: ParsedAlert,
        leg: LegRequest,
        alert_id: str,
        index: int,
        intent: str,
        delivery: Delivery,
    ) -> Order:
        at = delivery.received_at
        side, quantity = _side_and_quantity(tx, alert, leg)
        is_exit = alert.execution_type is ExecutionType.EXIT
        return Order(
            command_id=command_id(alert_id, index),
            alert_id=alert_id,
            leg_index=index,
            client_id=alert.client_id,
            strategy_name=alert.strategy_name,
            execution_type=alert.execution_type,
            exchange=leg.exchange,
            symbol=leg.symbol,
            side=side,
            quantity=quantity,
            requested_quantity=leg.quantity,
            product=leg.product,
            order_type=leg.order_type,
            price=leg.price,
            trigger_price=leg.trigger_price,
            reference_price=leg.reference_price,
            test_mode=alert.test_mode,
            client_order_id=client_order_id(intent),
            created_at=at,
            expires_at=at + self.life(alert.execution_type),
            requested_side=leg.side if is_exit else None,
            requested_product=(leg.product or None) if is_exit else None,
        )

    def life(self, execution_type: ExecutionType) -> timedelta:
        """How long an order of that type may be tried."""
        if execution_type is ExecutionType.EXIT:
            return max(self._alert_life, EXIT_LIFE)
        return self._alert_life

    def _check(self, tx: Transaction, order: Order) -> Order:
        block = blocked_by(tx, order, self._clients[order.client_id], order.created_at)
        return order if block is None else _block(tx, order, block, "webhook")

    def keep_rejected(
        self,
        client_id: str,
        delivery: Delivery,
        error: InvalidAlert,
        *,
        strategy_name: str | None = None,
        signal_id: str | None = None,
    ) -> str:
        """Keep an authenticated alert that cannot be traded on, and tell the operator; returns its id.

        Raises:
            StoreUnavailable: it was not kept.
        """
        alert_id = self._ids.alert_id(delivery.received_at)

        def work(tx: Transaction) -> None:
            tx.add_alert(
                Alert(
                    alert_id=alert_id,
                    client_id=client_id,
                    delivery=delivery,
                    outcome=Outcome.REJECTED,
                    signal_id=signal_id,
                    strategy_name=strategy_name,
                    decision_type=DecisionType.FAILED,
                    reason_code=error.code,
                    reason_message=str(error),
                )
            )
            tx.notify(Notice(NoticeKind.ALERT_REJECTED, client_id, alert_id=alert_id, detail=str(error)))

        self._store.write(work)
        return alert_id

    # commands that come from no alert -----------------------------------------------------------------------

    def submit(self, command: UniversalOrderCommand, *, strategy_name: str, by: str) -> Order:
        """Register one command of an operator or of the program itself, idempotent by `command_id`.

        Raises: NotFound: no such client. StoreUnavailable: nothing was kept."""
        if command.client_id not in self._clients:
            raise NotFound(f"no client {command.client_id!r}")
        at = self._clock.now()
        order = Order(
            command_id=command.command_id,
            alert_id=command.command_id,
            leg_index=0,
            client_id=command.client_id,
            strategy_name=strategy_name,
            execution_type=command.execution_type,
            exchange=command.exchange,
            symbol=command.symbol,
            side=command.side,
            quantity=command.quantity,
            requested_quantity=command.quantity or None,
            product=command.product,
            order_type=command.order_type,
            price=command.price,
            trigger_price=command.trigger_price,
            reference_price=command.reference_price,
            test_mode=command.test_mode,
            client_order_id=command.client_order_id,
            created_at=at,
            expires_at=at + self.life(command.execution_type),
        )

        def work(tx: Transaction) -> Order:
            known = tx.get(order.command_id)
            if known is not None:
                return known
            registered = _write(tx, order, f"{command.client_id}|command|{command.command_id}", None, by)
            block = blocked_by(tx, registered, self._clients[order.client_id], at)
            return registered if block is None else _block(tx, registered, block, by)

        return self._store.write(work)

    def submit_exit(
        self, client_id: str, exchange: str, symbol: str, product: str, *, by: str, strategy_name: str
    ) -> Order:
        """Ask for a position to be closed at market. Raises as `submit` does."""
        id_ = self._ids.alert_id(self._clock.now())
        command = UniversalOrderCommand(
            command_id=f"{id_}-1",
            client_order_id=client_order_id(f"{client_id}|command|{id_}-1"),
            client_id=client_id,
            execution_type=ExecutionType.EXIT,
            exchange=exchange,
            symbol=symbol,
            side=Side.SELL,
            quantity=ZERO,
            product=product,
            order_type=OrderType.MARKET,
            price=None,
            trigger_price=None,
        )
        return self.submit(command, strategy_name=strategy_name, by=by)

    # operators ----------------------------------------------------------------------------------------------

    def halt(self, client_id: str, strategy_name: str | None = None, *, by: str, reason: str) -> None:
        """Stop new entries of a client, or of one of its strategies. Exits go on.

        Raises:
            NotFound: no such client.
            StoreUnavailable: nothing was kept.
        """
        if client_id not in self._clients:
            raise NotFound(f"no client {client_id!r}")
        halt = Halt(client_id, strategy_name, self._clock.now(), by, reason)

        def work(tx: Transaction) -> None:
            tx.set_halt(halt)
            tx.notify(Notice(NoticeKind.HALTED, client_id, detail=_halt_text(strategy_name, by, reason)))

        self._store.write(work)

    def resume(self, client_id: str, strategy_name: str | None = None, *, by: str) -> bool:
        """Lift a halt; False when nothing was halted there."""

        def work(tx: Transaction) -> bool:
            if not tx.clear_halt(client_id, strategy_name):
                return False
            tx.notify(Notice(NoticeKind.RESUMED, client_id, detail=_halt_text(strategy_name, by, "")))
            return True

        return self._store.write(work)

    def cancel(self, command_id_: str, *, by: str, reason: str = "") -> Order:
        """Ask for a cancel: an order that was not sent ends at once, a live one when the broker confirms.

        Asking again while one is under way changes nothing. Raises:
            NotFound: no such order.
            ConcurrentUpdate: it has ended, is being sent, or its number at the broker is not known; says which.
        """
        at = self._clock.now()

        def work(tx: Transaction) -> Order:
            order = _existing(tx, command_id_)
            change = cancel_asked(order, at=at, actor=by, reason=reason)
            return order if change is None else tx.apply(change)

        return self._store.write(work)

    def resolve(
        self,
        command_id_: str,
        *,
        by: str,
        executed: ResolvedFill | None = None,
        failed_reason: str | None = None,
    ) -> Order:
        """An operator says what became of an order of unknown outcome.

        Raises:
            ValueError: not exactly one of `executed` and `failed_reason`; as InvalidResolution, which names the field,
                where the fill does not fit the order or the broker's number belongs to another one.
            NotFound: no such order.
            ConcurrentUpdate: its outcome is not unknown.
        """
        if (executed is None) == (failed_reason is None):
            raise ValueError("say either how it was executed or why it failed")
        if failed_reason is not None and not failed_reason.strip():
            raise InvalidResolution(
                "reason", "expected how it was found out that the broker does not have it"
            )
        at = self._clock.now()

        def work(tx: Transaction) -> Order:
            order = _existing(tx, command_id_)
            if order.phase is not Phase.UNKNOWN and not (executed is None and order.is_provisional(at)):
                raise ConcurrentUpdate(
                    f"{command_id_} is {order.phase}: only an UNKNOWN order can be resolved"
                )
            if executed is None:
                return tx.apply(resolved_absent(order, failed_reason or "", at=at, actor=by))
            return _resolve_fill(tx, order, executed, at=at, by=by)

        return self._store.write(work)


def _write(
    tx: Transaction, order: Order, intent: str, signal_id: str | None, actor: str = "webhook"
) -> Order:
    registered = tx.apply(register(order, at=order.created_at, actor=actor))
    tx.add_intent(registered, intent, signal_id)
    return registered


def _block(tx: Transaction, order: Order, block: Block, actor: str) -> Order:
    return tx.apply(blocked(order, block.reason, block.message, at=order.created_at, actor=actor))


def _first_stands(first: Alert, originals: Sequence[Order], index: int) -> str:
    """What became of the leg that this one repeats: blocked here does not mean that nothing was traded."""
    if index >= len(originals):  # in the archive
        return f"alert {first.alert_id}"
    leg = originals[index]
    return f"the first one stands: {leg.command_id}, {leg.status}" + (f" {leg.tag}" if leg.tag else "")


def _outcome(legs: Sequence[Order]) -> Outcome:
    failed = sum(leg.status is Status.FAILED for leg in legs)
    if not failed:
        return Outcome.ACCEPTED
    return Outcome.BLOCKED if failed == len(legs) else Outcome.PARTIALLY_BLOCKED


def _side_and_quantity(tx: Transaction, alert: ParsedAlert, leg: LegRequest) -> tuple[Side, Decimal]:
    """As asked; for an exit a first reading of the position as last known, which its claim will replace."""
    if alert.execution_type is not ExecutionType.EXIT:
        assert leg.side and leg.quantity is not None
        return leg.side, leg.quantity
    held = tx.holding(alert.client_id, alert.strategy_name, leg.exchange, leg.symbol)
    net = sum((h.net_quantity for h in held if h.entries and leg.product in ("", h.product)), ZERO)
    if not net:
        return leg.side or Side.SELL, leg.quantity or ZERO
    quantity = abs(net) if leg.quantity is None else min(leg.quantity, abs(net))
    return leg.side or (Side.SELL if net > 0 else Side.BUY), quantity


def _existing(tx: Transaction, command_id_: str) -> Order:
    order = tx.get(command_id_)
    if order is None:
        raise NotFound(f"no order {command_id_}")
    return order


def _resolve_fill(tx: Transaction, order: Order, fill: ResolvedFill, *, at: datetime, by: str) -> Order:
    """One order of the broker's is one of ours: taken for two, its fill would be held twice."""
    owner = tx.get_by_broker_id(order.client_id, fill.broker_order_id)
    if owner is not None and owner.command_id != order.command_id:
        raise InvalidResolution(
            "broker_order_id",
            f"expected another number: {fill.broker_order_id} is that of {owner.command_id}",
        )
    elsewhere = tx.external_place(order.client_id, fill.broker_order_id)
    if elsewhere is not None and elsewhere != (order.exchange, order.symbol, order.side):
        exchange, symbol, side = elsewhere
        raise InvalidResolution(
            "broker_order_id",
            f"expected a {order.side} of {order.symbol} on {order.exchange}: "
            f"{fill.broker_order_id} is a {side} of {symbol} on {exchange}",
        )
    if fill.filled_quantity is None:
        if fill.average_price is not None:
            raise InvalidResolution("average_price", "expected a price only together with a filled quantity")
        return tx.apply(followed(order, fill.broker_order_id, at=at, actor=by, text=fill.reason))
    found = (fill.broker_order_id, fill.filled_quantity, fill.average_price)
    return tx.apply(resolved_fill(order, *found, at=at, actor=by, text=fill.reason))


def _halt_text(strategy_name: str | None, by: str, reason: str) -> str:
    what = f"strategy {strategy_name}" if strategy_name else "all strategies"
    return f"{what}, by {by}" + (f": {reason}" if reason else "")
