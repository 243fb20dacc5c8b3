"""Reconcile open orders with the broker's order book until they end."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache, partial

from domain.broker_reports import Book, OrderRef, OrderReport
from domain.enums import ExecutionType
from domain.errors import ReadFailed
from domain.first_reads import Part
from domain.ids import is_ours
from domain.lost_tags import may_be_untagged
from domain.notice_keys import Alarm, NoticeKey, NoticeSubject, of_order
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange, advance
from domain.order_matching import NOT_LOOKED_FOR, Attribution
from domain.ports import Clock, Store, Transaction
from domain.reconciliation import (
    LIVE,
    NOTHING,
    Verdict,
    absent_because,
    contradiction,
    decide,
    find_report,
    hidden_in,
    is_about,
    is_own,
    noted,
    taken_back,
    unknown_because,
)
from domain.states import Phase, Status
from domain.times import has_elapsed
from engine.book_poll_schedule import BookPollSchedule
from engine.cancel_sender import CancelSender
from engine.client_context import ClientContext, EngineTimings
from engine.entry_readiness import EntryReadiness
from engine.exit_follower import keep_exits_true, still_held
from engine.missing_order_tracker import MissingOrderTracker
from engine.order_matcher import OrderMatcher
from engine.plain_moves import plain_moves
from engine.read_failure_tracker import ReadFailureTracker, UnreadableRows
from engine.resting_orders import RestingOrders
from engine.submitter import Submitter
from engine.tag_lookup import is_refusal
from use_cases.leg_groups import after_leg_ended

log = logging.getLogger(__name__)

_MAX_SENDS = 5  # of one entry under one id; after that only the book is polled
_MOVES_IN_ONE = 100  # orders moved in one transaction, so that no webhook waits for longer than that
_SILENT = timedelta(seconds=5)  # no poll has ended for so long: the broker hangs


class Reconciler:
    """Brings open orders in line with the book, and resolves unknown outcomes."""

    def __init__(
        self,
        store: Store,
        submitter: Submitter,
        gate: EntryReadiness,
        looks: BookPollSchedule,
        *,
        clock: Clock,
        claimant: str,
        rules: EngineTimings,
    ) -> None:
        self._store = store
        self._submitter = submitter
        self._gate = gate
        self._clock = clock
        self._claimant = claimant
        self._rules = rules
        self._explained: dict[str, dict[str, OrderReport]] = {}
        self._whole_book_at: dict[str, datetime] = {}  # when the last read began that showed every order
        self._owners = OrderMatcher(clock=clock, rules=rules)
        self._unheard = MissingOrderTracker()
        self._resting = RestingOrders(store, clock=clock, claimant=claimant, rules=rules)
        self._cancels = CancelSender(store, clock=clock, claimant=claimant, rules=rules)
        self._unread = ReadFailureTracker(clock=clock, rules=rules)
        self._rows = UnreadableRows(
            NoticeSubject.UNREADABLE_ORDER_ROW,
            "a row of the broker's order book cannot be read",
            "the order that it is stays as it is here, and none that it may be is called absent; all others are "
            "followed. Look at the order in the broker's own terminal",
        )
        self.looks = looks

    # reconcile ----------------------------------------------------------------------------------------------

    def reconcile(self, context: ClientContext) -> int:
        """Bring the client's open orders in line with its broker's book; returns how many moved.

        Raises:
            StoreUnavailable: the database could not be read or written.
        """
        self._submitter.outcomes.record_again()
        orders = self._open_orders(context)
        moved = self._reconcile_test_mode(context, [o for o in orders if o.test_mode is not None])
        at_broker = [o for o in orders if o.test_mode is None and o.phase is not Phase.SUBMITTING]
        wanted = bool(at_broker) or not self._gate.is_open(context.client_id)
        wanted = wanted or self._store.has_provisional(context.client_id, self._clock.now())
        interval = timedelta(seconds=context.broker.traits.book_interval)
        if not self.looks.begin(context.client_id, interval, wanted=wanted):
            return moved
        try:
            refs = [OrderRef.of(o) for o in at_broker]
            book = context.broker.read_book(refs, urgent=self.looks.takes_urgent(context.client_id))
        except ReadFailed as error:
            # When the minute's quota is used up, our own rate limiter refuses a read every few seconds: no fault.
            level = logging.INFO if error.code == "RATE_LIMIT" else logging.WARNING
            self._unreadable(context, at_broker, str(error), level=level)
            return moved
        except Exception as error:  # a defect of the adapter: it says nothing about the orders
            log.exception("client %s: the adapter failed to read the book", context.client_id)
            self._unreadable(context, at_broker, f"{type(error).__name__}: {error}")
            return moved
        if not self._gate.accounts.saw(context):
            return moved
        self._unread.passed(context.client_id)
        self._owners.saw(context, book)
        self._submitter.own_tags.saw(context.client_id, book)
        self._rows.tell(self._store, context.client_id, book.unreadable)
        moved += self._apply_book(context, at_broker, book)
        moved += self._call_unknown(context, at_broker, book)
        self._explain(context, at_broker, book)
        if book.complete:
            self.looks.shown(context.client_id, book.read_started_at)
        self.looks.end(context.client_id)
        if self._owners.may_begin(context, book):
            self._gate.passed(context.client_id, Part.BOOK)
        else:
            self._gate.failed(context.client_id, Part.BOOK, "it was not complete")
        return moved

    def _open_orders(self, context: ClientContext) -> list[Order]:
        return [
            self._submitter.settle_claim(order) for order in self._store.get_open_orders(context.client_id)
        ]

    def _unreadable(
        self, context: ClientContext, at_broker: Sequence[Order], error: str, *, level: int = logging.WARNING
    ) -> None:
        """Decide nothing. Unknown outcomes go on being escalated, and another poll is requested soon."""
        log.log(level, "client %s: the order book could not be read: %s", context.client_id, error)
        self.looks.ask(context.client_id)
        self._escalate(at_broker)
        self.looks.end(context.client_id)
        waits_already = self._gate.failed(context.client_id, Part.BOOK, error)
        if not waits_already and self._unread.failed(context.client_id) is not None:
            self._gate.shut(context.client_id, Part.BOOK, error)

    def _apply_book(self, context: ClientContext, orders: Sequence[Order], book: Book) -> int:
        """Move the orders that the book decides; those that it leaves unknown are then sent again or escalated."""
        rows = {o.command_id: o for o in orders}
        whose = self._owners.attribution(self._store, context, book)
        verdicts = [(o, self._decide(context, o, book, whose)) for o in orders]
        decided = [each for each in verdicts if self._is_news(*each)]
        for start in range(0, len(decided), _MOVES_IN_ONE):
            some = decided[start : start + _MOVES_IN_ONE]
            rows |= self._store.write(partial(self._apply_verdicts, context=context, decided=some, book=book))
        unknown = [o for o in rows.values() if o.phase is Phase.UNKNOWN]
        self._resend(context, unknown, book)
        self._escalate(unknown)
        rows |= self._resting.follow(context, list(rows.values()))
        self._cancels.send(context, list(rows.values()), book)
        self._remember_ended(context, list(rows.values()), book)
        return sum(rows[o.command_id] != o for o, _ in decided)

    def _remember_ended(self, context: ClientContext, orders: Sequence[Order], book: Book) -> None:
        """Remember the reports by which orders have just ended: they explain themselves, without a look at the rows."""
        explained = self._explained.setdefault(context.client_id, {})
        for order in orders:
            if order.status is not Status.EXECUTED or order.test_mode is not None:
                continue
            report, verdict = find_report(order, book)[0], self._decide(context, order, book)
            if report is not None and verdict == NOTHING and taken_back(order, report) is None:
                explained[report.broker_order_id] = report

    def _is_news(self, order: Order, verdict: Verdict) -> bool:
        """Return True when there is something to write: a move, or an alarm that was not notified yet."""
        if verdict.phase is not None:
            return True
        return not all(self._store.is_told(order.client_id, alarm.key) for alarm in verdict.alarms)

    def _apply_verdicts(
        self, tx: Transaction, context: ClientContext, decided: Sequence[tuple[Order, Verdict]], book: Book
    ) -> dict[str, Order]:
        """Write what changes: plain moves together; for all else decide again on the row as it stands here."""
        whose = self._owners.attribution(tx, context, book)
        plain = plain_moves(tx, decided) if whose is NOT_LOOKED_FOR else set[str]()
        after = dict[str, Order]()
        beside: list[OrderChange] = []  # plain ones that follow each other
        for order, verdict in decided:
            if order.command_id in plain:
                beside.append(self._advanced(order, verdict))
                continue
            after |= self._write(tx, context, beside, book)
            beside = []
            after |= self._apply_anew(tx, context, order.command_id, book, whose)
        return after | self._write(tx, context, beside, book)

    def _advanced(self, order: Order, verdict: Verdict) -> OrderChange:
        assert verdict.phase is not None
        now, actor = self._clock.now(), self._claimant
        return advance(order, verdict.phase, at=now, actor=actor, **verdict.changes)

    def _write(
        self, tx: Transaction, context: ClientContext, changes: Sequence[OrderChange], book: Book
    ) -> dict[str, Order]:
        if not changes:
            return {}
        written = tx.attempt(lambda: tx.apply_all(changes))
        if not isinstance(written, Exception):
            return {change.after.command_id: change.after for change in changes}
        after = dict[str, Order]()
        for change in changes:  # one of them is to blame: each by itself
            after |= self._apply_anew(tx, context, change.after.command_id, book)
        return after

    def _apply_anew(
        self,
        tx: Transaction,
        context: ClientContext,
        command_id: str,
        book: Book,
        whose: Attribution = NOT_LOOKED_FOR,
    ) -> dict[str, Order]:
        current = tx.get(command_id)
        if current is not None and current.may_be_live and current.phase is not Phase.SUBMITTING:
            current = self._apply_verdict(tx, context, current, book, whose)
        return {} if current is None else {command_id: current}

    def _apply_verdict(
        self,
        tx: Transaction,
        context: ClientContext,
        order: Order,
        book: Book,
        whose: Attribution = NOT_LOOKED_FOR,
    ) -> Order:
        verdict = self._decide(context, order, book, whose)
        for alarm in verdict.alarms:
            self._alarm(tx, order, alarm)
        if verdict.phase is Phase.ABSENT and self._may_send_again(context, order):
            return order
        if verdict.phase is Phase.ABSENT and (others := self._owners.untagged(tx, context, order, book)):
            verdict = noted(order, order.phase, may_be_untagged(order, others))
            self._alarm(tx, order, verdict.alarms[0])
        if verdict.phase is None:
            return order
        number = verdict.changes.get("broker_order_id")
        owner = tx.get_by_broker_id(order.client_id, number) if number is not None else None
        if number is not None and self._was_there_before(tx, order, number):
            text = f"broker order {number} carries its tag and was there before it was sent"
            key = of_order(NoticeSubject.TAG_WAS_THERE_BEFORE, order.command_id, number)
            self._alarm(tx, order, Alarm(key, text))
            return order
        if owner is not None and number is not None and self._is_owner(order, owner, book.by_id[number]):
            # One broker order belongs to one row: if two rows took it, its fill would be held twice.
            key = of_order(NoticeSubject.TAG_IS_ANOTHERS, order.command_id, number, owner.command_id)
            self._alarm(tx, order, Alarm(key, f"broker order {number} is that of {owner.command_id} already"))
            return order
        now, changes = self._clock.now(), dict(verdict.changes)
        if verdict.phase is Phase.ABSENT:
            changes |= absent_because(order, still_held(tx, order))
        after = tx.apply(advance(order, verdict.phase, at=now, actor=self._claimant, **changes))
        after_leg_ended(tx, context.policy, order, after, now=now, actor=self._claimant)
        return keep_exits_true(tx, order, after, now=now, actor=self._claimant)

    def _is_owner(self, order: Order, owner: Order, report: OrderReport) -> bool:
        """Return False where the broker has only used the number again, for another order."""
        return is_about(owner, report) and self._rules.same_day(order, owner)

    @staticmethod
    def _was_there_before(tx: Transaction, order: Order, number: str) -> bool:
        """Return True when the broker order was noted as external before our only send of this order.

        That happens after a restore: the restored database gives out old tags again.
        """
        seen = tx.sightings(order.client_id, [number]).first_seen.get(number)
        return seen is not None and order.sent_at is not None and order.attempts <= 1 and seen < order.sent_at

    def _call_unknown(self, context: ClientContext, orders: Sequence[Order], book: Book) -> int:
        """Mark orders unknown that the book has not shown usably for a while, and notify; return how many."""
        unheard = self._unheard.heard(context.client_id, orders, book)
        rows = {order.command_id: order for order in orders}
        lost = 0
        for id_, why in unheard.items():
            alarm = contradiction(rows[id_], book)
            lost += self._store.write(partial(self._lose_sight, order=rows[id_], why=why, alarm=alarm))
        return lost

    def _lose_sight(self, tx: Transaction, order: Order, why: str, alarm: Alarm | None) -> bool:
        """Mark the order unknown; an alarm is notified at once."""
        current = tx.get(order.command_id)
        if current is None or current.event_hash != order.event_hash:
            return False  # its row has changed meanwhile: there is news of it
        if alarm is not None:
            self._alarm(tx, current, alarm)
        if current.phase is Phase.UNKNOWN:
            return False
        reason, now = unknown_because(why), self._clock.now()
        tx.apply(advance(current, Phase.UNKNOWN, at=now, actor=self._claimant, **reason, escalation=0))
        return True

    def _decide(
        self, context: ClientContext, order: Order, book: Book, whose: Attribution = NOT_LOOKED_FOR
    ) -> Verdict:
        ends = self._rules.sending_ends
        return decide(order, book, context.broker.traits, sending_ends=ends, attribution=whose)

    @staticmethod
    def _alarm(tx: Transaction, order: Order, alarm: Alarm) -> None:
        """Notify people of the alarm once, even across restarts."""
        notice = Notice(NoticeKind.SYSTEM, order.client_id, order, order.alert_id, order.symbol, alarm.text)
        if tx.notify_once(alarm.key, notice):
            log.error("order %s: %s", order.command_id, alarm.text)

    def _reconcile_test_mode(self, context: ClientContext, orders: Sequence[Order]) -> int:
        """Reconcile orders in test mode at once, whatever the broker's interval: their book needs no call to it."""
        moved = 0
        for order in orders:
            if order.phase is Phase.SUBMITTING:
                continue
            book = context.broker.read_book([OrderRef.of(order)])
            moved += self._apply_book(context, [order], book)
        return moved

    # unknown outcomes ---------------------------------------------------------------------------------------

    def _may_send_again(self, context: ClientContext, order: Order) -> bool:
        """Return True only within the alert's life, where the broker promises that one id cannot make two orders."""
        traits, now = context.broker.traits, self._clock.now()
        if not traits.id_class.may_send_again or order.is_over(now) or order.test_mode is not None:
            return False
        if order.broker_order_id is not None:
            return False  # the broker had it: whatever became of it, it must not be made again
        if traits.id_window and now + self._rules.sending_ends > order.created_at + timedelta(
            seconds=traits.id_window
        ):
            return False
        return order.execution_type is ExecutionType.EXIT or order.attempts < _MAX_SENDS

    def _resend(self, context: ClientContext, orders: Sequence[Order], book: Book) -> None:
        """Send orders again, under the same id, that a later book does not show."""
        for order in orders:
            assert order.sent_at is not None
            waited = has_elapsed(order.sent_at, self._clock.now(), self._rules.resend_after)
            shown = book.complete and not hidden_in(order, book)
            first = order.attempts == 1 and shown and book.read_started_at > order.sent_at
            if not self._may_send_again(context, order) or not (first or waited):
                continue
            if find_report(order, book)[0] is not None:
                continue  # one of its sends ended: a later book shows whether another one did not
            self._submitter.send_again(context, order)

    def escalate(self, context: ClientContext) -> None:
        """Escalate unknown outcomes while no poll ends, as when the broker hangs; calls no broker.

        Raises:
            StoreUnavailable: the database could not be read or written.
        """
        if self.looks.silence(context.client_id) >= _SILENT:
            self._escalate([o for o in self._open_orders(context) if o.test_mode is None])

    def _escalate(self, orders: Sequence[Order]) -> None:
        """Escalate outcomes that stay unknown, level by level."""
        for order in orders:
            if order.phase is not Phase.UNKNOWN:
                continue
            level = self._loudness(order)
            if level > order.escalation:
                log.warning("order %s: outcome unknown, registered at %s", order.command_id, order.created_at)
                self._store.write(partial(self._louder, order=order, level=level))

    def _loudness(self, order: Order) -> int:
        waited = self._clock.now() - order.created_at
        if waited < timedelta(0):
            return 2  # the clock was set back: nobody knows how long the order has waited
        return 2 if waited >= self._rules.unknown_tell else int(waited >= self._rules.unknown_log)

    def _louder(self, tx: Transaction, order: Order, level: int) -> None:
        current = tx.get(order.command_id)
        if current is not None and current.phase is order.phase and current.escalation < level:
            now = self._clock.now()
            tx.apply(advance(current, current.phase, at=now, actor=self._claimant, escalation=level))

    # what no open order explains ----------------------------------------------------------------------------

    def _explain(self, context: ClientContext, open_orders: Sequence[Order], book: Book) -> None:
        """Handle reports that no open order explains: late evidence about closed orders, and external orders."""
        ids = {o.broker_order_id for o in open_orders}
        tags = {o.client_order_id for o in open_orders}
        explained = self._explained.setdefault(context.client_id, {})
        unplaced = cache(
            lambda: self._store.unplaced(context.client_id)
        )  # read after the book, and where it matters
        for report in book.reports:
            if report.broker_order_id in ids or report.client_order_id in tags:
                continue
            if explained.get(report.broker_order_id) == report:
                continue
            if self._explain_report(context, report, book, unplaced):
                explained[report.broker_order_id] = report
        if book.complete and not book.unreadable:
            self._whole_book_at[context.client_id] = book.read_started_at
        if book.complete:  # a report that the day's book no longer has need not be remembered
            self._explained[context.client_id] = {id_: r for id_, r in explained.items() if id_ in book.by_id}

    def _explain_report(
        self,
        context: ClientContext,
        report: OrderReport,
        book: Book,
        unplaced: Callable[[], Sequence[Order]],
    ) -> bool:
        """Handle one report. Return False while the same report has to be examined again.

        That is so while:

        - its row moves, or the report is too young to be believed;
        - it may be one of the `unplaced` orders, and it is not known yet which of them.
        """
        row = None
        # By our tag first: an answer that is recorded between the two lookups is then found by the second.
        if report.client_order_id:
            row = self._store.get_by_client_order_id(context.client_id, report.client_order_id)
        row = row or self._store.get_by_broker_id(context.client_id, report.broker_order_id)
        if row is not None and (row.phase is Phase.BLOCKED or not is_about(row, report)):
            row = None  # the broker has given the number of our order to another one
        if row is not None and row.phase is Phase.REGISTERED:
            if is_own(row, report) and is_refusal(row, report):
                return True
            if is_own(row, report):  # the broker said that it turned the order away, and took it nevertheless
                self._store.write(partial(self._sent_before, command_id=row.command_id, report=report))
                return False
            row = None
        if row is None and self._owners.may_own(context, unplaced(), report):
            return False
        if row is None:
            self._store.write(lambda tx: self._external(tx, context, report))
            return True
        if row.may_be_live:
            return False
        if self._is_news(row, self._decide(context, row, book)):
            self._store.write(
                partial(self._late_evidence, context=context, command_id=row.command_id, book=book)
            )
            return False
        back = taken_back(row, report)
        if back is not None:
            return self._store.is_told(row.client_id, back.key)
        return row.status is Status.EXECUTED or report.status not in LIVE

    def _sent_before(self, tx: Transaction, command_id: str, report: OrderReport) -> None:
        order = tx.get(command_id)
        if order is not None and order.phase is Phase.REGISTERED:
            tx.apply(self._submitter.own_tags.follow(tx, order, report, self._clock.now()))

    def _late_evidence(self, tx: Transaction, context: ClientContext, command_id: str, book: Book) -> None:
        order = tx.get(command_id)
        if order is not None and not order.may_be_live:
            self._apply_verdict(tx, context, order, book)

    def _external(self, tx: Transaction, context: ClientContext, report: OrderReport) -> None:
        """Record an external order and notify of it once; it is never traded against.

        An order under a tag of ours that is dead and was not filled concerns nobody: it is recorded without a notice.
        """
        unseen_at = self._whole_book_at.get(context.client_id)
        is_new = tx.note_external(context.client_id, report, self._clock.now(), unseen_at=unseen_at)
        number, kind = report.broker_order_id, NoticeKind.EXTERNAL_ORDER
        what = f"{report.side} {report.quantity} {report.exchange}:{report.symbol}, {report.status}"
        if is_ours(report.client_order_id):
            kind, what = NoticeKind.UNREMEMBERED_ORDER, f"{what}, tag {report.client_order_id}"
        notice = Notice(kind, context.client_id, symbol=report.symbol, detail=f"{number}: {what}")
        if kind is NoticeKind.EXTERNAL_ORDER:
            if is_new:
                log.warning("client %s: broker order %s is not ours: %s", context.client_id, number, what)
                tx.notify(notice)
        elif not report.came_to_nothing:
            key = NoticeKey(NoticeSubject.UNREMEMBERED, (number, report.client_order_id or ""))
            if tx.notify_once(key, notice):
                log.warning("client %s: broker order %s carries our tag: %s", context.client_id, number, what)
