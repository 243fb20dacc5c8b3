"""Claim several entries in one transaction, and record the outcomes of their calls together with the next claims.

This is for brokers whose traits allow it (`BrokerTraits.claims_together`): a process that dies in a batch leaves all of
its orders unknown. Each order's claim is committed before its call, as everywhere.

Only plain entries are claimed so. Anything unusual goes alone, by the code that claims a single order: exits, an entry
that waited or was sent before, one in test mode, one with a price collar, one that a rule stops. While an exit may be
sent, no batch is claimed.
"""

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from blockers.pipeline import judge, question
from domain.commands import OrderResult
from domain.enums import ExecutionType
from domain.errors import ConcurrentUpdate, NotSent, StoreUnavailable
from domain.group_asked import handling_of
from domain.order import Order
from domain.order_events import OrderChange
from domain.ports import Clock, FactsQuestion, Store, Transaction
from domain.times import has_elapsed
from domain.transitions import Outcome, claimed, placed
from engine.client_context import ClientContext
from engine.entry_readiness import EntryReadiness
from engine.submitter import Submitter

T = TypeVar("T")

log = logging.getLogger(__name__)

_BATCHES = 8  # of one round of work; after that the thread gives a sign of life
_PATIENCE = timedelta(seconds=1)
"""How long other threads leave a client to the one that claims batches. One that hangs holds nobody up for longer."""


class _Answered(NamedTuple):
    """A claimed order whose call is over, and what came of it. `change`: what an acknowledgement changes."""

    order: Order
    outcome: Outcome
    change: OrderChange | None


class _Plan(NamedTuple):
    """The claim of a plain entry, ready to be judged and written."""

    change: OrderChange
    asked: FactsQuestion


