"""Watch protections: read last prices, follow fills and holdings, and ask for the exits that are due.

What a round finds is judged again in the transaction that writes it, by what is true there. So two watchers may look at
the same protection: one of them writes, the other one finds it moved on.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.broker_reports import Position
from domain.enums import Side
from domain.errors import ReadFailed
from domain.marks import Mark
from domain.money import ZERO
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Clock, Store, Transaction
from domain.protection import Covered, ExitSeen, Protection, Step, allotted
from domain.protection_exits import exit_seen, followed_exits
from domain.protection_step import step
from domain.risk_facts import Holding
from domain.states import Status
from engine.client_context import ClientContext
from use_cases.protect import carry_out

log = logging.getLogger(__name__)

Place = tuple[str, str]
"""Exchange and symbol."""
_Held = tuple[str, str, str, str]
"""Strategy, exchange, symbol, product."""
_OVER = (Status.EXECUTED, Status.FAILED)


class ProtectionWatcher:
    """Looks after the clients' protections. Safe to call from several threads and processes."""

    def __init__(self, store: Store, *, clock: Clock, claimant: str) -> None:
        self._store = store
        self._clock = clock
        self._claimant = claimant
        self._failed: dict[
            str, set[str]
        ] = {}  # by client: those of which the last round could not tell the next step

    def watch(self, context: ClientContext, *, may_look: bool = True) -> int | None:
        """Do one round for the client; returns how many protections moved, None where nothing is to be watched.

        Args:
            may_look: False while it is not certain whose account it is: its prices say nothing then.
        """
        client_id = context.client_id
        found = self._store.open_protections(client_id)
        if not found:
            return None
        places = {(p.exchange, p.symbol) for p in found if p.filled or p.quantity}
        marks = self.marks_of(context, places, may_look=may_look)
        holdings = self._store.holdings(client_id)
        entries = self._store.get_all([p.command_id for p in found])
        orders = _Orders(lambda id_: entries.get(id_) or self._store.get_by_id(id_), self._store.parts)
        steps, failed = _steps(found, marks, holdings, orders, self._clock.now())
        self._tell_failed(client_id, failed)
        moving = {_place(each.before) for each in steps if each.changes}
        new = self._new_marks(client_id, marks)
        if not moving and not new:
            return 0
        return self._store.write(lambda tx: self._write(tx, context, moving, marks, new))

    def _write(
        self,
        tx: Transaction,
        context: ClientContext,
        moving: set[_Held],
        marks: dict[Place, Mark],
        new: Sequence[Mark],
    ) -> int:
        client_id, now = context.client_id, self._clock.now()
        if new:
            tx.keep_marks(client_id, new)
        found = [p for p in tx.open_protections(client_id) if _place(p) in moving]
        holdings = [h for place in {p[:3] for p in moving} for h in tx.holding(client_id, *place)]
        moved = 0
        for each in _steps(found, marks, holdings, _Orders(tx.get, tx.parts), now)[0]:
            if each.changes:
                moved += self._carry_out(tx, context, each, now)
        return moved

    def _carry_out(self, tx: Transaction, context: ClientContext, each: Step, now: datetime) -> int:
        """Write one step. A step that fails keeps no other one from being written."""
        p = each.before
        done = tx.attempt(lambda: carry_out(tx, each, context.policy, now=now, actor=self._claimant))
        if not isinstance(done, Exception):
            tx.clear_notice(p.client_id, _failed_key(p))
            return 1
        log.error("protection %s: %s", p.protection_id, done, exc_info=done)
        tx.notify_once(_failed_key(p), _failure(p, done))
        return 0

    def _tell_failed(self, client_id: str, failed: Mapping[str, tuple[Protection, Exception]]) -> None:
        """Notify, once, of protections of which not even the next step could be told."""
        new = [failed[id_] for id_ in failed.keys() - self._failed.get(client_id, set())]
        self._failed[client_id] = set(failed)
        for p, error in new:
            log.error("protection %s: %s", p.protection_id, error, exc_info=error)
        if new:
            self._store.write(lambda tx: [tx.notify_once(_failed_key(p), _failure(p, e)) for p, e in new])

    # prices -------------------------------------------------------------------------------------------------

    def marks_of(self, context: ClientContext, places: set[Place], *, may_look: bool) -> dict[Place, Mark]:
        """Read the last prices of these symbols; a symbol without a price is left out. `may_look`: as for `watch`."""
        if not places or not may_look:
            return {}
        marks = self._of_positions(context.client_id, places)
        for place, mark in self._of_reader(context, places).items():
            if place not in marks or mark.is_price:
                marks[place] = mark
        return marks

    def _of_reader(self, context: ClientContext, places: set[Place]) -> dict[Place, Mark]:
        if context.marks is None:
            return {}
        try:
            marks = context.marks.last_marks(sorted(places))
        except ReadFailed as error:
            log.warning("client %s: last prices could not be read: %s", context.client_id, error)
            return {}
        except Exception:  # a defect of the adapter: it says nothing about prices
            log.exception("client %s: the adapter failed to read last prices", context.client_id)
            return {}
        return {(mark.exchange, mark.symbol): mark for mark in marks}

    def _of_positions(self, client_id: str, places: set[Place]) -> dict[Place, Mark]:
        """The prices that the last read of the positions showed; of several rows, that of one that is held."""
        snapshot = self._store.saved_positions(client_id)
        if snapshot is None:
            return {}
        return {
            (p.exchange, p.symbol): Mark(
                p.exchange, p.symbol, p.last_price, snapshot.read_started_at, "positions"
            )
            for p in sorted(snapshot.positions, key=_credibility)
            if p.last_price is not None and (p.exchange, p.symbol) in places
        }

    def _new_marks(self, client_id: str, marks: dict[Place, Mark]) -> list[Mark]:
        """Those of the marks that are not stored: a price that stands still is not written again."""
        if not marks:
            return []
        stored = {(mark.exchange, mark.symbol): mark.price for mark in self._store.marks(client_id)}
        return [mark for place, mark in marks.items() if mark.is_price and stored.get(place) != mark.price]


