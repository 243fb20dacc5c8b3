"""Watch groups of legs: complete, or unwound as their policy says.

What a round finds is judged again in the transaction that writes it, by what is true there. So two watchers may look at
the same group: one of them writes, the other one finds it moved on.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from domain.combined_step import decide_combined
from domain.group_messages import waiting_key
from domain.group_profit import Marks, profit_of
from domain.leg_groups import Decision, GroupState, LegGroup, decide, moved_on
from domain.limits import WhenIncomplete
from domain.order import Order
from domain.ports import Clock, Store, Transaction
from domain.risk_facts import Holding
from engine.client_context import ClientContext
from use_cases.unwind_groups import carry_out, legs_seen

log = logging.getLogger(__name__)

Place = tuple[str, str]
"""Exchange and symbol."""
ReadMarks = Callable[[set[Place]], Marks]
"""Reads the last prices of symbols; one without a price is left out."""


class GroupWatcher:
    """Looks after the clients' groups. Safe to call from several threads and processes."""

    def __init__(self, store: Store, *, clock: Clock, claimant: str) -> None:
        self._store = store
        self._clock = clock
        self._claimant = claimant

    def watch(self, context: ClientContext, read_marks: ReadMarks = lambda places: {}) -> int | None:
        """Do one round for the client; returns how many groups and orders moved, None where no group is watched.

        Args:
            read_marks: reads last prices; asked where a group is protected as a whole.
        """
        store, client_id = self._store, context.client_id
        found = store.open_groups(client_id)
        if not found:
            return None
        places = self._places(found)
        marks = read_marks(places) if places else {}
        holdings, now = store.holdings(client_id), self._clock.now()
        reads = _Reads(store.get_by_id, store.parts, store.halted_because, store.exits_after)
        moving = {
            group.group_id for group in found if self._is_due(_decision(group, reads, holdings, marks, now))
        }
        if not moving:
            return 0
        return store.write(lambda tx: self._write(tx, context, moving, marks))

    def _places(self, groups: Sequence[LegGroup]) -> set[Place]:
        """Exchange and symbol of what is filled of groups that are protected as a whole."""
        legs = (self._store.get_by_id(id_) for group in groups if group.is_combined for id_ in group.legs)
        return {(leg.exchange, leg.symbol) for leg in legs if leg is not None and leg.filled_quantity}

    def _is_due(self, decision: Decision) -> bool:
        if decision.changes:
            return True
        key = waiting_key(decision.after)
        return bool(decision.waits_for) and not self._store.is_told(decision.after.client_id, key)

    def _write(self, tx: Transaction, context: ClientContext, moving: set[str], marks: Marks) -> int:
        now, moved = self._clock.now(), 0
        for group in tx.open_groups(context.client_id):
            if group.group_id in moving:
                done = tx.attempt(lambda group=group: self._step(tx, context, group, marks, now))  # type: ignore[misc]
                if isinstance(done, Exception):  # one group's error keeps no other one from being unwound
                    log.error("group %s: %s", group.group_id, done, exc_info=done)
                else:
                    moved += done
        return moved

    def _step(
        self, tx: Transaction, context: ClientContext, group: LegGroup, marks: Marks, now: datetime
    ) -> int:
        legs = [order for id_ in group.legs if (order := tx.get(id_)) is not None]
        places = sorted({(leg.strategy_name, leg.exchange, leg.symbol) for leg in legs})
        holdings = [h for place in places for h in tx.holding(group.client_id, *place)]
        reads = _Reads(tx.get, tx.parts, tx.halted_because, tx.exits_after)
        decision = _decision(group, reads, holdings, marks, now)
        if not (decision.changes or decision.waits_for):
            return 0
        if decision.after.state is not group.state:
            log.info("group %s: %s, %s", group.group_id, decision.after.state, decision.after.why)
        return 1 + carry_out(tx, decision, context.policy, now=now, actor=self._claimant)


class _Reads(NamedTuple):
    """How rows are found: in the transaction, or as they were last committed."""

    get: Callable[[str], Order | None]
    parts: Callable[[str], list[Order]]
    halted_because: Callable[[str, str], str | None]
    exits_after: Callable[[Order], list[Order]]


def _decision(
    group: LegGroup, reads: _Reads, holdings: Sequence[Holding], marks: Marks, now: datetime
) -> Decision:
    legs = legs_seen(group, reads.get, reads.parts, holdings)
    if legs is None:
        why = "its orders are in the archive"
        over = None if group.combined is None else replace(group.combined, is_over=True)
        left = moved_on(group, now)
        return Decision(group, replace(left, state=GroupState.LEFT_TO_PERSON, why=why, combined=over), ())
    halt = None
    if group.state is not GroupState.UNWINDING and group.when_incomplete is WhenIncomplete.UNWIND:
        halt = reads.halted_because(group.client_id, group.strategy_name)
    if not group.is_combined:
        return decide(group, legs, now, halt=halt)
    profit = profit_of(legs, reads.exits_after, marks, now)
    return decide_combined(group, legs, profit, now, halt=halt)