class BatchSubmitter:
    """Claims batches and sends them. Safe to call from several threads, of which one works for a client at a time."""

    def __init__(
        self, store: Store, submitter: Submitter, gate: EntryReadiness, *, clock: Clock, claimant: str
    ) -> None:
        self._store = store
        self._submitter = submitter
        self._gate = gate
        self._clock = clock
        self._claimant = claimant
        self._lock = threading.Lock()
        self._busy_since: dict[str, datetime] = {}

    def execute_next(self, context: ClientContext) -> bool:
        """Claim and send what is most urgent, plain entries in batches, anything else as `Submitter.execute_next`.

        Returns False when there is nothing to do now, or another thread does it.

        Raises:
            StoreUnavailable: the database could not be read or written; nothing was sent that it does not know of.
        """
        client_id, now = context.client_id, self._clock.now()
        with self._lock:
            since = self._busy_since.get(client_id)
            if since is not None and not has_elapsed(since, now, _PATIENCE):
                return False
            self._busy_since[client_id] = now
        try:
            return self._work(context) or self._submitter.execute_next(context)
        finally:
            with self._lock:
                if self._busy_since.get(client_id) == now:
                    del self._busy_since[client_id]

    def is_busy(self, client_id: str) -> bool:
        """Return True while a thread claims the client's entries: it goes on until there is nothing to do."""
        with self._lock:
            since = self._busy_since.get(client_id)
        return since is not None and not has_elapsed(since, self._clock.now(), _PATIENCE)

    def _work(self, context: ClientContext) -> bool:
        """Send batch after batch. Outcomes are recorded with the next claims, or at once where none are there."""
        answered: list[_Answered] = []
        did = False
        try:
            for _ in range(_BATCHES):
                picked = self._pick(context)
                if not picked:
                    break
                before, answered = answered, []
                claims = self._record_and_claim(context, before, picked)
                if claims is None:
                    break
                answered = self._send(context, picked, claims)
                did = True
        finally:
            self._record(answered)
        return did

    def _pick(self, context: ClientContext) -> list[Order]:
        most, now = context.broker.traits.claims_together, self._clock.now()
        return self._submitter.pick_several(context.client_id, most, partial(_plain_entries, now=now))

    # one transaction ----------------------------------------------------------------------------------------

    def _record_and_claim(
        self, context: ClientContext, answered: Sequence[_Answered], picked: Sequence[Order]
    ) -> list[Order] | None:
        """Record these outcomes and claim the entries that may go, in one transaction.

        Returns the rows that were claimed; None: an exit may be sent, and goes first.
        """
        now = self._clock.now()
        plans = [
            _Plan(claimed(order, at=now, claimant=self._claimant), question(order, context.policy, now))
            for order in picked
        ]

        def work(tx: Transaction) -> list[Order] | None:
            self._apply_outcomes(tx, answered)  # first, because the rules judge by them
            claims = tx.attempt(lambda: self._claims(tx, context, plans))
            if isinstance(claims, Exception):
                return []  # one of them is to blame: the first goes alone, the others are picked again
            return claims

        claims = None
        try:
            claims = self._committed(work, answered)
        finally:
            if claims is None:
                self._submitter.let_go_of(picked)
        if claims is not None:
            self._submitter.begin_calls(claims)
        return claims

    def _claims(self, tx: Transaction, context: ClientContext, plans: Sequence[_Plan]) -> list[Order] | None:
        """Claim the entries up to the first that does not pass without a wait, by facts that are read here."""
        now, client_id = self._clock.now(), context.client_id
        if tx.has_work(client_id, now, exits_only=True):
            return None
        orders = [plan.change.after for plan in plans]
        self._gate.accounts.require(tx, context, orders[0])
        shown = self._submitter.own_tags.shown_among(tx, client_id, orders)
        facts = tx.facts_of_all([plan.asked for plan in plans])
        changes = []
        for (change, _), known in zip(plans, facts, strict=True):
            order = change.before
            assert order is not None
            if order.client_order_id in shown or order.is_over(now):
                break
            if known.limits.price_collar_percent is not None:
                break  # its last price is read before its claim, as for any entry that goes alone
            if judge(order, context.policy, known) is not None:
                break  # what becomes of it decides about others: the legs behind it, and whoever its rule counts for
            changes.append(change)
        tx.apply_all(changes)
        return [change.after for change in changes]

    def _committed(self, work: Callable[[Transaction], T], answered: Sequence[_Answered]) -> T:
        """Commit work that records these outcomes. Without the database they are kept in memory."""
        orders = [each.order for each in answered]
        try:
            return self._store.write(work)
        except StoreUnavailable:
            for each in answered:
                self._submitter.outcomes.keep(each.order, each.outcome, resend=False)
            raise
        finally:
            self._submitter.end_calls(orders)
            self._submitter.let_go_of(orders)

    # sending ------------------------------------------------------------------------------------------------

    def _send(
        self, context: ClientContext, picked: Sequence[Order], claims: Sequence[Order]
    ) -> list[_Answered]:
        """Send what was claimed, then the one behind it alone; return the outcomes that are not recorded yet."""
        alone, others = picked[len(claims) : len(claims) + 1], picked[len(claims) + 1 :]
        self._submitter.let_go_of(others)
        try:
            answered = self._call(context, claims) if claims else []
            if alone:
                self._record(answered)
                answered = []
            for order in alone:
                self._submitter.execute_picked(context, order)
            return answered
        except BaseException:
            self._submitter.end_calls(claims)
            self._submitter.let_go_of(picked[: len(claims) + 1])
            raise

    def _call(self, context: ClientContext, claims: Sequence[Order]) -> list[_Answered]:
        groups = defaultdict[str, list[Order]](list)  # a leg that is refused stops those behind it
        for order in claims:
            is_grouped = handling_of(context.policy, order).is_grouped
            groups[order.alert_id if is_grouped else order.command_id].append(order)
        answered = []
        for order, outcome in self._submitter.send_together(context, list(groups.values())):
            change = None
            if isinstance(outcome, OrderResult) and order.broker_order_id is None:
                change = placed(order, outcome, at=self._clock.now(), actor=self._claimant)
            answered.append(_Answered(order, outcome, change))
        return answered

    # outcomes -----------------------------------------------------------------------------------------------

    def _record(self, answered: Sequence[_Answered]) -> None:
        if answered:
            self._committed(partial(self._apply_outcomes, answered=answered), answered)

    def _apply_outcomes(self, tx: Transaction, answered: Sequence[_Answered]) -> None:
        """Record acknowledgements of which nothing else follows together, and any other outcome by itself."""
        plain = self._plain_answers(tx, [each for each in answered if each.change is not None])
        written = tx.attempt(lambda: tx.apply_all(list(plain.values())))
        if isinstance(written, Exception):  # one of them is to blame: each by itself
            plain = {}
        others = [each for each in answered if each.order.command_id not in plain]
        # What was not sent may be sent no more when the leg that was refused is recorded.
        for each in sorted(others, key=lambda each: not isinstance(each.outcome, NotSent)):
            self._apply_alone(tx, each.order, each.outcome)

    @staticmethod
    def _plain_answers(tx: Transaction, answered: Sequence[_Answered]) -> dict[str, OrderChange]:
        """Those whose number no other row has, and after which no exit of their strategy was registered."""
        if not answered:
            return {}
        numbers = Counter(
            each.outcome.broker_order_id for each in answered if isinstance(each.outcome, OrderResult)
        )
        taken = tx.sightings(answered[0].order.client_id, numbers).claimed
        taken |= {number for number, count in numbers.items() if count > 1}
        followed = tx.with_full_exit([each.order for each in answered])
        return {
            each.order.command_id: each.change
            for each in answered
            if each.change is not None
            and each.change.after.broker_order_id not in taken
            and each.order.command_id not in followed
        }

    def _apply_alone(self, tx: Transaction, order: Order, outcome: Outcome) -> None:
        def work() -> None:
            self._submitter.outcomes.apply_outcome(tx, order, outcome, resend=False)

        def anew() -> None:
            self._submitter.outcomes.apply_anew(tx, order, outcome, resend=False)

        error = tx.attempt(work)
        if isinstance(error, ConcurrentUpdate):  # others moved the row while the call lasted
            error = tx.attempt(anew)
        if isinstance(error, StoreUnavailable):
            log.error("order %s: its outcome is recorded later", order.command_id, exc_info=error)
            self._submitter.outcomes.keep(order, outcome, resend=False)
        elif isinstance(error, Exception):
            # A defect: kept, it would stand before all work. The order becomes unknown, and the book shows it.
            log.error("order %s: its outcome cannot be recorded", order.command_id, exc_info=error)


def _plain_entries(orders: Sequence[Order], *, now: datetime) -> list[Order]:
    """The entries that come before anything else, each in a symbol of its own: none has an influence on another."""
    chosen = dict[str, Order]()
    for order in orders:
        if order.symbol in chosen or not _is_plain(order, now):
            break
        chosen[order.symbol] = order
    return list(chosen.values())


def _is_plain(order: Order, now: datetime) -> bool:
    """True for an entry that was never tried, and that nobody has asked to cancel."""
    is_first_try = order.sent_at is None and order.not_before is None and order.waits_for is None
    is_entry = order.execution_type is ExecutionType.ENTRY and order.test_mode is None
    return is_entry and is_first_try and order.cancel_requested_at is None and not order.is_over(now)