class _Orders(NamedTuple):
    """How orders are found: in the transaction, or as they were last committed."""

    get: Callable[[str], Order | None]
    parts: Callable[[str], list[Order]]

    def exits_of(self, p: Protection, now: datetime) -> dict[str, ExitSeen]:
        """Judge the exits that the protection follows, and its last one."""
        ids = {each.command_id for each in p.exits} | ({p.exit_command_id} if p.exit_command_id else set())
        return {id_: exit_seen(self.get(id_), self.parts(id_), now) for id_ in sorted(ids)}


def _steps(
    protections: Iterable[Protection],
    marks: dict[Place, Mark],
    holdings: Sequence[Holding],
    orders: _Orders,
    now: datetime,
) -> tuple[list[Step], dict[str, tuple[Protection, Exception]]]:
    """Make the next step of each protection, those of one holding together; and why there is none of some, by id."""
    together = dict[tuple[_Held, Side], list[Protection]]()
    for each in protections:
        together.setdefault((_place(each), each.side), []).append(each)
    steps, failed, nets = list[Step](), dict[str, tuple[Protection, Exception]](), _nets(holdings)
    products = Counter(place[:3] for place, net in nets.items() if net)
    mixed = {place for place, count in products.items() if count > 1}
    for (place, side), group in together.items():
        entries = {p.protection_id: orders.get(p.command_id) for p in group}
        exits = {p.protection_id: orders.exits_of(p, now) for p in group}
        held = max(nets.get(place, ZERO) * side.sign, ZERO)
        seen = [
            _seen(followed_exits(p, exits[p.protection_id], now)[0], entries[p.protection_id]) for p in group
        ]
        shares = allotted(seen, held)
        for p, fills in zip(group, seen, strict=True):
            entry, units = entries[p.protection_id], shares[p.protection_id]
            is_over = entry is None or (entry.status in _OVER and not entry.is_provisional(now))
            is_all = units == held and place[:3] not in mixed
            is_full = entry is None or entry.filled_quantity >= entry.quantity
            covered = Covered(
                fills.filled, fills.average_price, is_over, units, is_all, is_full, exits[p.protection_id]
            )
            try:
                steps.append(step(p, covered, marks.get((p.exchange, p.symbol)), now))
            except Exception as error:  # noqa: BLE001 - it is told, and keeps no other protection from being watched
                failed[p.protection_id] = p, error
    return steps, failed


def _seen(p: Protection, entry: Order | None) -> Protection:
    """Return the protection with its entry's fills as they are now; the entry may be in the archive by now."""
    if entry is None or (entry.filled_quantity, entry.average_price) == (p.filled, p.average_price):
        return p
    return replace(p, filled=entry.filled_quantity, average_price=entry.average_price)


def _nets(holdings: Iterable[Holding]) -> dict[_Held, Decimal]:
    """Return what strategies hold by entries of theirs, signed."""
    nets = dict[_Held, Decimal]()
    for h in holdings:
        if h.entries:
            place = (h.strategy_name, h.exchange, h.symbol, h.product)
            nets[place] = nets.get(place, ZERO) + h.net_quantity
    return nets


def _credibility(p: Position) -> tuple[bool, bool]:
    """Return what orders rows of one symbol, the best one last: a row of nothing may show an old price, or none."""
    is_price = p.last_price is not None and p.last_price.is_finite() and p.last_price > ZERO
    return is_price and bool(p.net_quantity), is_price


def _place(p: Protection) -> _Held:
    return p.strategy_name, p.exchange, p.symbol, p.product


def _failure(p: Protection, error: Exception) -> Notice:
    text = (
        f"the protection of {p.strategy_name} cannot be followed: {type(error).__name__}: {error}. It is tried again; "
        "until then look after the position by hand"
    )
    return Notice(NoticeKind.SYSTEM, p.client_id, symbol=p.symbol, detail=text)


def _failed_key(p: Protection) -> NoticeKey:
    return NoticeKey(NoticeSubject.PROTECTION_FAILED, (p.protection_id,))
