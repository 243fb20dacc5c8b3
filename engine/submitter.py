"""Claim orders, and send each once."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from blockers.pipeline import blocked_by
from domain.broker_reports import PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.entry_waits import Wait
from domain.enums import ExecutionType
from domain.errors import BrokerError, ConcurrentUpdate, NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.exit_sizing import HoldReason
from domain.order import Order
from domain.order_events import OrderChange, advance
from domain.ports import Clock, Store, Transaction
from domain.reason_codes import Reason
from domain.states import Phase, Status
from domain.times import has_elapsed, is_within
from domain.transitions import (
    Outcome,
    claimed,
    claimed_again,
    held,
    never_sent,
    stopped,
    unknown,
    waiting,
)
from engine.book_poll_schedule import BookPollSchedule
from engine.client_context import ClientContext, EngineTimings
from engine.entry_prices import EntryPrices
from engine.entry_readiness import EntryReadiness
from engine.exit_follower import take_back
from engine.exit_order import ExitOrder
from engine.exit_sizer import ExitSizer
from engine.outcome_recorder import OutcomeRecorder
from engine.position_cache import PositionCache
from engine.tag_lookup import TagLookup
from use_cases.leg_groups import judged_in_group, keep_group, let_go

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Call:
    """An order call under way in this process."""

    client_id: str
    began_at: datetime
    expired: bool = False  # the call outlived its deadline, and that was recorded


class Submitter:
    """Claims orders that may be sent, sends them, and commits each outcome. Safe to call from several threads."""

    def __init__(
        self,
        store: Store,
        gate: EntryReadiness,
        looks: BookPollSchedule,
        contexts: Mapping[str, ClientContext],
        *,
        clock: Clock,
        claimant: str,
        rules: EngineTimings,
    ) -> None:
        self._store = store
        self._gate = gate
        self._looks = looks
        self._clock = clock
        self._claimant = claimant
        self._rules = rules
        self._exit_reads = PositionCache(clock=clock)
        self.own_tags = TagLookup(clock=clock, claimant=claimant, rules=rules)
        self._lock = threading.Lock()
        self._picked: set[str] = set()
        self._calls: dict[str, _Call] = {}
        self.outcomes = OutcomeRecorder(store, contexts, clock=clock, claimant=claimant, rules=rules)
        self._order = ExitOrder(store, clock=clock)
        self._prices = EntryPrices(store, clock=clock)
        self._exits = ExitSizer(claimant=claimant, rules=rules)

    # claim and execute --------------------------------------------------------------------------------------

    def execute_next(self, context: ClientContext, *, exits_only: bool = False) -> bool:
        """Claim the client's most urgent order and send it; False when there is nothing to do now.

        Raises:
            StoreUnavailable: the database could not be read or written; nothing was sent that it does not know of.
        """
        order = self._pick(context.client_id, exits_only=exits_only)
        if order is None:
            return False
        self.execute_picked(context, order)
        return True

    def execute_picked(self, context: ClientContext, order: Order) -> None:
        """Claim and send an order that this thread has picked, and let go of it.

        Raises:
            StoreUnavailable: the database could not be read or written; nothing was sent that it does not know of.
        """
        try:
            may_end = order.is_over(self._clock.now()) and not order.look_first
            if self._gate.is_barred(context.client_id) and not may_end:
                self._hold(order, "the rows are those of another account than the settings name")
                return
            why = self.own_tags.look(context, order) if order.look_first else None
            if why is not None:  # however old the order is: it may be at the broker
                self._hold_unseen(order, why)
                return
            claimed = (
                self._claim_exit(context, order)
                if _is_sized_here(order)
                else self._claim_entry(context, order)
            )
            if claimed is not None:
                self.execute_command(context, claimed)
        except ConcurrentUpdate:
            pass  # another watcher was first
        finally:
            self.let_go_of([order])

    def pick_several(
        self, client_id: str, most: int, choose: Callable[[Sequence[Order]], list[Order]]
    ) -> list[Order]:
        """Pick those that `choose` takes of the entries that go next; none where entries wait or an exit goes first."""
        if not self._gate.is_open(client_id) or self._gate.is_barred(client_id):
            return []
        with self._lock:
            # Those that are being sent are claimed already.
            limit = most + len(self._picked - self._calls.keys())
            orders = self._store.claimable(client_id, self._clock.now(), limit=limit, exits_only=False)
            if any(order.execution_type is ExecutionType.EXIT for order in orders):
                return []  # also one that another thread has picked
            picked = choose([o for o in orders if o.command_id not in self._picked][:most])
            self._picked.update(order.command_id for order in picked)
            return picked

    def let_go_of(self, orders: Iterable[Order]) -> None:
        """Let others pick these orders; their calls, if any were made, are over and recorded."""
        with self._lock:
            for order in orders:
                self._picked.discard(order.command_id)

    def _pick(self, client_id: str, *, exits_only: bool) -> Order | None:
        """Return the first claimable order that no other thread of this process handles and that need not wait."""
        now, gated = self._clock.now(), not self._gate.is_open(client_id)
        with self._lock:
            orders = self._store.claimable(client_id, now, limit=len(self._picked) + 1, exits_only=exits_only)
            free = next((o for o in orders if o.command_id not in self._picked), None)
            if free is not None and gated and _waits(free, now):
                return None  # exits come first: only entries are left
            if free is not None:
                self._picked.add(free.command_id)
            return free

    def _claim_entry(self, context: ClientContext, order: Order) -> Order | None:
        """Claim an entry: CREATED → SENT_TO_BROKER, committed.

        Returns None when a rule stopped it, it has to wait, or its life is over. The row is not read again, because
        writing the change compares it with the row that was read.
        """

        if order.execution_type is ExecutionType.ENTRY:
            self._prices.refresh(context, order)

        def work(tx: Transaction) -> Order | None:
            now = self._clock.now()
            change = self._not_now(tx, context, order, now)
            if change is None:
                kept = self.own_tags.refusals(order)
                return tx.apply(claimed(order, at=now, claimant=self._claimant, **kept))
            after = tx.apply(change)
            if after.status is Status.FAILED:
                keep_group(tx, context.policy, after, now=now, actor=self._claimant)
            return None

        return self._store.write(work)

    def _claim_exit(self, context: ClientContext, order: Order) -> Order | None:
        """Claim an exit like an entry, with side and quantity from positions read after it was registered."""
        if order.is_over(self._clock.now()):
            # This ends the exit, whether or not the positions can be read.
            return self._claim_entry(context, order)
        waits = self._order.waits(context, order)
        if waits is not None:
            self._hold(order, waits)
            return None
        if self._waits_for_book(context, order):
            self._hold(order, HoldReason.BOOK_FIRST.sentence)
            return None
        try:
            snapshot = self._exit_reads.read(context, order)
        except ReadFailed as error:
            self._hold_unread(context, order, str(error))
            return None
        except Exception as error:  # a defect of the adapter: it says nothing about the position
            log.exception("order %s: the adapter failed to read positions", order.command_id)
            self._hold_unread(context, order, f"{type(error).__name__}: {error}")
            return None

        largest = context.largest(order.exchange, order.symbol)

        def work(tx: Transaction) -> Order | None:
            now = self._clock.now()
            change = self._not_now(tx, context, order, now)
            if change is None:
                kept = self.own_tags.refusals(order)
                change = self._exits.sized(tx, context, order, snapshot, now, kept=kept, largest=largest)
            after = tx.apply(change)
            return after if after.phase is Phase.SUBMITTING else None

        return self._store.write(work)

    def _waits_for_book(self, context: ClientContext, order: Order) -> bool:
        """Return True when the broker's order book must be read before this exit is sized.

        Where positions lag, the book is the first to show what others have just closed, such as the broker's own
        square-off. An exit waits for `exit_hold` at most: a book that cannot be read must not keep a position open.
        """
        lags = context.broker.traits.position_horizon > 0
        if not lags or self._looks.shows(context.client_id, order.created_at):
            return False
        self._looks.ask(context.client_id, urgent=True)
        return is_within(order.created_at, self._clock.now(), self._rules.exit_hold)

    def _hold(self, order: Order, reason: str) -> None:
        now = self._clock.now()
        self._store.write(lambda tx: tx.apply(held(order, reason, at=now, actor=self._claimant)))

    def _hold_unseen(self, order: Order, why: str) -> None:
        """Hold an order that was turned away while the book cannot be read for it.

        An entry whose life is over is of unknown outcome then: it is escalated, matched by its tag, and a person can
        resolve it. Exits are escalated as they are, and go as soon as the book can be read.
        """
        now = self._clock.now()
        if order.execution_type is ExecutionType.EXIT or not order.is_over(now):
            self._hold(order, why)
            return

        def work(tx: Transaction) -> None:
            row = tx.apply(claimed(order, at=now, claimant=self._claimant))
            # No call is made now: what the broker has under its tag was placed after the call that was turned away.
            row = tx.apply(unknown(row, why, at=now, actor=self._claimant))
            tx.apply(advance(row, Phase.UNKNOWN, at=now, actor=self._claimant, sent_at=order.sent_at))

        self._store.write(work)

    def _hold_unread(self, context: ClientContext, order: Order, error: str) -> None:
        """Hold an exit whose position could not be read. Its strategy's resting entries are cancelled all the same."""
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            facts, policy = tx.exit_facts(order, now), context.policy
            take_back(tx, order, facts, policy=policy, now=now, actor=self._claimant)
            tx.apply(held(order, f"positions could not be read: {error}", at=now, actor=self._claimant))

        self._store.write(work)

    def _not_now(
        self, tx: Transaction, context: ClientContext, order: Order, now: datetime
    ) -> OrderChange | None:
        """Return the change of an order that may not be sent now; None: it may be sent."""
        actor = self._claimant
        sent_before = self.own_tags.sent_before(tx, order)
        # The cancel was requested while the order still had to be looked up in the book.
        if sent_before is None and order.cancel_requested_at is not None:
            return never_sent(order, Reason.CANCELLED_BEFORE_SENT, at=now, actor=actor)
        if sent_before is None and order.is_over(now):
            if order.waits_for is None:
                return never_sent(order, Reason.ALERT_TOO_OLD, at=now, actor=actor)
            reason = order.waits_for.reason
            return stopped(order, reason, "", at=now, actor=actor)
        self._gate.accounts.require(tx, context, order)
        if sent_before is not None:
            return self.own_tags.follow(tx, order, sent_before, now)
        answer = judged_in_group(tx, context.policy, order, now)
        # Legs that were not tried yet are blocked as soon as another one fails; this one may have been on its way.
        if answer is None and (order.waits_for is not None or order.not_before is not None):
            answer = let_go(tx, context.policy, order, now)
        if isinstance(answer, Wait):
            return waiting(order, answer, at=now, actor=actor)
        if answer is None:
            return None
        return stopped(order, answer.reason, answer.detail, at=now, actor=actor)

    def send_again(self, context: ClientContext, order: Order) -> None:
        """Send an order of unknown outcome once more under the same id; the broker's id class must allow it."""
        snapshot = None
        if _is_sized_here(order):
            try:
                snapshot = self._exit_reads.read(context, order)
            except ReadFailed as error:
                log.warning(
                    "order %s: not sent again, for its position is not known: %s", order.command_id, error
                )
                return
            except Exception:  # a defect of the adapter: it says nothing about the position
                log.exception(
                    "order %s: not sent again: the adapter failed to read positions", order.command_id
                )
                return
        if snapshot is not None and not snapshot.is_readable(order.exchange, order.symbol, order.product):
            log.warning("order %s: not sent again, for its position could not be read", order.command_id)
            return
        claimed = self._store.write(lambda tx: self._claim_again(tx, context, order, snapshot))
        if claimed is not None:
            self.execute_command(context, claimed, resend=True)

    def _claim_again(
        self, tx: Transaction, context: ClientContext, order: Order, snapshot: PositionsSnapshot | None
    ) -> Order | None:
        now, current = self._clock.now(), tx.get(order.command_id)
        if (
            current is None
            or current.event_hash != order.event_hash
            or blocked_by(tx, current, context.policy, now)
        ):
            return None
        if snapshot is not None and not self._exits.still_fits(tx, context, current, snapshot, now):
            return None
        return tx.apply(claimed_again(current, at=now, claimant=self._claimant))

    # the one path to any broker; a batch goes by `send_together` ----------------------------------------------

    def execute_command(self, context: ClientContext, order: Order, *, resend: bool = False) -> None:
        """Send a claimed order and record the outcome. Only this and `send_together` ask a broker for an order.

        The claim is committed before this is called. A claim is never trusted to have led to a call.
        """
        self.begin_calls([order])
        outcome = self.send(context, order)
        try:
            self.outcomes.record(order, outcome, resend=resend)
        finally:
            self.end_calls([order])

    def begin_calls(self, orders: Iterable[Order]) -> None:
        """Note that these claimed orders are being sent: for each, `send` and then the record of its outcome follow."""
        began = self._clock.now()
        with self._lock:
            self._calls |= {order.command_id: _Call(order.client_id, began) for order in orders}

    def end_calls(self, orders: Iterable[Order]) -> None:
        """Note that the outcomes of these calls are recorded, or kept to be."""
        with self._lock:
            for order in orders:
                self._calls.pop(order.command_id, None)

    def send(self, context: ClientContext, order: Order) -> Outcome:
        """Make the call of an order whose claim is committed, unless that was too long ago; return its outcome."""
        assert order.sent_at is not None
        if has_elapsed(order.sent_at, self._clock.now(), self._rules.submit_window):
            # This process was suspended. Others may judge the order absent by now: it must not be sent any more.
            return NotSent("the claim got no further within its window")
        command = UniversalOrderCommand.of(order)
        try:
            return context.broker.place(command)
        except (NotSent, Refused, OutcomeUnknown) as outcome:
            return outcome
        except Exception as error:  # a defect of the adapter says nothing about the order: it may be live
            log.exception("order %s: the adapter failed", order.command_id)
            return OutcomeUnknown(f"{type(error).__name__}: {error}")

    def send_together(
        self, context: ClientContext, groups: Sequence[Sequence[Order]]
    ) -> list[tuple[Order, Outcome]]:
        """Do for many orders what `send` does for one. A group ends with its first refusal; the rest is not sent."""
        orders = [order for group in groups for order in group]
        now, window = self._clock.now(), self._rules.submit_window
        if any(order.sent_at is None or has_elapsed(order.sent_at, now, window) for order in orders):
            return [(order, NotSent("the claim got no further within its window")) for order in orders]
        assert context.batches is not None
        commands = [[UniversalOrderCommand.of(order) for order in group] for group in groups]
        try:
            answers = [each for group in context.batches.place_together(commands) for each in group]
            return [(order, as_outcome(each)) for order, each in zip(orders, answers, strict=True)]
        except Exception as error:  # a defect of the adapter says nothing about the orders: they may be live
            log.exception("client %s: the adapter failed to place %d orders", context.client_id, len(orders))
            return [(order, OutcomeUnknown(f"{type(error).__name__}: {error}")) for order in orders]

    def expire_overdue(self, client_id: str) -> int:
        """Record the outcome of calls that outlived their deadline as unknown; a late answer is still used."""
        now = self._clock.now()
        with self._lock:
            late = [
                command_id
                for command_id, call in self._calls.items()
                if call.client_id == client_id
                and not call.expired
                and has_elapsed(call.began_at, now, self._rules.broker_deadline)
            ]
        for command_id in late:
            why = "no answer within the deadline"
            self._store.write(partial(self._mark_unknown, command_id=command_id, why=why))
            with self._lock:
                call = self._calls.get(command_id)
                if call is not None:
                    call.expired = True
        return len(late)

    def _mark_unknown(self, tx: Transaction, command_id: str, why: str) -> bool:
        order = tx.get(command_id)
        if order is None or order.phase is not Phase.SUBMITTING:
            return False
        tx.apply(unknown(order, why, at=self._clock.now(), actor=self._claimant))
        return True

    # claims without a recorded outcome ----------------------------------------------------------------------

    def settle_claim(self, order: Order) -> Order:
        """Mark a claim whose caller is gone as unknown: the call may or may not have been made. Return the row."""
        if order.phase is not Phase.SUBMITTING or self._is_calling(order):
            return order

        def work(tx: Transaction) -> Order:
            self._mark_unknown(
                tx, order.command_id, "the watcher that sent it ended before it recorded an answer"
            )
            return tx.get(order.command_id) or order

        return self._store.write(work)

    def _is_calling(self, order: Order) -> bool:
        assert order.sent_at is not None and order.claimed_by is not None
        if order.claimed_by == self._claimant:
            # A kept outcome is kept before its call counts as over: asked in this sequence, one of them answers.
            with self._lock:
                busy = order.command_id in self._calls or order.command_id in self._picked
            return busy or self.outcomes.is_kept(order.command_id)
        if not self._store.claimant_alive(order.claimed_by):
            return False
        return is_within(order.sent_at, self._clock.now(), self._rules.sending_ends)


def as_outcome(answer: OrderResult | BrokerError) -> Outcome:
    """Return the answer, where it is one that an order call can have; of anything else the outcome is unknown."""
    if isinstance(answer, OrderResult | NotSent | Refused | OutcomeUnknown):
        return answer
    return OutcomeUnknown(f"{type(answer).__name__}: {answer}")


def _waits(order: Order, now: datetime) -> bool:
    """True for an entry whose life is not over. One whose life is over is claimed so that it ends; nothing is sent."""
    return order.execution_type is not ExecutionType.EXIT and not order.is_over(now)


def _is_sized_here(order: Order) -> bool:
    """Exits take their size from the position, except in test mode, which touches no broker."""
    return order.execution_type is ExecutionType.EXIT and order.test_mode is None
