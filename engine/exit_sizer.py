"""Size an exit at its claim, and act on what stands in its way: the engine's side of `domain.exit_sizing`."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.broker_reports import PositionsSnapshot
from domain.contradicted_reads import agrees_by_chance, with_contradicted_read, without_contradicted_read
from domain.exit_chase import Chase, chase_of, sent_at_mark
from domain.exit_sizing import (
    OPERATOR,
    ExitDispute,
    ExitHold,
    ExitSize,
    HoldReason,
    in_the_way,
    size_exit,
    sliced,
)
from domain.limits import ExitScope
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import OrderChange
from domain.ports import Transaction
from domain.reason_codes import Reason
from domain.risk_facts import ExitFacts
from domain.times import is_within
from domain.transitions import claimed, held, stopped
from engine.client_context import ClientContext, EngineTimings
from engine.exit_follower import add_part, cancel_resting, hasten_resting, take_back

log = logging.getLogger(__name__)


class ExitSizer:
    """Decides at the claim what becomes of an exit. Remembers since when each exit has been disputed."""

    def __init__(self, *, claimant: str, rules: EngineTimings) -> None:
        self._claimant = claimant
        self._rules = rules
        self._disputed_since: dict[str, datetime] = {}

    def sized(
        self,
        tx: Transaction,
        context: ClientContext,
        order: Order,
        snapshot: PositionsSnapshot,
        now: datetime,
        *,
        kept: Mapping[str, str],
        largest: Decimal | None = None,
    ) -> OrderChange:
        """Claim the exit with its size, hold it, or end it because there is nothing that it may take.

        Args:
            kept: further columns that the claim writes.
            largest: the largest quantity that one order may have at the exchange; what is more is a further part.
        """
        actor = self._claimant
        hidden = snapshot.unreadable_at(order.exchange, order.symbol, order.requested_product)
        if hidden is not None:  # whatever the other rows show: a position that cannot be read is not flat
            return held(order, f"its position could not be read: {hidden.text}", at=now, actor=actor)
        facts, policy = tx.exit_facts(order, now), context.policy
        facts = take_back(tx, order, facts, policy=policy, now=now, actor=actor)
        may_wait = self._may_wait(order, facts, now)
        answer = size_exit(order, snapshot, facts, scope=scope_of(context, order), may_wait=may_wait)
        contradicted: dict[str, str] = {}
        if isinstance(answer, ExitDispute):
            if not answer.may_settle:
                contradicted = {"context_json": with_contradicted_read(order, snapshot, facts, now)}
            answer = self._disputed(
                tx, order, answer, now, waits_first=may_wait and bool(in_the_way(order, facts))
            )
        else:
            self._disputed_since.pop(order.command_id, None)  # another dispute has its whole time
        if answer == ExitHold(HoldReason.EXIT_UNDER_WAY) or isinstance(answer, ExitSize):
            hasten_resting(tx, order, facts, most=2 * self._rules.chase.most, now=now, actor=actor)
        if isinstance(answer, ExitSize) and not contradicted:
            closed_at = facts.last_fills.get(answer.side)
            if agrees_by_chance(order, closed_at, snapshot, now=now, lasts=2 * self._rules.exit_dispute):
                return held(order, HoldReason.DISPUTED.sentence, at=now, actor=actor)
        if isinstance(answer, ExitSize):
            answer = sliced(answer, largest)
            rest = answer.rest - _registered_slices(tx, order)
            if rest > 0:
                beside = Chase(slice_of=order.command_id)
                add_part(tx, order, rest, product=order.product, now=now, actor=actor, chase=beside)
            sized = {"side": answer.side, "quantity": answer.quantity, "product": answer.product, **kept}
            context_json = self._context_of(replace(order, side=answer.side), snapshot, kept)
            return claimed(order, at=now, claimant=actor, **sized | {"context_json": context_json})
        if isinstance(answer, ExitHold):
            if answer.reason is HoldReason.TAKING_BACK:
                cancel_resting(tx, order, facts, now=now, actor=actor)
            return held(order, answer.reason.sentence, at=now, actor=actor, **contradicted)
        if answer.contradicts:
            log.error("order %s: %s", order.command_id, answer.detail)
            place = (order, order.alert_id, order.symbol)
            tx.notify(Notice(NoticeKind.SYSTEM, order.client_id, *place, answer.detail))
        return stopped(order, Reason.NO_POSITION, answer.detail, at=now, actor=actor)

    def still_fits(
        self,
        tx: Transaction,
        context: ClientContext,
        order: Order,
        snapshot: PositionsSnapshot,
        now: datetime,
    ) -> bool:
        """Return True when the exit, as it was sized for its first send, would not reverse the position."""
        whole = replace(order, requested_quantity=None)
        facts = tx.exit_facts(order, now)
        size = size_exit(whole, snapshot, facts, scope=scope_of(context, order), may_wait=False)
        if not isinstance(size, ExitSize) or size.side is not order.side:
            return False
        return size.product == order.product and size.quantity >= order.quantity

    def _context_of(self, order: Order, snapshot: PositionsSnapshot, kept: Mapping[str, str]) -> str | None:
        """Return the order's context with the last price known at its first sending, if it is to be filled at once."""
        known = without_contradicted_read(kept.get("context_json", order.context_json))
        return sent_at_mark(
            order, snapshot.last_price(order.exchange, order.symbol), self._rules.chase, known
        )

    def _may_wait(self, order: Order, facts: ExitFacts, now: datetime) -> bool:
        """Return True while each cancel of a resting exit in its way may still be confirmed in time."""
        asked = [o.cancel_requested_at for o in in_the_way(order, facts) if o.cancel_requested_at is not None]
        return all(is_within(at, now, self._rules.exit_hold) for at in asked)

    def _disputed(
        self, tx: Transaction, order: Order, dispute: ExitDispute, now: datetime, *, waits_first: bool
    ) -> ExitSize | ExitHold:
        """Wait for a read that agrees with our fills; after that send the smaller of the two sizes.

        A person is notified, and asked to exit the rest. The wait is `exit_dispute`. It is twice as long where the
        cause of the difference will be known later, and no longer: fills of others in the symbol may never cease, and
        an outcome may stay unknown. While the smaller size is nothing, the exit stays on hold.

        Args:
            waits_first: resting exits are in its way, and are cancelled before anything is sent.
        """
        since = self._disputed_since.setdefault(order.command_id, now)
        waits = self._rules.exit_dispute * (2 if dispute.may_settle else 1)
        if dispute.smaller is None or is_within(since, now, waits):
            return ExitHold(HoldReason.DISPUTED)
        if waits_first:
            return ExitHold(HoldReason.TAKING_BACK)
        self._disputed_since.pop(order.command_id, None)
        ours, read = decimal_text(dispute.by_fills), decimal_text(dispute.by_read)
        text = (
            f"our own fills say {ours} to exit, the broker's positions {read}: "
            f"{decimal_text(dispute.smaller.quantity)} are sent. Look into the broker's own "
            "terminal; what is left there has to be exited by a person"
        )
        log.error("order %s: %s", order.command_id, text)
        tx.notify(Notice(NoticeKind.SYSTEM, order.client_id, order, order.alert_id, order.symbol, text))
        return dispute.smaller


def scope_of(context: ClientContext, order: Order) -> ExitScope:
    """Return what the exit closes. An operator's exit of what no strategy holds closes the position."""
    if order.strategy_name == OPERATOR:
        return ExitScope.POSITION
    return context.policy.strategy(order.strategy_name).exit_scope


def _registered_slices(tx: Transaction, order: Order) -> Decimal:
    """Return the units of slices that an earlier try of this order has registered, whatever became of them.

    That try may not have been sent, and its slices may have been: they are not registered a second time.
    """
    parts = tx.parts(order.parent_command_id or order.command_id)
    mine = (p for p in parts if chase_of(p).slice_of == order.command_id)
    return sum((p.requested_quantity or ZERO for p in mine), ZERO)
