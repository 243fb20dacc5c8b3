"""Register every order: alerts become orders and intents in one transaction, operators' requests become changes."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain.account_state import AccountState
from domain.actors import WEBHOOK, Actor, ActorKind
from domain.adoption import Adoption, AdoptionRequest
from domain.alert import Alert, Delivery, ParsedAlert
from domain.cancellation import cancel_asked
from domain.commands import UniversalOrderCommand
from domain.enums import DecisionType, ExecutionType, OrderType, Outcome, Side
from domain.errors import (
    ConcurrentUpdate,
    InvalidAlert,
    InvalidResolution,
    NotFound,
    NothingAsked,
    PositionsNeverRead,
)
from domain.flatten import Part, parts_to_flatten
from domain.ids import client_order_id
from domain.leg_groups import LegGroup
from domain.limits import ClientPolicy
from domain.money import ZERO
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange
from domain.ports import Clock, Halt, Ids, Store, Transaction
from domain.protection import Protection
from domain.receipt import Receipt
from domain.risk_stops import EventKind, RiskEvent, RiskRule, Stop, StopKey
from domain.states import Phase
from domain.transitions import followed, resolved_absent, resolved_fill
from use_cases.adopt import adopt
from use_cases.leg_groups import after_leg_ended
from use_cases.protect import cancel_protection, tighten_protection
from use_cases.register_alert import RegisterAlert
from use_cases.register_order import life_of, register_judged, same_exit, write
from use_cases.register_together import RegisterTogether
from use_cases.reject_alert import RejectedRequest, rejection, unknown_client

log = logging.getLogger(__name__)

_PROGRAM = str(Actor(ActorKind.WATCHER))
"""Who blocks the other legs of an alert after a person ended one: the rule does, not that person."""


Prepare = Callable[[ParsedAlert, datetime], ParsedAlert]


def _as_it_came(alert: ParsedAlert, at: datetime) -> ParsedAlert:
    return alert


@dataclass(frozen=True, slots=True)
class ResolvedFill:
    """What an operator found at the broker for an order of unknown outcome, and how it was found out.

    Without `filled_quantity` the operator only says which broker order it is; the broker's book shows the rest.
    """

    broker_order_id: str
    filled_quantity: Decimal | None
    average_price: Decimal | None
    reason: str | None = None


class CommandService:
    """Registers orders and carries out operators' requests.

    Args:
        clients: the policy that binds each client; an alert of any other client is refused.
        dedup_window: an alert without a signal_id that repeats the same content within it is a duplicate.
        alert_life: an entry that could not be sent within it is not sent any more.
        prepare: finds out what an alert's names and sizes stand for, before it is registered.
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
        prepare: Prepare = _as_it_came,
    ) -> None:
        self._store = store
        self._prepare = prepare
        self._clients = clients
        self._clock = clock
        self._ids = ids
        self._alert_life = alert_life
        self._register_alert = RegisterAlert(
            clients, ids=ids, dedup_window=dedup_window, alert_life=alert_life
        )
        self._register_together = RegisterTogether(clients, self._register_alert)

    # alerts -------------------------------------------------------------------------------------------------

    def register(self, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        """Make all legs of an alert durable, blocked or not, and return how they stand.

        Raises:
            InvalidAlert: no such client.
            SignalReused: its signal_id came before with other content.
            StoreUnavailable: nothing was stored.
        """
        if alert.client_id not in self._clients:
            raise unknown_client(alert.client_id)
        alert = self._resolved(alert, delivery)
        return self._store.write(lambda tx: self._register_alert(tx, alert, delivery))

    def register_together(self, alerts: Sequence[tuple[ParsedAlert, Delivery]]) -> list[Receipt | Exception]:
        """Make several alerts durable in one transaction, in their order; each succeeds or fails by itself.

        Returns, for each, what `register` would return or raise.

        Raises:
            StoreUnavailable: nothing of any of them was stored.
        """
        resolved = [(self._resolved(alert, delivery), delivery) for alert, delivery in alerts]
        batch = self._register_together.prepare(resolved)
        return self._store.write(lambda tx: self._register_together(tx, batch))

    def _resolved(self, alert: ParsedAlert, delivery: Delivery) -> ParsedAlert:
        return self._prepare(alert, delivery.received_at)

    def register_intent(self, tx: Transaction, order: Order, intent: str, signal_id: str | None) -> Order:
        """Write the order's row and its intent under the UNIQUE key; a row that is there already is returned."""
        return tx.get(order.command_id) or write(tx, order, intent, signal_id, actor=str(WEBHOOK))

    def keep_rejected(
        self,
        client_id: str,
        delivery: Delivery,
        error: InvalidAlert,
        *,
        strategy_name: str | None = None,
        signal_id: str | None = None,
        execution_type: str | None = None,
        symbols: Sequence[str] = (),
    ) -> str:
        """Store an authenticated alert that cannot be traded on, and notify the operator; return its id.

        What it asked for is passed in its sender's own words, as far as they could be read. Of an alert that asked for
        nothing (`NothingAsked`) nobody is notified.

        Raises:
            StoreUnavailable: the alert was not stored.
        """
        is_info = isinstance(error, NothingAsked)
        alert_id = self._ids.alert_id(delivery.received_at)
        wish = RejectedRequest(execution_type, symbols, strategy_name)
        holdings = self._store.holdings(client_id) if wish.is_exit else []

        def work(tx: Transaction) -> None:
            tx.add_alert(
                Alert(
                    alert_id=alert_id,
                    client_id=client_id,
                    delivery=delivery,
                    outcome=Outcome.INFO if is_info else Outcome.REJECTED,
                    signal_id=signal_id,
                    strategy_name=strategy_name,
                    decision_type=DecisionType.SKIPPED if is_info else DecisionType.FAILED,
                    reason_code=error.code,
                    reason_message=str(error),
                )
            )
            if not is_info:
                tx.notify(rejection(client_id, alert_id, str(error), wish, holdings))

        self._store.write(work)
        return alert_id

    # commands that come from no alert -----------------------------------------------------------------------

    def submit(
        self,
        command: UniversalOrderCommand,
        *,
        strategy_name: str,
        by: str,
        requested_side: Side | None = None,
    ) -> Order:
        """Register one command of an operator or of the program itself, idempotent by `command_id`.

        Args:
            requested_side: the only side that an exit may send; None: whichever closes what it finds.

        Raises:
            NotFound: no such client.
            StoreUnavailable: nothing was stored.
        """
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
            expires_at=at + life_of(command.execution_type, self._alert_life),
            requested_side=requested_side,
        )

        def work(tx: Transaction) -> Order:
            known = tx.get(order.command_id) or same_exit(tx, order, at)
            if known is not None:
                return known
            intent = f"{command.client_id}|command|{command.command_id}"
            policy = self._clients[order.client_id]
            return register_judged(tx, order, intent, None, policy=policy, actor=by)

        return self._store.write(work)

    def submit_exit(
        self,
        client_id: str,
        exchange: str,
        symbol: str,
        product: str,
        *,
        by: str,
        strategy_name: str,
        id_: str | None = None,
        side: Side | None = None,
    ) -> Order:
        """Register an exit that closes a position at market, or return one under way. Raises as `submit` does.

        Args:
            id_: the same id again returns the exit that is there. None: a new one.
            side: the only side that it may send.
        """
        id_ = id_ or self._ids.alert_id(self._clock.now())
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
        return self.submit(command, strategy_name=strategy_name, by=by, requested_side=side)

    def parts_to_flatten(
        self, client_id: str, *, strategy_name: str | None = None, symbol: str | None = None
    ) -> list[Part]:
        """Return the parts of what is open, each of which one exit closes: of all, of a strategy, of a symbol.

        Without a strategy it is the whole position: what no strategy holds is a part of its own.

        Raises:
            NotFound: no such client.
            PositionsNeverRead: what is open is not known.
        """
        if client_id not in self._clients:
            raise NotFound(f"no client {client_id!r}")
        snapshot = self._store.saved_positions(client_id)
        if snapshot is None:
            raise PositionsNeverRead(f"the positions of {client_id} were never read: start the service first")
        holdings = self._store.holdings(client_id)
        return parts_to_flatten(client_id, snapshot, holdings, strategy_name=strategy_name, symbol=symbol)

    def flatten(self, parts: Sequence[Part], *, by: str) -> list[Order]:
        """Ask for an exit of each part, at market; returns their rows. Entries go on: `halt` stops them.

        An exit of the same part that is under way already is returned instead: asking twice exits once. Raises as
        `submit` does.
        """
        return [
            self.submit_exit(
                part.client_id,
                part.exchange,
                part.symbol,
                part.product,
                by=by,
                strategy_name=part.strategy_name,
            )
            for part in parts
        ]

    # operators ----------------------------------------------------------------------------------------------

    def halt(self, client_id: str, strategy_name: str | None = None, *, by: str, reason: str) -> None:
        """Stop new entries of a client, or of one of its strategies; exits go on. Raises as `submit` does."""
        if client_id not in self._clients:
            raise NotFound(f"no client {client_id!r}")
        halt = Halt(client_id, strategy_name, self._clock.now(), by, reason)

        def work(tx: Transaction) -> None:
            tx.set_halt(halt)
            tx.notify(Notice(NoticeKind.HALTED, client_id, detail=_halt_text(strategy_name, by, reason)))

        self._store.write(work)

    def resume(self, client_id: str, strategy_name: str | None = None, *, by: str) -> bool:
        """Let entries go on after a halt, or after they might only reduce; False when neither was so there."""

        def work(tx: Transaction) -> bool:
            key = StopKey(client_id, strategy_name or "", RiskRule.REDUCING)
            reduced = any(stop.key == key for stop in tx.risk_stops(client_id))
            if reduced:
                tx.drop_stop(key)
                tx.add_risk_event(RiskEvent(self._clock.now(), key, EventKind.ENDED, f"by {by}"))
            if not tx.clear_halt(client_id, strategy_name) and not reduced:
                return False
            tx.notify(Notice(NoticeKind.RESUMED, client_id, detail=_halt_text(strategy_name, by, "")))
            return True

        return self._store.write(work)

    def set_state(
        self, client_id: str, strategy_name: str | None, state: AccountState, *, by: str, reason: str
    ) -> None:
        """Set what may be entered: all (ACTIVE), what reduces (REDUCING), nothing (HALTED). Raises as `halt` does."""
        if state is AccountState.HALTED:
            self.halt(client_id, strategy_name, by=by, reason=reason)
            return
        if client_id not in self._clients:
            raise NotFound(f"no client {client_id!r}")
        if state is AccountState.ACTIVE:
            self.resume(client_id, strategy_name, by=by)
            return
        key, at = StopKey(client_id, strategy_name or "", RiskRule.REDUCING), self._clock.now()

        def work(tx: Transaction) -> None:
            tx.clear_halt(client_id, strategy_name)
            tx.put_stop(Stop(key, at, detail=reason, by=by))
            tx.add_risk_event(RiskEvent(at, key, EventKind.STOPPED, f"by {by}: {reason}"))
            told = _halt_text(strategy_name, by, reason)
            text = f"{told}. Only entries that make the account's position smaller are let through; exits still go."
            tx.notify(Notice(NoticeKind.STATE_CHANGED, client_id, detail=text))

        self._store.write(work)

    def adopt(self, request: AdoptionRequest) -> Adoption:
        """Make units that no strategy holds a holding of one strategy. Raises as `use_cases.adopt.adopt` does."""
        return adopt(self._store, self._clients, request, clock=self._clock)

    def cancel_protection(self, protection_id: str, *, by: str, reason: str) -> Protection | LegGroup:
        """End a protection; the position stays. Raises as `use_cases.protect.cancel_protection` does."""
        at = self._clock.now()
        return self._store.write(
            lambda tx: cancel_protection(tx, protection_id, by=by, reason=reason, now=at)
        )

    def tighten_protection(
        self,
        protection_id: str,
        *,
        stop: Decimal | None,
        target: Decimal | None,
        by: str,
        is_confirmed: bool = False,
    ) -> Protection:
        """Set a tighter stop or another target. Raises as `use_cases.protect.tighten_protection` does."""
        at = self._clock.now()
        return self._store.write(
            lambda tx: tighten_protection(
                tx, protection_id, stop=stop, target=target, by=by, now=at, is_confirmed=is_confirmed
            )
        )

    def cancel(self, command_id_: str, *, by: str, reason: str = "") -> Order:
        """Request a cancel: an order that was not sent ends at once, a live one when the broker confirms.

        An order that the broker said it turned away ends once it was looked up in the book. A second request while
        one is pending changes nothing. Once an entry has ended, legs of its alert that were not sent are blocked, and a
        person is notified of those that are live.

        Raises:
            NotFound: no such order.
            ConcurrentUpdate: it has ended, is being sent, or its number at the broker is not known; says which.
        """
        at = self._clock.now()

        def work(tx: Transaction) -> Order:
            order = _existing(tx, command_id_)
            change = cancel_asked(order, at=at, actor=by, reason=reason)
            return order if change is None else self._apply(tx, order, change, at)

        return self._store.write(work)

    def resolve(
        self,
        command_id_: str,
        *,
        by: str,
        executed: ResolvedFill | None = None,
        failed_reason: str | None = None,
    ) -> Order:
        """Record what an operator found out about an order of unknown outcome.

        `failed_reason` also resolves an order that was proven absent while that is still provisional. The other legs of
        the alert follow as after a cancel.

        Raises:
            ValueError: not exactly one of `executed` and `failed_reason` was given.
            InvalidResolution: a ValueError that names the field. The reason is blank, the fill does not match the
                order, or the broker's number belongs to another order.
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
                change = resolved_absent(order, failed_reason or "", at=at, actor=by)
                return self._apply(tx, order, change, at)
            return _resolve_fill(tx, order, executed, at=at, by=by)

        return self._store.write(work)

    def _apply(self, tx: Transaction, before: Order, change: OrderChange, at: datetime) -> Order:
        """Write an operator's change of an order, and what follows for the other legs of its alert."""
        after = tx.apply(change)
        policy = self._clients.get(before.client_id)  # None: not configured here, so its rules are not known
        if policy is not None:
            after_leg_ended(tx, policy, before, after, now=at, actor=_PROGRAM)
        return after


def _existing(tx: Transaction, command_id_: str) -> Order:
    order = tx.get(command_id_)
    if order is None:
        raise NotFound(f"no order {command_id_}")
    return order


def _resolve_fill(tx: Transaction, order: Order, fill: ResolvedFill, *, at: datetime, by: str) -> Order:
    """Record what an operator found at the broker.

    One broker order belongs to one row: if two rows took it, its fill would be held twice.
    """
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
