"""Implement the domain's write transaction: write all rows of a change together."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar, cast

from domain.account import AccountStanding, BrokerAccount
from domain.adoption import Adoption, AdoptionFacts
from domain.alert import Alert
from domain.broker_reports import OrderReport
from domain.daily_loss import DayLoss, Lift
from domain.effects import decision_effect, intent_effect, releases_waiting
from domain.enums import Side
from domain.errors import ConcurrentUpdate, IllegalTransition
from domain.ids import is_ours
from domain.limits import Limits
from domain.marks import Mark
from domain.message_facts import MessageFacts
from domain.money import ZERO, decimal_text, parse_decimal
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange, column
from domain.order_matching import SeenOrders
from domain.ports import ExposureQuery, FactsQuestion, Halt, Registration
from domain.position_comparison import Difference, Place
from domain.protection import Protection, ProtectionEvent, Step
from domain.risk_facts import ExitFacts, Facts, Holding
from domain.stale_orders import StaleOrder
from domain.times import time_text
from domain.transitions import released
from persistence.sqlite import (
    accounts,
    adoptions,
    client_rename,
    daily_loss,
    differences,
    holdings,
    protections,
    told_notices,
    waiting_entries,
)
from persistence.sqlite import external_orders as sighting_queries
from persistence.sqlite.accepted_alerts import ACCEPTED, AcceptedAlerts
from persistence.sqlite.changes_together import (
    UPDATE_INTENT,
    in_runs,
    write_together,
)
from persistence.sqlite.database import attempt
from persistence.sqlite.entries import EntryTables
from persistence.sqlite.groups import GroupTables
from persistence.sqlite.queries import claims as claim_queries
from persistence.sqlite.queries import rule_facts as fact_queries
from persistence.sqlite.queries.batch_facts import facts_of_all
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.registrations import (
    INSERT_INTENT,
    add_registrations,
    event_row,
    intent_row,
)
from persistence.sqlite.risk import RiskTables
from persistence.sqlite.rows import (
    INSERT_ALERT,
    INSERT_ORDER,
    ORDER_COLUMNS,
    SELECT_ALERT,
    SELECT_ORDER,
    alert_of,
    alert_row,
    move_statement,
    order_of,
    orders_statement,
)
from persistence.sqlite.sizing import SizingTables
from persistence.sqlite.triggers import CONCURRENT

T = TypeVar("T")

Render = Callable[[Notice], str]
"""Turns a notice into text."""
FactsOf = Callable[[Notice], MessageFacts | None]
"""Returns the content of that text as data."""

_ACCEPTED_AMONG = (
    "SELECT DISTINCT idempotency_key FROM alerts WHERE idempotency_key IN (SELECT value FROM json_each(?)) "
    f"AND {ACCEPTED}"
)


class SqliteTransaction(RiskTables, SizingTables, GroupTables, EntryTables, AcceptedAlerts):
    """One savepoint of a group commit; implements `domain.ports.Transaction`."""

    def __init__(
        self, connection: sqlite3.Connection, render: Render, facts_of: FactsOf, now: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._render = render
        self._facts_of = facts_of
        self._now = now

    def attempt(self, work: Callable[[], T]) -> T | Exception:
        result, error = attempt(self._connection, work)
        return cast("T", result) if error is None else error

    # alerts -------------------------------------------------------------------------------------------------

    def add_alert(self, alert: Alert) -> None:
        self._connection.execute(INSERT_ALERT, alert_row(alert))

    def last_accepted(self, key: str) -> Alert | None:
        row = self._connection.execute(
            f"{SELECT_ALERT} WHERE idempotency_key = ? AND {ACCEPTED} ORDER BY generation DESC LIMIT 1",
            (key,),
        ).fetchone()
        return None if row is None else alert_of(row)

    def accepted_among(self, keys: Sequence[str]) -> set[str]:
        rows = self._connection.execute(_ACCEPTED_AMONG, (json.dumps(keys),))
        return {key for (key,) in rows}

    def add_registrations(self, registrations: Sequence[Registration]) -> None:
        add_registrations(self._connection, registrations)

    def orders_of_alert(self, alert_id: str) -> list[Order]:
        return claim_queries.orders_of_alert(self._connection, alert_id)

    def entered_since(self, order: Order) -> bool:
        row = self._connection.execute(
            statement("entered_since"),
            (order.command_id, order.client_id, order.strategy_name, order.exchange, order.symbol),
        ).fetchone()
        return row is not None

    # orders -------------------------------------------------------------------------------------------------

    def get(self, command_id: str) -> Order | None:
        row = self._connection.execute(f"{SELECT_ORDER} WHERE command_id = ?", (command_id,)).fetchone()
        return None if row is None else order_of(row)

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None:
        row = self._connection.execute(
            orders_statement("by_broker_id"),
            (client_id, broker_order_id),
        ).fetchone()
        return None if row is None else order_of(row)

    def apply(self, change: OrderChange) -> Order:
        self._record(change)
        if change.before is None:
            self._connection.execute(INSERT_ORDER, [change.row[name] for name in ORDER_COLUMNS])
        else:
            self._move(change.before, change.after, change.columns)
            self._follow_intent(change.before, change.after)
            self._claim_external(change.before, change.after)
            holdings.follow_fill(self._connection, change.before, change.after)
            self._follow_alert(change.before, change.after)
            self._release_waiting(change.before, change.after, change.event.actor)
        for notice in change.notices:
            self.notify(notice)
        return change.after

    def apply_all(self, changes: Sequence[OrderChange]) -> None:
        for run in in_runs(self._connection, changes):
            if len(run) > 1:
                write_together(self._connection, run, self._message_row)
            else:
                self.apply(run[0])

    def unmoved(self, orders: Sequence[Order]) -> set[str]:
        return claim_queries.unmoved(self._connection, orders)

    def with_full_exit(self, entries: Sequence[Order]) -> set[str]:
        return claim_queries.with_full_exit(self._connection, entries)

    def has_work(self, client_id: str, now: datetime, *, exits_only: bool = False) -> bool:
        return claim_queries.has_work(self._connection, client_id, now, exits_only=exits_only)

    def _record(self, change: OrderChange) -> None:
        e = change.event
        try:
            self._connection.execute(statement("add_event"), event_row(e))
        except sqlite3.IntegrityError as error:
            if CONCURRENT in str(error):
                raise ConcurrentUpdate(f"{e.command_id} moved on") from error
            raise

    def _move(self, before: Order, after: Order, changed: tuple[str, ...]) -> None:
        values = [column(getattr(after, name)) for name in changed]
        try:
            done = self._connection.execute(
                move_statement(changed),
                (*values, before.command_id, before.event_hash),
            )
        except sqlite3.IntegrityError as error:
            raise IllegalTransition(f"{before.command_id}: {error}") from error
        if done.rowcount != 1:
            raise ConcurrentUpdate(f"{before.command_id} moved on")

    def _follow_intent(self, before: Order, after: Order) -> None:
        effect = intent_effect(before, after)
        if effect is not None:
            self._connection.execute(UPDATE_INTENT, (*effect, column(after.updated_at), after.command_id))

    def _claim_external(self, before: Order, after: Order) -> None:
        """Delete the external order that has turned out to be this order."""
        if after.broker_order_id != before.broker_order_id:
            self._connection.execute(
                "DELETE FROM external_orders WHERE client_id = ? AND broker_order_id = ?",
                (after.client_id, after.broker_order_id),
            )

    def _follow_alert(self, before: Order, after: Order) -> None:
        effect = decision_effect(before, after)
        if effect is None:
            return
        *columns, replaces = effect
        self._connection.execute(
            statement("follow_decision"), (*columns, after.alert_id, json.dumps(replaces))
        )

    def _release_waiting(self, before: Order, after: Order, actor: str) -> None:
        if not releases_waiting(before, after):
            return
        at = after.updated_at or self._now()
        for row in waiting_entries.waiting_for(self._connection, after):
            self.apply(released(row, at=at, actor=actor))

    def add_intent(self, order: Order, key: str, signal_id: str | None) -> None:
        try:
            self._connection.execute(INSERT_INTENT, intent_row(order, key, signal_id))
        except sqlite3.IntegrityError as error:
            raise ConcurrentUpdate(f"intent {key} is taken") from error

    # messages -----------------------------------------------------------------------------------------------

    def notify(self, notice: Notice) -> None:
        self._connection.execute(statement("add_message"), self._message_row(notice))

    def _message_row(self, notice: Notice) -> tuple[Any, ...]:
        order, facts = notice.order, self._facts_of(notice)
        return (
            notice.client_id, notice.kind, notice.symbol, self._render(notice), time_text(self._now()),
            order.command_id if order else None, notice.alert_id, int(notice.kind is NoticeKind.BLOCKED),
            None if facts is None else facts.as_json(),
        )  # fmt: skip

    def notify_once(
        self, key: NoticeKey, notice: Notice, *, client_id: str | None = None, state: Iterable[str] = ()
    ) -> bool:
        order, whose = notice.order, notice.client_id if client_id is None else client_id
        is_news = told_notices.note(
            self._connection,
            whose,
            key,
            state,
            command_id=order.command_id if order else None,
            at=self._now(),
        )
        if is_news:
            self.notify(notice)
        return is_news

    def clear_notice(self, client_id: str, key: NoticeKey) -> bool:
        return told_notices.clear(self._connection, client_id, key)

    # holdings -----------------------------------------------------------------------------------------------

    def holding(self, client_id: str, strategy_name: str, exchange: str, symbol: str) -> list[Holding]:
        return [
            h
            for h in fact_queries.holdings(self._connection, client_id, symbol)
            if (h.strategy_name, h.exchange) == (strategy_name, exchange)
        ]

    def held_as_asked(
        self, client_id: str, strategy_name: str, asked: str, side: Side | None = None
    ) -> list[tuple[str, str]]:
        held = fact_queries.holdings(self._connection, client_id)
        if not any(h.net_quantity for h in held if h.strategy_name == strategy_name):
            return []
        found = self._connection.execute(statement("asked_as"), (client_id, strategy_name, asked, side))
        return sorted(found)

    def held_at(self, client_id: str, place: Place) -> Decimal:
        return fact_queries.held_at(self._connection, client_id, place)

    def clear_holdings(
        self,
        client_id: str,
        *,
        symbol: str | None = None,
        exchange: str | None = None,
        strategy_name: str | None = None,
        settled_before: datetime | None = None,
    ) -> int:
        done = self._connection.execute(
            statement("clear_holdings"),
            (client_id, symbol, strategy_name, column(settled_before), exchange),
        )
        return done.rowcount

    def note_external(
        self, client_id: str, report: OrderReport, at: datetime, *, unseen_at: datetime | None = None
    ) -> bool:
        r = report
        archived = self._connection.execute(
            statement("archived_under"),
            (r.broker_order_id, client_id, client_id),
        ).fetchone()
        if archived is not None:
            return False
        key = (client_id, r.broker_order_id)
        known = self._connection.execute(
            "SELECT filled_quantity, unexplained_quantity FROM external_orders WHERE client_id = ? "
            "AND broker_order_id = ? AND (exchange, symbol, side) = (?, ?, ?)",
            (*key, r.exchange, r.symbol, r.side),
        ).fetchone()
        filled, tag = (
            decimal_text(r.filled_quantity),
            r.client_order_id if is_ours(r.client_order_id) else None,
        )
        more = max(r.filled_quantity - (parse_decimal(known[0]) if known else ZERO), ZERO)
        more -= differences.take_believed(self._connection, client_id, r, more, unseen_at or at)
        if known is None:
            # A broker begins its numbers anew: one of another symbol or side is another order.
            self._connection.execute(
                "INSERT OR REPLACE INTO external_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*key, r.exchange, r.symbol, r.side, decimal_text(r.quantity), filled, r.status, time_text(at),
                 r.product, decimal_text(more), tag),
            )  # fmt: skip
            return True
        self._connection.execute(
            statement("update_external"),
            (
                decimal_text(max(r.filled_quantity, parse_decimal(known[0]))),
                decimal_text(parse_decimal(known[1]) + more),
                r.status,
                tag,
                *key,
            ),
        )
        return False

    # notices sent once, differences and external orders -----------------------------------------------------

    def untold_frozen(self, client_id: str, sent_before: datetime, *, limit: int) -> list[StaleOrder]:
        return differences.untold_frozen(self._connection, client_id, sent_before, limit=limit)

    def is_told(self, client_id: str, key: NoticeKey) -> bool:
        return told_notices.is_told(self._connection, client_id, key)

    def told_keys(self, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
        return told_notices.told_keys(self._connection, client_id, about)

    def told_clients(self, about: NoticeSubject) -> list[str]:
        return told_notices.told_clients(self._connection, about)

    def told_difference(self, client_id: str, place: Place) -> Difference | None:
        return differences.told_difference(self._connection, client_id, place)

    def keep_difference(
        self, client_id: str, difference: Difference, since: datetime, at: datetime, *, believed: bool = True
    ) -> None:
        differences.keep_difference(self._connection, client_id, difference, since, at, believed=believed)

    def believe_differences(
        self, client_id: str, since: datetime, standing: Mapping[Place, Decimal], *, now: datetime
    ) -> None:
        differences.believe_differences(self._connection, client_id, since, standing, now=now)

    def forget_symbol(self, client_id: str, exchange: str, symbol: str) -> None:
        differences.forget_symbol(self._connection, client_id, exchange, symbol)

    def by_hand(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        return fact_queries.by_hand(self._connection, client_id, symbol, exchange)

    def is_closed_by_others(
        self, client_id: str, exchange: str, symbol: str, held: Mapping[str, Decimal]
    ) -> bool:
        return fact_queries.is_closed_by_others(self._connection, client_id, symbol, exchange, held)

    def believed(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        return fact_queries.believed(self._connection, client_id, symbol, exchange)

    def tagged_external(self, client_id: str, client_order_id: str) -> list[tuple[OrderReport, datetime]]:
        return sighting_queries.tagged_external(self._connection, client_id, client_order_id)

    def tagged_among(self, client_id: str, client_order_ids: Sequence[str]) -> set[str]:
        return sighting_queries.tagged_among(self._connection, client_id, client_order_ids)

    def external_place(self, client_id: str, broker_order_id: str) -> tuple[str, str, str] | None:
        row: tuple[str, str, str] | None = self._connection.execute(
            "SELECT exchange, symbol, side FROM external_orders WHERE client_id = ? AND broker_order_id = ?",
            (client_id, broker_order_id),
        ).fetchone()
        return row

    # facts and halts ----------------------------------------------------------------------------------------

    def facts(self, query: ExposureQuery, *, now: datetime, limits: Limits, live_allowed: bool) -> Facts:
        return fact_queries.entry_facts(
            self._connection, query, now=now, limits=limits, live_allowed=live_allowed
        )

    def facts_of_all(self, questions: Sequence[FactsQuestion]) -> list[Facts]:
        return facts_of_all(self._connection, questions)

    def exit_facts(self, order: Order, now: datetime) -> ExitFacts:
        return fact_queries.exit_facts(self._connection, order, now)

    def full_exits_after(self, entry: Order) -> list[Order]:
        return claim_queries.full_exits_after(self._connection, entry)

    def parts(self, command_id: str) -> list[Order]:
        return claim_queries.parts(self._connection, command_id)

    def unplaced(self, client_id: str) -> list[Order]:
        return sighting_queries.unplaced(self._connection, client_id)

    def sightings(self, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
        return sighting_queries.sightings(self._connection, client_id, broker_order_ids)

    def day_loss(self, client_id: str) -> DayLoss | None:
        return daily_loss.day_loss(self._connection, client_id)

    def keep_day_loss(self, client_id: str, loss: DayLoss) -> None:
        daily_loss.save_day_loss(self._connection, client_id, loss)

    def keep_lift(self, lift: Lift) -> None:
        daily_loss.keep_lift(self._connection, lift)

    def adoption_facts(self, client_id: str, symbol: str, now: datetime) -> AdoptionFacts:
        return adoptions.adoption_facts(self._connection, client_id, symbol, now)

    def keep_adoption(self, adoption: Adoption) -> None:
        adoptions.keep_adoption(self._connection, adoption)

    def set_halt(self, halt: Halt) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO halts VALUES (?, ?, ?, ?, ?)",
            (halt.client_id, halt.strategy_name or "", time_text(halt.at), halt.by, halt.reason),
        )

    def clear_halt(self, client_id: str, strategy_name: str | None) -> bool:
        done = self._connection.execute(
            "DELETE FROM halts WHERE client_id = ? AND strategy_name = ?", (client_id, strategy_name or "")
        )
        return done.rowcount > 0

    # protections --------------------------------------------------------------------------------------------

    def open_protections(self, client_id: str) -> list[Protection]:
        return protections.open_protections(self._connection, client_id)

    def protection(self, protection_id: str) -> Protection | None:
        return protections.protection(self._connection, protection_id)

    def add_protection(self, protection: Protection, event: ProtectionEvent) -> None:
        protections.add(self._connection, protection, event)

    def move_protection(self, step: Step) -> Protection:
        return protections.move(self._connection, step)

    def marks(self, client_id: str) -> list[Mark]:
        return protections.marks(self._connection, client_id)

    def keep_marks(self, client_id: str, marks: Sequence[Mark]) -> None:
        protections.keep_marks(self._connection, client_id, marks)

    # broker accounts ----------------------------------------------------------------------------------------

    def account(self, client_id: str) -> BrokerAccount | None:
        return accounts.account(self._connection, client_id)

    def bind_account(self, client_id: str, account: BrokerAccount) -> BrokerAccount:
        return accounts.bind(self._connection, client_id, account)

    def account_standing(self, client_id: str, account: BrokerAccount) -> AccountStanding:
        return accounts.standing(self._connection, client_id, account)

    def watchers_of(self, client_id: str) -> list[str]:
        return accounts.watchers_of(self._connection, client_id)

    def move_client(self, old: str, new: str, *, at: datetime, actor: str) -> tuple[int, int]:
        return client_rename.move_client(self._connection, self.apply, old, new, at=at, actor=actor)

    def rebind_account(self, client_id: str, account: BrokerAccount) -> None:
        accounts.rebind(self._connection, client_id, account)
