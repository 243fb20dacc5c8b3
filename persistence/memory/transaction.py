"""One write transaction of the store in memory: it writes to a draft, which becomes the tables or is thrown away."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from domain.account import BrokerAccount
from domain.adoption import Adoption, AdoptionFacts
from domain.alert import Alert
from domain.broker_reports import OrderReport
from domain.daily_loss import DayLoss, Lift
from domain.effects import decision_effect, intent_effect, releases_waiting
from domain.enums import ExecutionType, Outcome, Side
from domain.errors import ConcurrentUpdate, IllegalTransition, OpenOrders
from domain.holdings import Held, effects_of, touches_holdings
from domain.limits import Limits
from domain.marks import Mark
from domain.message_facts import MessageFacts
from domain.money import ZERO
from domain.notice_keys import NoticeKey, joined
from domain.notices import Notice
from domain.order import Order
from domain.order_events import OrderChange
from domain.ports import ExposureQuery, FactsQuestion, Halt, Registration
from domain.position_comparison import Difference, Place
from domain.protection import Protection, ProtectionEvent, Step
from domain.reason_codes import Reason, tag_of
from domain.replays import delivered_alert
from domain.risk_facts import ExitFacts, Facts, Holding
from domain.states import Phase, Status, check_transition
from domain.transitions import released
from persistence.memory import adoptions, differences, facts
from persistence.memory.groups import GroupWrites
from persistence.memory.reads import OPEN, Reads
from persistence.memory.risk import RiskWrites
from persistence.memory.sizing import SizingWrites
from persistence.memory.tables import AccountRow, Intent, Message, Tables

_NEVER_CHANGES = ("command_id", "alert_id", "symbol", "exchange", "client_order_id", "strategy_name")
Key = TypeVar("Key", bound=tuple[str, ...])
T = TypeVar("T")

_NAMED = 5  # open orders listed in an error message


class MemoryTransaction(RiskWrites, SizingWrites, GroupWrites, Reads):
    """Implement `domain.ports.Transaction` on a draft of the tables.

    Moving a client to another id is not implemented: it raises NotImplementedError.
    """

    def __init__(
        self,
        draft: Tables,
        *,
        render: Callable[[Notice], str],
        facts_of: Callable[[Notice], MessageFacts | None],
        now: Callable[[], datetime],
    ) -> None:
        self._tables = draft
        self._render = render
        self._facts_of = facts_of
        self._now = now

    def attempt(self, work: Callable[[], T]) -> T | Exception:
        before = self._tables.draft()
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - works that share a transaction each get their own error
            for each in fields(before):
                setattr(self._tables, each.name, getattr(before, each.name))
            return error

    # alerts and intents -------------------------------------------------------------------------------------

    def add_alert(self, alert: Alert) -> None:
        if alert.alert_id in self._tables.alerts:
            raise ConcurrentUpdate(f"alert {alert.alert_id} is there already")
        self._tables.alerts[alert.alert_id] = alert

    def _accepted(self) -> list[Alert]:
        alerts = self._tables.alerts.values()
        return [a for a in alerts if a.duplicate_of is None and a.outcome is not Outcome.REJECTED]

    def accepted(self, key: str, since: datetime) -> list[Alert]:
        found = [a for a in self._accepted() if a.idempotency_key == key and a.delivery.received_at >= since]
        return sorted(found, key=lambda alert: alert.generation)

    def replays_of(self, alert_id: str, since: datetime) -> list[Alert]:
        return [
            alert
            for alert in self._accepted()
            if delivered_alert("", alert.signal_id) == alert_id and alert.delivery.received_at >= since
        ]

    def last_accepted(self, key: str) -> Alert | None:
        found = [alert for alert in self._accepted() if alert.idempotency_key == key]
        return max(found, key=lambda alert: alert.generation, default=None)

    def add_intent(self, order: Order, key: str, signal_id: str | None) -> None:
        intents = self._tables.intents
        if key in intents or any(each.command_id == order.command_id for each in intents.values()):
            raise ConcurrentUpdate(f"intent {key} is taken")
        intents[key] = Intent(order.command_id, signal_id)

    def accepted_among(self, keys: Sequence[str]) -> set[str]:
        return {key for key in keys if self.last_accepted(key) is not None}

    def add_registrations(self, registrations: Sequence[Registration]) -> None:
        for each in registrations:
            self.add_intent(self.apply(each.change), each.intent, each.alert.signal_id)
            self.add_alert(each.alert)

    def entered_since(self, order: Order) -> bool:
        return any(
            o.command_id > order.command_id
            and o.execution_type is ExecutionType.ENTRY
            and o.status in (Status.SENT_TO_BROKER, Status.EXECUTED)
            for o in self._of_strategy(order)
        )

    # orders -------------------------------------------------------------------------------------------------

    def get(self, command_id: str) -> Order | None:
        return self._tables.orders.get(command_id)

    def apply(self, change: OrderChange) -> Order:
        before, after = change.before, change.after
        known = self._tables.orders.get(after.command_id)
        if change.event.previous_hash != ("" if known is None else known.event_hash):
            raise ConcurrentUpdate(f"{after.command_id} moved on")
        if before is None:
            _refuse(after, unless=after.phase is Phase.REGISTERED)
        else:
            self._check_move(before, after)
        self._tables.events.append(change.event)
        self._tables.orders[after.command_id] = after
        if before is not None:
            self._follow(before, after, change.event.actor)
        for notice in change.notices:
            self.notify(notice)
        return after

    def apply_all(self, changes: Sequence[OrderChange]) -> None:
        for change in changes:
            self.apply(change)

    def unmoved(self, orders: Sequence[Order]) -> set[str]:
        rows = self._tables.orders
        return {
            o.command_id
            for o in orders
            if o.command_id in rows and rows[o.command_id].event_hash == o.event_hash
        }

    def with_full_exit(self, entries: Sequence[Order]) -> set[str]:
        return {entry.command_id for entry in entries if self.full_exits_after(entry)}

    def _check_move(self, before: Order, after: Order) -> None:
        """Refuse what the triggers of a database refuse."""
        if before.client_id == after.client_id:
            check_transition(before.phase, after.phase)
        _refuse(after, unless=all(getattr(before, name) == getattr(after, name) for name in _NEVER_CHANGES))
        same_size = (before.side, before.quantity) == (after.side, after.quantity)
        _refuse(after, unless=same_size or before.status is Status.CREATED)
        _refuse(after, unless=after.status is not Status.EXECUTED or after.broker_order_id is not None)

    def _follow(self, before: Order, after: Order, actor: str) -> None:
        self._follow_intent(before, after)
        if after.broker_order_id != before.broker_order_id and after.broker_order_id is not None:
            self._tables.external.pop((after.client_id, after.broker_order_id), None)
        self._follow_fill(before, after)
        self._follow_alert(before, after)
        if releases_waiting(before, after):
            for order in self._waiting_for(after):
                self.apply(released(order, at=after.updated_at or self._now(), actor=actor))

    def _follow_intent(self, before: Order, after: Order) -> None:
        effect = intent_effect(before, after)
        intents = self._tables.intents
        for key, intent in list(intents.items()) if effect is not None else ():
            if effect is not None and intent.command_id == after.command_id:
                status, number, error = effect
                intents[key] = replace(intent, status=status, broker_order_id=number, error=error)

    def _follow_alert(self, before: Order, after: Order) -> None:
        effect, alert = decision_effect(before, after), self._tables.alerts.get(after.alert_id)
        if effect is None or alert is None:
            return
        if alert.decision_type is None or alert.decision_type in effect.replaces:
            self._tables.alerts[after.alert_id] = replace(
                alert, decision_type=effect.decision, reason_code=effect.code, reason_message=effect.message
            )

    def _follow_fill(self, before: Order, after: Order) -> None:
        if not touches_holdings(before, after):
            return
        t, key = self._tables, (after.client_id, after.symbol, after.exchange, after.strategy_name)
        held = {each[4]: units for each, units in t.holdings.items() if each[:4] == key}
        effects = effects_of(before, after, held, lambda: self._still_to_come(after))
        if effects.is_fill:
            place = (after.client_id, after.symbol, after.side, after.product)
            t.last_fills[place] = after.updated_at or self._now()
        if effects.taken_elsewhere:
            differences.take_elsewhere(t, after, effects.taken_elsewhere)
        for product, units in effects.held.items():
            self._hold((*key, product), units)

    def _hold(self, key: tuple[str, str, str, str, str], units: Held) -> None:
        if units.net:
            self._tables.holdings[key] = units
        else:
            self._tables.holdings.pop(key, None)

    def _still_to_come(self, order: Order) -> Decimal:
        """What entries at the broker may still fill of what this order, or the exit that it came after, is about."""
        is_entry = order.execution_type is ExecutionType.ENTRY
        side = order.side if is_entry else order.side.opposite
        return sum(
            (
                o.open_quantity
                for o in self._of_strategy(order)
                if o.status is Status.SENT_TO_BROKER
                and o.execution_type is ExecutionType.ENTRY
                and (o.product, o.side) == (order.product, side)
            ),
            ZERO,
        )

    def _waiting_for(self, order: Order) -> list[Order]:
        """The waiting entries of its alert, and those of its strategy in its symbol."""
        place = (order.strategy_name, order.symbol, order.exchange)
        return [
            o
            for o in self._tables.orders_of(order.client_id)
            if o.status is Status.CREATED
            and o.waits_for is not None
            and o.not_before is not None
            and o.command_id != order.command_id
            and (o.alert_id == order.alert_id or (o.strategy_name, o.symbol, o.exchange) == place)
        ]

    def _of_strategy(self, order: Order) -> list[Order]:
        """The orders of its strategy in its symbol, without test mode."""
        place = (order.strategy_name, order.exchange, order.symbol)
        return [
            o
            for o in self._tables.orders_of(order.client_id)
            if (o.strategy_name, o.exchange, o.symbol) == place and o.test_mode is None
        ]

    def full_exits_after(self, entry: Order) -> list[Order]:
        found = [
            o
            for o in self._of_strategy(entry)
            if o.is_full_exit
            and o.command_id > entry.command_id
            and o.parent_command_id is None
            and (o.phase is not Phase.BLOCKED or o.tag == tag_of(Reason.NO_POSITION))
        ]
        return sorted(found, key=lambda order: order.command_id, reverse=True)[:5]

    # protections --------------------------------------------------------------------------------------------

    def add_protection(self, protection: Protection, event: ProtectionEvent) -> None:
        if protection.protection_id in self._tables.protections:
            raise ConcurrentUpdate(f"protection {protection.protection_id} is there already")
        self._tables.protections[protection.protection_id] = protection
        self._tables.protection_events.append((protection.protection_id, event))

    def move_protection(self, step: Step) -> Protection:
        known = self._tables.protections.get(step.before.protection_id)
        if known is None or known.version != step.before.version:
            raise ConcurrentUpdate(f"protection {step.before.protection_id} moved on")
        self._tables.protections[known.protection_id] = step.after
        self._tables.protection_events += [(known.protection_id, event) for event in step.events]
        return step.after

    def keep_marks(self, client_id: str, marks: Sequence[Mark]) -> None:
        self._tables.marks |= {(client_id, mark.exchange, mark.symbol): mark for mark in marks}

    # notices ------------------------------------------------------------------------------------------------

    def notify(self, notice: Notice) -> None:
        order, messages = notice.order, self._tables.messages
        messages[len(messages) + 1] = Message(
            notice.client_id,
            notice.kind,
            self._render(notice),
            self._now(),
            order.command_id if order else None,
            self._facts_of(notice),
        )

    def notify_once(
        self, key: NoticeKey, notice: Notice, *, client_id: str | None = None, state: Iterable[str] = ()
    ) -> bool:
        whose = notice.client_id if client_id is None else client_id
        place, text = (whose, str(key.about), joined(key.facts)), joined(state)
        if self._tables.told.get(place) == text:
            return False
        self._tables.told[place] = text
        self.notify(notice)
        return True

    def clear_notice(self, client_id: str, key: NoticeKey) -> bool:
        return self._tables.told.pop((client_id, str(key.about), joined(key.facts)), None) is not None

    # holdings and positions ---------------------------------------------------------------------------------

    def holding(self, client_id: str, strategy_name: str, exchange: str, symbol: str) -> list[Holding]:
        wanted = (strategy_name, exchange, symbol)
        return [h for h in self.holdings(client_id) if (h.strategy_name, h.exchange, h.symbol) == wanted]

    def held_as_asked(
        self, client_id: str, strategy_name: str, asked: str, side: Side | None = None
    ) -> list[tuple[str, str]]:
        entered = {
            (o.exchange, o.symbol)
            for o in self._tables.orders.values()
            if (o.client_id, o.strategy_name, o.execution_type)
            == (client_id, strategy_name, ExecutionType.ENTRY)
            and o.filled_quantity
            and o.test_mode is None
            and side in (None, o.side)
            and o.context_json is not None
            and json.loads(o.context_json).get("instrument", {}).get("asked") == asked
        }
        held = {
            (h.exchange, h.symbol)
            for h in self.holdings(client_id)
            if h.strategy_name == strategy_name and h.net_quantity
        }
        return sorted(entered & held)

    def held_at(self, client_id: str, place: Place) -> Decimal:
        held = self.holdings(client_id)
        return sum((h.net_quantity for h in held if (h.exchange, h.symbol, h.product) == place), ZERO)

    def clear_holdings(
        self,
        client_id: str,
        *,
        symbol: str | None = None,
        exchange: str | None = None,
        strategy_name: str | None = None,
        settled_before: datetime | None = None,
    ) -> int:
        gone = [
            h
            for h in self.holdings(client_id)
            if symbol in (None, h.symbol)
            and exchange in (None, h.exchange)
            and strategy_name in (None, h.strategy_name)
            and (settled_before is None or self._is_settled(h, settled_before))
        ]
        for h in gone:
            del self._tables.holdings[(client_id, h.symbol, h.exchange, h.strategy_name, h.product)]
        return len(gone)

    def _is_settled(self, h: Holding, before: datetime) -> bool:
        filled_at = self.last_fill_at(h.client_id, h.symbol)
        if filled_at is not None and filled_at >= before:
            return False
        # A fill that is not recorded yet will be recorded later, and is subtracted from the holding then.
        return not any(
            (o.symbol, o.exchange, o.product) == (h.symbol, h.exchange, h.product)
            and o.test_mode is None
            and (o.strategy_name == h.strategy_name or o.execution_type is ExecutionType.EXIT)
            for o in self._at_broker(h.client_id)
        )

    def told_difference(self, client_id: str, place: Place) -> Difference | None:
        kept = self._tables.differences.get((client_id, *place))
        return None if kept is None else kept.difference

    def keep_difference(
        self, client_id: str, difference: Difference, since: datetime, at: datetime, *, believed: bool = True
    ) -> None:
        differences.keep_difference(self._tables, client_id, difference, since, believed=believed)

    def believe_differences(
        self, client_id: str, since: datetime, standing: Mapping[Place, Decimal], *, now: datetime
    ) -> None:
        differences.believe_differences(self._tables, client_id, since, standing, now=now)

    def forget_symbol(self, client_id: str, exchange: str, symbol: str) -> None:
        differences.forget_symbol(self._tables, client_id, exchange, symbol)

    def by_hand(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        return facts.by_hand(self._tables, client_id, exchange, symbol)

    def is_closed_by_others(
        self, client_id: str, exchange: str, symbol: str, held: Mapping[str, Decimal]
    ) -> bool:
        return facts.is_closed_by_others(self._tables, client_id, exchange, symbol, held)

    def believed(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        return facts.believed(self._tables, client_id, exchange, symbol)

    def adoption_facts(self, client_id: str, symbol: str, now: datetime) -> AdoptionFacts:
        held, filled_at = self.holdings(client_id), self.last_fill_at(client_id, symbol)
        return adoptions.adoption_facts(self._tables, client_id, symbol, held, filled_at, now)

    def keep_adoption(self, adoption: Adoption) -> None:
        adoptions.keep_adoption(self._tables, adoption)

    # rules --------------------------------------------------------------------------------------------------

    def facts(self, query: ExposureQuery, *, now: datetime, limits: Limits, live_allowed: bool) -> Facts:
        held = self.holdings(query.client_id)
        return facts.entry_facts(self._tables, query, held, now=now, limits=limits, live_allowed=live_allowed)

    def facts_of_all(self, questions: Sequence[FactsQuestion]) -> list[Facts]:
        return [
            self.facts(each.query, now=each.now, limits=each.limits, live_allowed=each.live_allowed)
            for each in questions
        ]

    def exit_facts(self, order: Order, now: datetime) -> ExitFacts:
        held = self.holdings(order.client_id)
        return facts.exit_facts(self._tables, order, held, now)

    def set_halt(self, halt: Halt) -> None:
        self._tables.halts[(halt.client_id, halt.strategy_name or "")] = halt

    def clear_halt(self, client_id: str, strategy_name: str | None) -> bool:
        return self._tables.halts.pop((client_id, strategy_name or ""), None) is not None

    def keep_day_loss(self, client_id: str, loss: DayLoss) -> None:
        row = self._tables.accounts.get(client_id, AccountRow())
        self._tables.accounts[client_id] = replace(row, day_loss=loss)

    def keep_lift(self, lift: Lift) -> None:
        self._tables.lifts.append(lift)

    # external orders ----------------------------------------------------------------------------------------

    def note_external(
        self, client_id: str, report: OrderReport, at: datetime, *, unseen_at: datetime | None = None
    ) -> bool:
        return differences.note_external(self._tables, client_id, report, at, unseen_at or at)

    def tagged_external(self, client_id: str, client_order_id: str) -> list[tuple[OrderReport, datetime]]:
        return [
            (each.report, each.first_seen_at)
            for (client, _), each in self._tables.external.items()
            if (client, each.report.client_order_id) == (client_id, client_order_id)
        ]

    def tagged_among(self, client_id: str, client_order_ids: Sequence[str]) -> set[str]:
        return {tag for tag in client_order_ids if self.tagged_external(client_id, tag)}

    def external_place(self, client_id: str, broker_order_id: str) -> tuple[str, str, str] | None:
        kept = self._tables.external.get((client_id, broker_order_id))
        return None if kept is None else (kept.report.exchange, kept.report.symbol, kept.report.side)

    # accounts -----------------------------------------------------------------------------------------------

    def bind_account(self, client_id: str, account: BrokerAccount) -> BrokerAccount:
        row = self._tables.accounts.get(client_id, AccountRow())
        if row.account is None:
            row = self._tables.accounts[client_id] = replace(row, account=account)
        return row.account or account

    def rebind_account(self, client_id: str, account: BrokerAccount) -> None:
        t = self._tables
        opened = sorted((o for o in t.orders_of(client_id) if o.status in OPEN), key=lambda o: o.command_id)
        if opened:
            named = ", ".join(f"{o.command_id} ({o.status}/{o.phase})" for o in opened[:_NAMED])
            more = f" and {len(opened) - _NAMED} more" if len(opened) > _NAMED else ""
            raise OpenOrders(f"{client_id} has orders that have not ended: {named}{more}")
        t.holdings = _without(t.holdings, client_id)
        t.positions = _without(t.positions, client_id)
        t.last_fills = _without(t.last_fills, client_id)
        t.external = _without(t.external, client_id)
        t.differences = _without(t.differences, client_id)
        t.told = _without(t.told, client_id)
        t.ahead = _without(t.ahead, client_id)
        t.marks = _without(t.marks, client_id)
        t.equities = _without(t.equities, client_id)
        t.pnl_books = {place: book for place, book in t.pnl_books.items() if place.client_id != client_id}
        t.unreadable.pop(client_id, None)
        t.accounts[client_id] = AccountRow(account)

    def move_client(self, old: str, new: str, *, at: datetime, actor: str) -> tuple[int, int]:
        raise NotImplementedError("the store in memory moves no client to another id")


def _without(table: Mapping[Key, T], client_id: str) -> dict[Key, T]:
    """A table whose keys begin with a client, without the rows of one client."""
    return {key: row for key, row in table.items() if key[0] != client_id}


def _refuse(order: Order, *, unless: bool) -> None:
    if not unless:
        raise IllegalTransition(f"{order.command_id}: no such change")
