"""Reconcile our strategies' holdings with the broker's positions, and notify the operator where they differ."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from domain.broker_reports import PositionsSnapshot
from domain.enums import Side
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from domain.position_comparison import (
    LAGS_AT_MOST,
    READS_APART_AT_MOST,
    Difference,
    Judgement,
    Place,
    compared,
    gone,
    judge,
    settled_before,
)
from domain.times import has_elapsed

log = logging.getLogger(__name__)

_PATIENCE = timedelta(seconds=60)
"""How long a resting order of ours may explain a difference: its fill would have been recorded by then."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One amount that consecutive reads have shown: since when, when the last of them began, and how many."""

    amount: Decimal
    since: datetime
    read_at: datetime
    reads: int = 1


class _Ready(NamedTuple):
    """A difference that is to be notified."""

    difference: Difference
    since: datetime
    is_quiet: bool  # our last fill in the symbol is so old that the read shows all our fills


class PositionReconciler:
    """Compares each read of the positions with the holdings.

    A difference is notified when two consecutive reads showed it and nothing pending explains it:

    - once for each place and amount;
    - again when the amount changes;
    - once when it is gone.

    What was notified is kept in the store, so that neither a restart nor a second watcher repeats it. Only what the
    reads have shown so far is kept in memory.
    """

    def __init__(self, store: Store, *, clock: Clock, believed_after: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._believed_after = believed_after
        self._seen: dict[str, dict[Place, _Seen]] = {}
        self._shown: dict[str, dict[Place, _Seen]] = {}

    def resume(self, client_id: str, last_read_at: datetime) -> None:
        """Go on from what an earlier process has notified: its last read was then."""
        since = self._store.differences_since(client_id)
        told = self._store.told_differences(client_id)
        self._shown[client_id] = {
            d.where: _Seen(d.amount, since[d.where], last_read_at) for d in told if d.where in since
        }

    def standing(self, client_id: str) -> dict[Place, Decimal]:
        """Return the differences that each read has shown for long enough to be believed, by place.

        The store knows of gaps between reads: see `Store.differences_since`.
        """
        shown = self._shown.get(client_id, {})
        return {p: s.amount for p, s in shown.items() if s.read_at - s.since >= self._believed_after}

    def compare(self, client_id: str, snapshot: PositionsSnapshot, *, horizon: timedelta) -> None:
        """Compare one successful read. A read that failed is never passed in.

        Raises:
            StoreUnavailable: nothing was notified; the next read does it.
        """
        found = compared(snapshot, self._store.holdings(client_id))
        self._note_shown(client_id, found, snapshot)
        told = {d.where: d for d in self._store.told_differences(client_id)}
        news = self._news(told, snapshot, found)
        before, after = self._seen.get(client_id, {}), dict[Place, _Seen]()
        ready = []
        # Read after the holdings: what has changed those since shows as an open order or as the last fill.
        open_orders = self._store.may_be_live(client_id) if news else []
        for d in news:
            last_fill_at = self._store.last_fill_at(client_id, d.symbol)
            judgement = judge(
                d,
                open_orders=open_orders,
                last_fill_at=last_fill_at,
                settled_before=settled_before(snapshot, horizon),
            )
            if judgement is Judgement.NOT_YET:
                continue
            if not d.amount and self._may_be_of_before(client_id, told.get(d.where), snapshot):
                continue
            seen = after[d.where] = self._looked(before.get(d.where), d.amount, snapshot)
            patient = judgement is Judgement.SETTLED or seen.read_at - seen.since >= _PATIENCE
            if seen.reads > 1 and patient:
                # Soon after a fill of ours, a surplus at the broker may only mean that the read is older than the fill.
                is_quiet = last_fill_at is None or has_elapsed(
                    snapshot.counted_from(last_fill_at),
                    snapshot.read_started_at,
                    self._believed_after,
                )
                ready.append(_Ready(d, seen.since, is_quiet))
        self._seen[client_id] = after
        halves = _halves(ready, news, told=told, found=found, has_sold=lambda d: self._has_sold(client_id, d))
        ready = [
            each
            for each in ready
            if each.difference.where not in halves
            or snapshot.read_started_at - each.since >= self._believed_after
        ]
        if ready:
            self._store.write(lambda tx: self._tell(tx, client_id, ready))

    def _has_sold(self, client_id: str, told: Difference) -> bool:
        """Return True where an exit of ours in that product was filled after the units appeared: it may be theirs."""
        closing = Side.SELL if told.amount > 0 else Side.BUY
        closed_at = self._store.last_fill_at(client_id, told.symbol, closing, told.product)
        since = self._store.differences_since(client_id).get(told.where)
        return closed_at is not None and since is not None and closed_at >= since

    def _may_be_of_before(self, client_id: str, told: Difference | None, snapshot: PositionsSnapshot) -> bool:
        """Return True where a read that has what our records say may have it by chance: it is of before our last exit.

        That exit's fill would be as large as what was missing.
        """
        if told is None or told.amount * told.held >= 0:
            return False
        closing = Side.SELL if told.held > 0 else Side.BUY
        closed_at = self._store.last_fill_at(client_id, told.symbol, closing)
        if closed_at is None:
            return False
        since = snapshot.counted_from(closed_at)
        return not has_elapsed(since, snapshot.read_started_at, LAGS_AT_MOST)

    def _note_shown(
        self, client_id: str, found: Mapping[Place, Difference], snapshot: PositionsSnapshot
    ) -> None:
        before, after = self._shown.get(client_id, {}), dict[Place, _Seen]()
        for place, d in found.items():
            seen = before.get(place)
            if d.amount:
                after[place] = self._looked(seen, d.amount, snapshot)
        self._shown[client_id] = after

    @staticmethod
    def _news(
        told: Mapping[Place, Difference], snapshot: PositionsSnapshot, found: Mapping[Place, Difference]
    ) -> list[Difference]:
        """Return the differences that are not as they were last notified."""
        over = {place: d for place in told if place not in found and (d := gone(snapshot, place)) is not None}
        return [
            d for place, d in {**found, **over}.items() if (d != told[place] if place in told else d.is_kept)
        ]

    @staticmethod
    def _looked(seen: _Seen | None, amount: Decimal, snapshot: PositionsSnapshot) -> _Seen:
        read_at = snapshot.read_started_at
        if seen is None or seen.amount != amount or read_at - seen.read_at > READS_APART_AT_MOST:
            return _Seen(amount, read_at, read_at)  # what stood before a gap may have gone and come again
        return _Seen(
            amount,
            snapshot.counted_from(seen.since),
            read_at,
            seen.reads + int(read_at > seen.read_at),
        )

    def _tell(self, tx: Transaction, client_id: str, ready: Sequence[_Ready]) -> None:
        now = self._clock.now()
        for d, since, is_quiet in ready:
            if tx.held_at(client_id, d.where) != d.held:
                continue  # a fill or a person has changed the holding since: the next read shows what is left
            before = tx.told_difference(client_id, d.where)
            tx.keep_difference(client_id, d, since, now, believed=is_quiet)
            # Both sides may have moved by the same amount: the page shows the new figures, nothing is to be notified.
            # But an exit of units that were closed by hand has opened the other side: that is news by the same amount.
            is_nobodys = (
                before is not None and d.is_external and not before.is_external and bool(d.unexplained)
            )
            if d.unexplained != (before.unexplained if before else ZERO) or is_nobodys:
                notice = _notice(client_id, d, before)
                log.warning("client %s: %s: %s", client_id, d.symbol, notice.detail)
                tx.notify(notice)


def _halves(
    ready: Sequence[_Ready],
    news: Sequence[Difference],
    *,
    told: Mapping[Place, Difference],
    found: Mapping[Place, Difference],
    has_sold: Callable[[Difference], bool],
) -> set[Place]:
    """Return the places at which only one half of a conversion between products is certain, or has ended.

    - Units appeared, and others are missing in another product, which is not certain yet, or vice versa. Alone, they
      would pass for somebody else's, and no exit of the strategy that held them would find them.
    - Units that had appeared are gone by nothing that we recorded, and the others are still missing. A wild
      read would leave the strategy with the missing half alone.
    """
    certain = {each.difference.where for each in ready}

    def beside(d: Difference, others: Iterable[Difference], amount: Decimal) -> Iterable[Difference]:
        return (o for o in others if o.where[:2] == d.where[:2] and o.amount * amount < 0)

    def is_half(d: Difference) -> bool:
        if d.amount:
            return any(o.where not in certain for o in beside(d, news, d.amount))
        before = told.get(d.where)
        if before is None or before.held != d.held or has_sold(before):
            return False
        return any(o.amount * o.held < 0 for o in beside(d, found.values(), before.amount))

    return {each.difference.where for each in ready if is_half(each.difference)}


def _notice(client_id: str, d: Difference, before: Difference | None) -> Notice:
    where = f"{d.exchange} {d.product}"
    held, at_broker = decimal_text(d.held), decimal_text(d.at_broker)
    was, over = "", ""
    if before and before.unexplained:
        was = f" (before: {decimal_text(before.unexplained)})"
        over = f"; the difference of {decimal_text(before.unexplained)} is gone"
    if d.savings:
        at_broker += (
            f", of which {decimal_text(d.savings)} were delivered on earlier days and are no strategy's"
        )
    if not d.unexplained:
        kind = NoticeKind.POSITION_AGREES
        text = f"our strategies hold {held}, the broker has {at_broker}"
        if not d.amount:
            text = f"our strategies and the broker both have {held}"
        text = f"{where}: {text}{over}"
    elif d.is_external:
        kind = NoticeKind.EXTERNAL_POSITION
        text = f"{where}: the broker has {at_broker}, none of our strategies holds any"
    else:
        kind = NoticeKind.POSITION_DIFFERS
        text = f"{where}: our strategies hold {held}, the broker has {at_broker}: {d.unexplained:+f}{was}"
    return Notice(kind, client_id, symbol=d.symbol, detail=text)
