"""Register an alert: its legs become orders and intents in one transaction, judged before anything is sent."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from blockers.instruments import unfit
from blockers.rules import Block
from domain.actors import WEBHOOK
from domain.alert import Alert, ClientShare, Delivery, LegRequest, ParsedAlert, kind_of
from domain.cancel_by_alert import told
from domain.enums import DecisionType, ExecutionType, LegKind, Outcome, Side
from domain.errors import InvalidAlert, NothingAsked, SignalReused
from domain.ids import alert_key, client_order_id, command_id, content_hash, intent_key
from domain.instruments.choice import InstrumentChoice
from domain.limits import ClientPolicy
from domain.money import ZERO
from domain.order import Order
from domain.ports import Ids, Transaction
from domain.protection_terms import Terms
from domain.reason_codes import Reason
from domain.receipt import NotTraded, Receipt
from domain.replays import kept_signal
from domain.states import Status
from domain.times import has_elapsed
from use_cases.cancel_by_alert import cancel_by_alert
from use_cases.protect import open_protections, terms_of
from use_cases.reach_target import reach
from use_cases.register_group import Asked, register_adjusting, register_group
from use_cases.register_order import block, life_of, register_judged, write
from use_cases.reject_alert import RejectedRequest, rejection, unknown_client
from use_cases.repeated_alerts import may_be_repeated
from use_cases.resolve_instruments import at_what_is_held
from use_cases.template_guard import not_held_already

log = logging.getLogger(__name__)

ACTOR = str(WEBHOOK)
_OPEN = (Status.CREATED, Status.SENT_TO_BROKER)


class RegisterAlert:
    """Registers alerts.

    Args:
        clients: the policy that binds each client.
        dedup_window: an alert without a signal_id that repeats the same content within it is a duplicate.
        alert_life: an entry that could not be sent within it is not sent any more.
    """

    def __init__(
        self,
        clients: Mapping[str, ClientPolicy],
        *,
        ids: Ids,
        dedup_window: timedelta,
        alert_life: timedelta,
    ) -> None:
        self._clients = clients
        self._ids = ids
        self._dedup_window = dedup_window
        self._alert_life = alert_life

    def __call__(self, tx: Transaction, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        """Register all legs, blocked or not.

        Raises:
            InvalidAlert: it names a position to reach, and what is held is not certain.
            SignalReused: the alert's signal_id came before with other content.
        """
        content = content_hash(alert)
        key = alert_key(alert, content)
        alert = alert if alert.shares else at_what_is_held(tx, alert)
        first = tx.last_accepted(key)
        # A replay stands under its alert's own key, so that what its sender delivers after it is a duplicate of it.
        if first is not None and alert.replay is None:
            reason = self._duplicate(tx, alert, content, first, delivery.received_at)
            if reason is not None:
                return self._register_duplicate(tx, alert, delivery, first, reason)
        place = _Place(
            self._ids.alert_id(delivery.received_at), content, 0 if first is None else first.generation + 1
        )
        if alert.execution_type is ExecutionType.CANCEL:
            return self._register_cancel(tx, alert, delivery, key, place)
        groups = self._groups(tx, alert, delivery, place)
        legs = tuple(leg for group in groups for leg in group.legs)
        types = {group.execution_type for group in groups}
        failed = [(who, error) for group in groups for who, error in group.failed]
        outcome = _outcome(legs, is_whole=all(isinstance(error, NothingAsked) for _, error in failed))
        first_blocked = legs[0] if outcome is Outcome.BLOCKED else None
        tx.add_alert(
            replace(
                _kept(alert, delivery, key, place, outcome),
                execution_type=types.pop() if len(types) == 1 else ExecutionType.ADJUST,
                decision_type=first_blocked.decision_type if first_blocked else None,
                reason_code=first_blocked.reason_code if first_blocked else None,
                reason_message=first_blocked.reason_message if first_blocked else None,
                context_json=story_of(alert),
            )
        )
        return Receipt(place.alert_id, outcome, legs, not_traded=tuple(_not_traded(*each) for each in failed))

    def _register_cancel(
        self, tx: Transaction, alert: ParsedAlert, delivery: Delivery, key: str, place: "_Place"
    ) -> Receipt:
        """Ask for the cancels that an alert asks for; it has no orders of its own.

        Raises:
            InvalidAlert: none of its clients can be served.
        """
        done = cancel_by_alert(tx, alert, place.alert_id, self._clients, at=delivery.received_at)
        _tell_not_traded(tx, alert, place.alert_id, done.failed)
        outcome, message = _outcome((), is_whole=not done.failed), told(alert, done.cancels)
        kept = [{"order": each.order.command_id, "result": each.result} for each in done.cancels]
        story = json.loads(story_of(alert) or "{}") | {"cancels": kept}
        tx.add_alert(
            replace(
                _kept(alert, delivery, key, place, outcome),
                decision_type=DecisionType.EXECUTED if done.cancels else DecisionType.SKIPPED,
                reason_message=message,
                context_json=json.dumps(story, ensure_ascii=False),
            )
        )
        failed = tuple(_not_traded(*each) for each in done.failed)
        return Receipt(place.alert_id, outcome, (), not_traded=failed, cancels=done.cancels, message=message)

    # one group of legs for each client ----------------------------------------------------------------------

    def _groups(
        self, tx: Transaction, alert: ParsedAlert, delivery: Delivery, place: "_Place"
    ) -> Sequence["_Group"]:
        """Register the legs of each client. What goes wrong for one of several stops no other, and is notified.

        Raises:
            InvalidAlert: no client can trade the alert.
        """
        if not alert.shares:
            return [self._group(tx, alert, delivery, place, 0)]
        groups: list[_Group] = []
        failed: list[_Failed] = []
        for share in alert.shares:
            before = sum(len(group.legs) for group in groups)
            done = tx.attempt(partial(self._share, tx, alert, share, delivery, place, before))
            if isinstance(done, Exception):
                failed.append((share.client_id, done))
            else:
                groups.append(done)
                failed += done.failed
        if not groups:
            raise next((error for _, error in failed if not isinstance(error, NothingAsked)), failed[0][1])
        _tell_not_traded(tx, alert, place.alert_id, failed)
        return [groups[0]._replace(failed=tuple(failed)), *(each._replace(failed=()) for each in groups[1:])]

    def _share(
        self,
        tx: Transaction,
        alert: ParsedAlert,
        share: ClientShare,
        delivery: Delivery,
        place: "_Place",
        before: int,
    ) -> "_Group":
        if share.client_id not in self._clients:
            raise unknown_client(share.client_id)
        try:
            of_client = alert.of(share)
        except InvalidAlert as error:
            exits = alert.exits_of(share)
            if exits is None:
                raise
            group = self._group(tx, exits, delivery, place, before)
            return group._replace(failed=((share.client_id, error),))
        return self._group(tx, of_client, delivery, place, before)

    def _group(
        self, tx: Transaction, alert: ParsedAlert, delivery: Delivery, place: "_Place", before: int
    ) -> "_Group":
        """Register one client's legs, whose numbers go on after those of the clients before it."""
        alert = self._reached(tx, at_what_is_held(tx, alert), delivery)
        alert = not_held_already(tx, alert, self._clients[alert.client_id])
        key = alert_key(alert, place.content)
        intents = [intent_key(key, place.generation, index) for index in range(len(alert.legs))]
        orders = [
            self._order(
                alert,
                leg,
                place.alert_id,
                before + index,
                intent,
                delivery,
                *_side_and_quantity(tx, alert, leg),
            )
            for index, (leg, intent) in enumerate(zip(alert.legs, intents, strict=True))
        ]
        legs = self._register_legs(tx, alert, orders, intents)
        open_protections(tx, legs)
        return _Group(alert.execution_type, legs)

    def _reached(self, tx: Transaction, alert: ParsedAlert, delivery: Delivery) -> ParsedAlert:
        """The alert with the legs that lead to the position that it names; itself where it names none."""
        leg = alert.target
        if leg is None:
            return alert
        assert leg.side is not None and leg.quantity is not None
        probe = self._order(alert, leg, "", 0, "", delivery, leg.side, leg.quantity)
        return reach(tx, alert, probe, self._clients[alert.client_id], delivery.received_at)

    def _register_legs(
        self, tx: Transaction, alert: ParsedAlert, orders: Sequence[Order], intents: Sequence[str]
    ) -> tuple[Order, ...]:
        policy = self._clients[alert.client_id]
        asked = [Asked(*each) for each in zip(orders, intents, alert.legs, strict=True)]
        is_group = (
            len(orders) > 1
            and alert.execution_type is ExecutionType.ENTRY
            and policy.strategy(alert.strategy_name).is_grouped
        )
        if is_group:
            return register_group(tx, policy, alert, asked, actor=ACTOR)
        if alert.execution_type is ExecutionType.ADJUST:
            return register_adjusting(tx, policy, alert, asked, actor=ACTOR)
        return tuple(
            register_judged(
                tx,
                order,
                intent,
                alert.signal_id,
                policy=policy,
                actor=ACTOR,
                unfit=unfit(leg),
            )
            for order, intent, leg in asked
        )

    def _duplicate(
        self, tx: Transaction, alert: ParsedAlert, content: str, first: Alert, at: datetime
    ) -> Reason | None:
        """Return why this delivery repeats the first, or None. The window slides with each accepted alert."""
        if alert.execution_type is ExecutionType.CANCEL and alert.signal_id is None:
            return None  # what rests now is taken back; what was taken back before is not asked for again
        if alert.target is not None and alert.signal_id is None:  # it may be sent again: what is held decides
            rows = (
                row for leg in tx.orders_of_alert(first.alert_id) for row in (leg, *tx.parts(leg.command_id))
            )
            is_open = any(row.status in _OPEN for row in rows)
            return Reason.CONTENT_ALREADY_SEEN if is_open else None
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
        """Write a repeated delivery's legs as blocked orders, which never become commands."""
        alert_id = self._ids.alert_id(delivery.received_at)
        originals = tuple(tx.orders_of_alert(first.alert_id))
        legs = []
        asked = [(alert, leg) for leg in alert.legs]
        if alert.target is not None or alert.shares or alert.execution_type is ExecutionType.CANCEL:
            asked = [(replace(alert, client_id=o.client_id), _as_asked(o)) for o in originals]
        for index, (of_client, leg) in enumerate(asked):
            intent = f"duplicate|{alert_id}|{index}"
            sized = _side_and_quantity(tx, of_client, leg)
            order = self._order(of_client, leg, alert_id, index, intent, delivery, *sized)
            order = write(tx, order, intent, alert.signal_id, actor=ACTOR)
            legs.append(block(tx, order, Block(reason, _first_stands(first, originals, index)), ACTOR))
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

    def order_of_entry(self, alert: ParsedAlert, delivery: Delivery, intent: str) -> Order:
        """Make the order of an entry with a single leg."""
        [leg] = alert.legs
        assert leg.side is not None and leg.quantity is not None
        alert_id = self._ids.alert_id(delivery.received_at)
        return self._order(alert, leg, alert_id, 0, intent, delivery, leg.side, leg.quantity)

    def _protecting(self, alert: ParsedAlert, leg: LegRequest) -> Terms | None:
        """Return what protects the leg's units: what it brings, or else what its strategy has for it."""
        if leg.kind is not LegKind.ENTRY:
            return None
        terms = self._clients[alert.client_id].strategy(alert.strategy_name).protecting(leg.protection)
        if terms is None or not terms.targets or terms.lot_size is not None:
            return terms
        known = None if leg.instrument is None else leg.instrument.instrument
        lot = None if known is None else known.lot
        is_whole = lot is not None and leg.quantity is not None and lot > 0 and not leg.quantity % lot
        return replace(terms, lot_size=lot) if is_whole else terms

    def _order(
        self,
        alert: ParsedAlert,
        leg: LegRequest,
        alert_id: str,
        index: int,
        intent: str,
        delivery: Delivery,
        side: Side,
        quantity: Decimal,
    ) -> Order:
        at = delivery.received_at
        execution_type = leg.kind.execution_type
        is_exit = execution_type is ExecutionType.EXIT
        return Order(
            command_id=command_id(alert_id, index),
            alert_id=alert_id,
            leg_index=index,
            client_id=alert.client_id,
            strategy_name=alert.strategy_name,
            execution_type=execution_type,
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
            expires_at=at + life_of(execution_type, self._alert_life),
            requested_side=leg.side if is_exit else None,
            requested_product=(leg.product or None) if is_exit else None,
            **terms_of(self._protecting(alert, leg), at, self._clients[alert.client_id].zone),
            context_json=_choice_of(leg),
        )


