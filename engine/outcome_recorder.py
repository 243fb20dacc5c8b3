"""Record what came of the calls that send orders."""

import logging
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from domain.broker_capabilities import IdClass
from domain.commands import OrderResult
from domain.errors import ConcurrentUpdate, NotSent, OutcomeUnknown, StoreUnavailable
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Clock, Store, Transaction
from domain.transitions import Outcome, answered
from engine.client_context import ClientContext, EngineTimings
from engine.exit_follower import keep_exits_true
from use_cases.leg_groups import after_leg_ended

log = logging.getLogger(__name__)


class OutcomeRecorder:
    """Writes outcomes, and keeps those that the database could not take. Safe to call from several threads."""

    def __init__(
        self,
        store: Store,
        contexts: Mapping[str, ClientContext],
        *,
        clock: Clock,
        claimant: str,
        rules: EngineTimings,
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._clock = clock
        self._claimant = claimant
        self._rules = rules
        self._lock = threading.Lock()
        self._unrecorded: dict[str, tuple[Order, Outcome, bool]] = {}
        self._recording = threading.Lock()

    def record(self, order: Order, outcome: Outcome, *, resend: bool) -> None:
        """Commit a call's outcome. Without the database it is kept in memory, and retried before anything else.

        Raises:
            StoreUnavailable: it is kept.
        """
        try:
            try:
                self._store.write(partial(self.apply_outcome, order=order, outcome=outcome, resend=resend))
            except ConcurrentUpdate:
                # Others moved the row while the call lasted: judge by the row as it is now.
                self._record_anew(order, outcome, resend=resend)
        except StoreUnavailable:
            self.keep(order, outcome, resend=resend)
            raise

    def keep(self, order: Order, outcome: Outcome, *, resend: bool) -> None:
        """Keep an outcome that the database could not take, for `record_again`."""
        with self._lock:
            self._unrecorded[order.command_id] = (order, outcome, resend)

    def _record_anew(self, claim: Order, outcome: Outcome, *, resend: bool) -> None:
        self._store.write(partial(self.apply_anew, claim=claim, outcome=outcome, resend=resend))

    def apply_anew(self, tx: Transaction, claim: Order, outcome: Outcome, *, resend: bool) -> None:
        """Record a call's outcome on the row as it is now. After a later claim, only an acknowledgement is recorded."""
        order = tx.get(claim.command_id)
        assert order is not None
        another = (order.sent_at, order.claimed_by) != (claim.sent_at, claim.claimed_by)
        # An acknowledgement holds for the order whenever it comes. All else holds only for the call it answers.
        if isinstance(outcome, OrderResult) or not another:
            self.apply_outcome(tx, order, outcome, resend=resend)

    def apply_outcome(self, tx: Transaction, order: Order, outcome: Outcome, *, resend: bool) -> None:
        """Record a call's outcome on the row that its claim wrote.

        Raises:
            ConcurrentUpdate: others have moved the row since then.
        """
        doubt = self._doubt(tx, order, outcome) if isinstance(outcome, OrderResult) else None
        if doubt is not None:
            log.error("order %s: %s", order.command_id, doubt)
            tx.notify(Notice(NoticeKind.SYSTEM, order.client_id, order, order.alert_id, order.symbol, doubt))
            outcome = OutcomeUnknown(doubt)  # the book shows which broker order it is
        # A row that was moved may belong to a client that another process serves.
        context = self._contexts.get(order.client_id)
        horizon = 0.0
        if context is not None:
            horizon = context.broker.traits.visibility_horizon
            echoes_nothing = context.broker.traits.id_class is IdClass.C0
            if echoes_nothing and isinstance(outcome, NotSent) and outcome.look_first:
                outcome = OutcomeUnknown(outcome.message)  # a book without tags cannot show it
        at, visible_after = self._clock.now(), timedelta(seconds=horizon)
        change = answered(
            order, outcome, resend=resend, visible_after=visible_after, at=at, actor=self._claimant
        )
        if change is not None:
            now, after = self._clock.now(), tx.apply(change)
            if context is not None:
                after_leg_ended(tx, context.policy, order, after, now=now, actor=self._claimant)
            keep_exits_true(tx, order, after, now=now, actor=self._claimant)

    def _doubt(self, tx: Transaction, order: Order, result: OrderResult) -> str | None:
        """Return why the acknowledged number cannot be believed to be this order's; None: it can."""
        number = result.broker_order_id
        if order.broker_order_id not in (None, number):
            return f"the broker acknowledged {number}; the row follows {order.broker_order_id}"
        owner = tx.get_by_broker_id(order.client_id, number)
        if owner is None or owner.command_id == order.command_id:
            return None
        if not self._rules.same_day(order, owner):
            return None  # some brokers begin their numbers anew each day
        return f"the broker answered with {number}, which is {owner.command_id}'s"

    def record_again(self) -> None:
        """Record the outcomes that the database could not take when they came; one thread at a time."""
        with self._recording:
            with self._lock:
                waiting = list(self._unrecorded.values())
            for claim, outcome, resend in waiting:
                self._record_anew(claim, outcome, resend=resend)
                with self._lock:
                    self._unrecorded.pop(claim.command_id, None)

    def is_kept(self, command_id: str) -> bool:
        """Return True while an outcome of the order waits for the database."""
        with self._lock:
            return command_id in self._unrecorded
