"""Watch groups of legs: complete, or unwound as their policy says.

What a round finds is judged again in the transaction that writes it, by what is true there. So two watchers may look at
the same group: one of them writes, the other one finds it moved on.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from domain.group_messages import waiting_key
from domain.leg_groups import Decision, GroupState, LegGroup, decide
from domain.limits import WhenIncomplete
from domain.order import Order
from domain.ports import Clock, Store, Transaction
from domain.risk_facts import Holding
from engine.client_context import ClientContext
from use_cases.unwind_groups import carry_out, legs_seen

log = logging.getLogger(__name__)


class GroupWatcher:
    """Looks after the clients' groups. Safe to call from several threads and processes."""

    def __init__(self, store: Store, *, clock: Clock, claimant: str) -> None:
        self._store = store
        self._clock = clock
        self._claimant = claimant

    def watch(self, context: ClientContext) -> int | None:
        """Do one round for the client; returns how many groups and orders moved, None where no group is open."""
        store, client_id = self._store, context.client_id
        found = store.open_groups(client_id)
        if not found:
            return None
        holdings, now = store.holdings(client_id), self._clock.now()
        moving = {
            group.group_id
            for group in found
            if self._is_due(
                _decision(group, store.get_by_id, store.parts, holdings, store.halted_because, now)
            )
        }
        if not moving:
            return 0
        return store.write(lambda tx: self._write(tx, context, moving))

    def _is_due(self, decision: Decision) -> bool:
        if decision.changes:
            return True
        key = waiting_key(decision.after)
        return bool(decision.waits_for) and not self._store.is_told(decision.after.client_id, key)

    def _write(self, tx: Transaction, context: ClientContext, moving: set[str]) -> int:
        now, moved = self._clock.now(), 0
        for group in tx.open_groups(context.client_id):
            if group.group_id in moving:
                done = tx.attempt(lambda group=group: self._step(tx, context, group, now))  # type: ignore[misc]
                if isinstance(done, Exception):  # one group's error keeps no other one from being unwound
                    log.error("group %s: %s", group.group_id, done, exc_info=done)
                else:
                    moved += done
        return moved

    def _step(self, tx: Transaction, context: ClientContext, group: LegGroup, now: datetime) -> int:
        legs = [order for id_ in group.legs if (order := tx.get(id_)) is not None]
        places = sorted({(leg.strategy_name, leg.exchange, leg.symbol) for leg in legs})
        holdings = [h for place in places for h in tx.holding(group.client_id, *place)]
        decision = _decision(group, tx.get, tx.parts, holdings, tx.halted_because, now)
        if not (decision.changes or decision.waits_for):
            return 0
        if decision.after.state is not group.state:
            log.info("group %s: %s, %s", group.group_id, decision.after.state, decision.after.why)
        return 1 + carry_out(tx, decision, context.policy, now=now, actor=self._claimant)


def _decision(
    group: LegGroup,
    get: Callable[[str], Order | None],
    parts: Callable[[str], list[Order]],
    holdings: Sequence[Holding],
    halted_because: Callable[[str, str], str | None],
    now: datetime,
) -> Decision:
    legs = legs_seen(group, get, parts, holdings)
    if legs is None:
        why = "its orders are in the archive"
        gone = replace(
            group, state=GroupState.LEFT_TO_PERSON, why=why, updated_at=now, version=group.version + 1
        )
        return Decision(group, gone, ())
    halt = None
    if group.state is not GroupState.UNWINDING and group.when_incomplete is WhenIncomplete.UNWIND:
        halt = halted_because(group.client_id, group.strategy_name)
    return decide(group, legs, now, halt=halt)