class _Place(NamedTuple):
    """Where the legs of a delivery are registered: its id, what it asks for, and how often that came before."""

    alert_id: str
    content: str
    generation: int


def _kept(alert: ParsedAlert, delivery: Delivery, key: str, place: _Place, outcome: Outcome) -> Alert:
    """Return the alert as it is written, without what was decided of it."""
    return Alert(
        alert_id=place.alert_id,
        client_id=alert.client_id,
        delivery=delivery,
        outcome=outcome,
        idempotency_key=key,
        content_hash=place.content,
        generation=place.generation,
        signal_id=kept_signal(alert),
        strategy_name=alert.strategy_name,
        execution_type=alert.execution_type,
    )


_Failed = tuple[str, Exception]
"""A client of several, and why it does not trade the alert."""


class _Group(NamedTuple):
    """The legs of one client, and what they do together; with what failed for clients."""

    execution_type: ExecutionType
    legs: tuple[Order, ...]
    failed: tuple[_Failed, ...] = ()


def _tell_not_traded(tx: Transaction, alert: ParsedAlert, alert_id: str, failed: Sequence[_Failed]) -> None:
    """Notify of what clients of several do not trade of an alert."""
    for client_id, error in failed:
        if not isinstance(error, NothingAsked):
            log.error("alert %s: what client %s does not trade of it: %s", alert_id, client_id, error)
            wish = RejectedRequest(alert.execution_type, _symbols(alert), alert.strategy_name)
            tx.notify(rejection(client_id, alert_id, str(error), wish))


def _not_traded(client_id: str, error: Exception) -> NotTraded:
    """What the sender is told; of an error of our own its kind alone."""
    if isinstance(error, InvalidAlert):
        return NotTraded(client_id, error.code, error.message)
    return NotTraded(client_id, "INTERNAL", type(error).__name__)


def _symbols(alert: ParsedAlert) -> tuple[str, ...]:
    return tuple(dict.fromkeys(leg.symbol for leg in alert.legs))


def _as_asked(order: Order) -> LegRequest:
    """A leg as the first delivery's target became it."""
    kind = kind_of(order.execution_type, order.requested_quantity)
    return LegRequest(
        symbol=order.symbol,
        exchange=order.exchange,
        side=order.requested_side or order.side,
        quantity=order.requested_quantity,
        product=order.product,
        order_type=order.order_type,
        kind=kind,
    )


def _first_stands(first: Alert, originals: Sequence[Order], index: int) -> str:
    """Say what became of the leg that this one repeats: blocked here does not mean that nothing was traded."""
    if index >= len(originals):  # the original leg is in the archive
        return f"alert {first.alert_id}"
    leg = originals[index]
    return f"the first one stands: {leg.command_id}, {leg.status}" + (f" {leg.tag}" if leg.tag else "")


def story_of(alert: ParsedAlert) -> str | None:
    """What is kept about the reading of an alert; None where there is nothing to tell."""
    instruments = [
        {"leg": number, **_instrument_of(leg.instrument, leg)}
        for number, leg in enumerate(alert.legs, 1)
        if leg.instrument is not None
    ]
    sizes = [
        {"leg": number, **leg.sized.story}
        for number, leg in enumerate(alert.legs, 1)
        if leg.sized is not None
    ]
    told: dict[str, object] = {
        "repairs": alert.repairs,
        "unread": alert.unread,
        "instruments": instruments,
        "sizes": sizes,
        "replay": None if alert.replay is None else alert.replay._asdict(),
    }
    told = {name: value for name, value in told.items() if value}
    return json.dumps(told, ensure_ascii=False) if told else None


def _instrument_of(choice: InstrumentChoice, leg: LegRequest) -> dict[str, object]:
    """What its name became, and why."""
    told: dict[str, object] = {"asked": choice.asked_text, "became": f"{leg.exchange} {leg.symbol}"}
    return told | ({"notes": choice.notes} if choice.notes else {})


def _choice_of(leg: LegRequest) -> str | None:
    """What an order's own story says of its instrument and size; None where there is nothing to tell."""
    told: dict[str, object] = {}
    if leg.instrument is not None:
        told["instrument"] = _instrument_of(leg.instrument, leg)
    if leg.sized is not None:
        told["size"] = leg.sized.story
    return json.dumps(told, ensure_ascii=False) if told else None


def _outcome(legs: Sequence[Order], *, is_whole: bool = True) -> Outcome:
    """`is_whole`: no client of several is without legs that the alert asks it for."""
    failed = sum(leg.status is Status.FAILED for leg in legs)
    if not failed:
        return Outcome.ACCEPTED if is_whole else Outcome.PARTIALLY_BLOCKED
    return Outcome.BLOCKED if failed == len(legs) else Outcome.PARTIALLY_BLOCKED


def _side_and_quantity(tx: Transaction, alert: ParsedAlert, leg: LegRequest) -> tuple[Side, Decimal]:
    """Return side and quantity as asked. An exit gets a first size by its strategy's holding; its claim replaces it."""
    if leg.kind is LegKind.ENTRY:
        assert leg.side and leg.quantity is not None
        return leg.side, leg.quantity
    held = tx.holding(alert.client_id, alert.strategy_name, leg.exchange, leg.symbol)
    net = sum((h.net_quantity for h in held if h.entries and leg.product in ("", h.product)), ZERO)
    if not net:
        return leg.side or Side.SELL, leg.quantity or ZERO
    quantity = abs(net) if leg.quantity is None else min(leg.quantity, abs(net))
    return leg.side or (Side.SELL if net > 0 else Side.BUY), quantity
