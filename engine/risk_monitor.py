"""Watch the limits on profit and loss: latch what was reached, in the database, and ask for the exits that follow.

What a round finds is judged again in the transaction that writes it, by the stops that stand there. So two watchers may
look at the same client: one of them latches and tells, the other finds it done.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

from domain.daily_loss import OF_THE_CLIENT, DayLoss
from domain.enums import ExecutionType
from domain.flatten import Part, held_parts, unheld_parts
from domain.limits import ExitScope, LimitAction
from domain.marks import Mark
from domain.money import ZERO
from domain.notice_keys import NoticeKey
from domain.notices import Notice
from domain.order import Order
from domain.past_days import PastDays
from domain.pnl import DayPnl, DayResult, PnlBook, day_pnl_of
from domain.ports import Clock, RiskState, Store, Transaction
from domain.risk_messages import (
    day_summary,
    differs,
    flat,
    given_up,
    hit_notice,
    known_again,
    not_asked,
    unknown_notice,
    warned,
)
from domain.risk_stops import (
    EventKind,
    Evidence,
    Judged,
    RiskEvent,
    RiskRule,
    Scope,
    Stop,
    StopKey,
    Verdict,
    judge,
    scopes_of,
)
from domain.times import day_start, has_elapsed, trading_day
from engine.client_context import ClientContext, EngineTimings
from engine.equity_keeper import EquityKeeper
from engine.past_results import PastResults, past_in
from engine.pnl_counter import PnlCounter, Prices
from engine.risk_prices import OF_A_FILL, marks_of
from use_cases.forced_exit import force_exits

log = logging.getLogger(__name__)

_NOTED_EACH = timedelta(seconds=60)  # how often what is unrealised is stored
_DIFFERS_FOR = timedelta(seconds=60)  # how long our figure and the broker's must differ until it is told
_SUMMED_UP_WITHIN = 7  # days after which nobody needs a summary any more
_UNKNOWN_FOR = timedelta(seconds=15)  # how long a sum is not known until it is told
_QUIET_EACH = timedelta(seconds=10)  # how often it is looked at a client of whom there is nothing to judge
_ASKED_EACH = timedelta(seconds=1)  # how often it is looked at whether another exit is due


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one round knows of a client."""

    now: datetime
    day: date
    books: Sequence[PnlBook]
    results: Sequence[DayResult]
    marks: Mapping[tuple[str, str], Mark]
    read_at: datetime | None  # when the broker's positions were read
    sums: Mapping[str, DayPnl]
    evidence: Mapping[str, Evidence]  # by strategy; empty: of the client
    loss: DayLoss | None
    stops: Sequence[Stop]
    past: Mapping[str, PastDays]

    @property
    def prices(self) -> Prices:
        """The usable last prices."""
        return {place: mark.price for place, mark in self.marks.items()}

    @property
    def own(self) -> DayPnl:
        """The client's sum by our own fills."""
        total = DayPnl()
        for each in self.sums.values():
            total = total.plus(each)
        return total

    def sum_of(self, scope: Scope) -> tuple[DayPnl, Evidence | None]:
        """Return a sum as it counts, and what it hangs on.

        The client's is the worse of the broker's figure and our own where both are known, otherwise the one that is.
        """
        own = self.sums.get(scope.strategy_name, DayPnl()) if scope.strategy_name else self.own
        evidence = self.evidence.get(scope.strategy_name)
        broker = None if scope.strategy_name or self.loss is None else self.loss.counted_pnl
        if broker is None or self.read_at is None or (own.total is not None and own.total <= broker):
            return own, evidence
        return DayPnl(ZERO, broker), Evidence(self.read_at, self.read_at)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the last whole round of a client began with, and when. `state` None: there was something to judge."""

    at: datetime
    day: date
    state: RiskState | None

    def holds(self, now: datetime, day: date, state: RiskState | None) -> bool:
        """Return True where another round would find the same, but for prices that no limit hangs on."""
        if state is None or (day, state) != (self.day, self.state):
            return False
        return timedelta(0) <= now - self.at < _QUIET_EACH


class _Open(NamedTuple):
    """What is open where a stop wants nothing open. `shows_until`: what the read of the positions shows fills up to."""

    parts: Sequence[Part]
    entries: Sequence[Order]
    exits: Sequence[Order]
    shows_until: datetime | None


class RiskMonitor:
    """Watches the clients' limits. Safe to call from several threads and processes."""

    def __init__(self, store: Store, *, clock: Clock, rules: EngineTimings, claimant: str) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._claimant = claimant
        self._counter = PnlCounter(store, self._day_of)
        self._equity = EquityKeeper(store)
        self._past = PastResults(store, self._day_of)
        self._noted_at: dict[str, datetime] = {}
        self._asked_at: dict[str, datetime] = {}
        self._differs_since: dict[str, datetime] = {}
        self._summed_up: dict[str, date] = {}
        self._judged: dict[str, _Judged] = {}

    def watch(self, context: ClientContext, *, may_look: bool = True) -> int:
        """Do one round for the client; returns how many exits were asked for.

        Fills are counted in each round. Where the client has no limit and no stop, and no book and no holding has
        changed since the last whole round, the rest waits until that is ten seconds ago, or the day ends: nothing stops
        and nobody is told anything by it before. A limit is judged in each round.

        Args:
            may_look: False while it is not certain whose account it is: then fills are counted, and nothing follows.

        Raises:
            StoreUnavailable: nothing was stored; the next round finds the same.
        """
        self._counter.count()
        if not may_look:
            return 0
        now = self._clock.now()
        judged = _Judged(now, self._day_of(now), self._unlimited_state(context))
        last = self._judged.pop(context.client_id, None)  # a round that fails is done again
        if last is not None and last.holds(now, judged.day, judged.state):
            self._judged[context.client_id] = last
            return 0
        asked = self._judge(context)
        self._judged[context.client_id] = judged
        return asked

    def _unlimited_state(self, context: ClientContext) -> RiskState | None:
        """Return what the client's sums are made of; None: it has a limit or a stop, so prices and time count too."""
        if scopes_of(context.policy.limits):
            return None
        state = self._store.risk_state(context.client_id)
        return None if state.has_stops else state

    def _judge(self, context: ClientContext) -> int:
        seen = self._look(context)
        if self._counter.follow_holdings(
            context.client_id, seen.books, self._store.holdings(context.client_id), seen.prices, seen.now
        ):
            seen = self._look(context)
        if self._note(context, seen):  # what was unrealised before is no result of the day that begins
            seen = self._look(context)
        verdicts = _verdicts(context, seen, seen.stops, self._day_ends(seen.day))
        over = [stop for stop in seen.stops if stop.until is not None and seen.now >= stop.until]
        if (
            over
            or any(each.put or each.drop for each in verdicts)
            or self._has_warnings(context, verdicts, seen)
        ):
            self._store.write(lambda tx: self._write(tx, context, seen))
        self._keep_equity(context, seen)
        self._tell_unknown(context, seen)
        self._compare(context, seen)
        self._sum_up(context, seen)
        return self._flatten(context, seen.now)

    # looking ------------------------------------------------------------------------------------------------

    def _look(self, context: ClientContext) -> _Seen:
        client_id, now = context.client_id, self._clock.now()
        books = self._store.pnl_books(client_id)
        max_age = timedelta(seconds=context.policy.limits.default.positions_max_age_seconds)
        marks = marks_of(self._store, client_id, books, context.marks, now, max_age)
        day = self._day_of(now)
        results = self._store.day_results(client_id, day)
        sums = day_pnl_of(books, results, {place: mark.price for place, mark in marks.items()})
        snapshot, stops = self._store.saved_positions(client_id), self._store.risk_stops(client_id)
        read_at = None if snapshot is None else snapshot.read_started_at
        past = self._past.of(client_id, scopes_of(context.policy.limits), now)
        # A figure that is too old is not known; entries are blocked then in any case.
        is_young = read_at is not None and not has_elapsed(read_at, now, max_age)
        loss = self._store.day_loss(client_id) if is_young else None
        return _Seen(
            now, day, books, results, marks, read_at, sums, _evidence(books, marks, now), loss, stops, past
        )

    def _day_of(self, at: datetime) -> date:
        return trading_day(at, self._rules.zone, self._rules.day_starts)

    def _day_ends(self, day: date) -> datetime:
        return day_start(day + timedelta(days=1), self._rules.zone, self._rules.day_starts)

    def _note(self, context: ClientContext, seen: _Seen) -> bool:
        last = self._noted_at.get(context.client_id)
        is_due = last is None or has_elapsed(last, seen.now, _NOTED_EACH)
        if is_due:
            self._noted_at[context.client_id] = seen.now
        return self._counter.note_unrealized(seen.books, seen.results, seen.prices, seen.now, refresh=is_due)

    # stops --------------------------------------------------------------------------------------------------

    def _has_warnings(self, context: ClientContext, verdicts: Iterable[Verdict], seen: _Seen) -> bool:
        return any(
            not self._store.is_told(context.client_id, warned(key, figure, limit, seen.day)[0])
            for each in verdicts
            for key, figure, limit in each.warnings
        )

    def _write(self, tx: Transaction, context: ClientContext, seen: _Seen) -> None:
        """Judge again by the stops that stand now, and write what follows."""
        stops = tx.risk_stops(context.client_id)
        for stop in stops:
            if stop.until is not None and seen.now >= stop.until:
                self._drop(tx, stop, seen.now)
        standing = [stop for stop in stops if stop.until is None or seen.now < stop.until]
        for verdict in _verdicts(context, seen, standing, self._day_ends(seen.day)):
            for stop in verdict.drop:
                self._drop(tx, stop, seen.now)
            for stop in verdict.put:
                self._put(tx, stop, seen.now)
            for key, figure, limit in verdict.warnings:
                told, notice = warned(key, figure, limit, seen.day)
                if tx.notify_once(told, notice):
                    tx.add_risk_event(RiskEvent(seen.now, key, EventKind.WARNED, notice.detail))

    def _put(self, tx: Transaction, stop: Stop, now: datetime) -> None:
        tx.put_stop(stop)
        if stop.lifted_at is not None or stop.key.rule is RiskRule.BEST:
            return
        kind = EventKind.STOPPED if stop.is_confirmed else EventKind.SEEN_ONCE
        tx.add_risk_event(RiskEvent(now, stop.key, kind, stop.detail))
        if stop.is_confirmed and stop.key.rule is not RiskRule.UNKNOWN:
            log.warning("client %s: %s %s", stop.key.client_id, stop.key.rule.words, stop.detail)
            if not _is_told_already(tx, stop):
                tx.notify(hit_notice(stop))

    def _drop(self, tx: Transaction, stop: Stop, now: datetime) -> None:
        tx.drop_stop(stop.key)
        if stop.key.rule is not RiskRule.BEST:
            tx.add_risk_event(RiskEvent(now, stop.key, EventKind.ENDED))
        if stop.key.rule is RiskRule.UNKNOWN and tx.clear_notice(stop.key.client_id, unknown_notice(stop)[0]):
            tx.notify(known_again(stop))

    def _tell_unknown(self, context: ClientContext, seen: _Seen) -> None:
        """Tell of sums that have not been known for a while: a new position may have no price for a moment."""
        for stop in seen.stops:
            lasts = has_elapsed(stop.since, seen.now, _UNKNOWN_FOR)
            if stop.key.rule is not RiskRule.UNKNOWN or not lasts:
                continue
            key, notice = unknown_notice(stop)
            if not self._store.is_told(context.client_id, key):
                self._store.write(partial(_notify_once, key, notice))

    def _keep_equity(self, context: ClientContext, seen: _Seen) -> None:
        """Keep a point of the day's curve, where anything was traded or is held."""
        if seen.results or seen.books:
            broker = None if seen.loss is None else seen.loss.counted_pnl
            self._equity.keep(context.client_id, seen.own.total, broker, seen.now)

    # our figure beside the broker's -------------------------------------------------------------------------

    def _compare(self, context: ClientContext, seen: _Seen) -> None:
        client_id, own = context.client_id, seen.own.total
        broker = None if seen.loss is None else seen.loss.counted_pnl
        tolerance = context.policy.limits.default.pnl_tolerance
        if own is None or broker is None or abs(own - broker) <= tolerance:
            self._differs_since.pop(client_id, None)
            return
        since = self._differs_since.setdefault(client_id, seen.now)
        key, notice = differs(client_id, own, broker, seen.day)
        if has_elapsed(since, seen.now, _DIFFERS_FOR) and not self._store.is_told(client_id, key):
            self._store.write(partial(_notify_once, key, notice))

    def _sum_up(self, context: ClientContext, seen: _Seen) -> None:
        """Tell what the last trading day with a fill brought, once, as soon as another day has begun."""
        client_id = context.client_id
        if self._summed_up.get(client_id) == seen.day:
            return
        self._summed_up[client_id] = seen.day
        for back in range(1, _SUMMED_UP_WITHIN + 1):
            day = seen.day - timedelta(days=back)
            results = self._store.day_results(client_id, day)
            if not any(result.fills for result in results):
                continue
            is_last = back == 1 and seen.loss is not None and seen.loss.day == seen.day
            broker = seen.loss.carried_pnl if is_last and seen.loss is not None else None
            key, notice = day_summary(client_id, day, results, broker)
            if not self._store.is_told(client_id, key):
                self._store.write(partial(_notify_once, key, notice))
            return

    # exits --------------------------------------------------------------------------------------------------

    def _flatten(self, context: ClientContext, now: datetime) -> int:
        """Ask for what makes flat what the client's stops want flat."""
        client_id = context.client_id
        wanted = [stop for stop in self._store.risk_stops(client_id) if _wants_flat(stop, now)]
        last = self._asked_at.get(client_id)
        if not wanted or (last is not None and not has_elapsed(last, now, _ASKED_EACH)):
            return 0
        self._asked_at[client_id] = now
        return sum(self._flatten_for(context, stop) for stop in wanted)

    def _flatten_for(self, context: ClientContext, stop: Stop) -> int:
        found = self._open_of(context, stop)
        if not found.parts and not found.entries and (stop.flat_at is not None or found.exits):
            return 0
        return self._store.write(lambda tx: self._force(tx, context, stop, found))

    def _open_of(self, context: ClientContext, stop: Stop) -> _Open:
        holdings, shows_until = self._store.holdings(context.client_id), None
        parts = held_parts(holdings, stop.key.strategy_name)
        is_all = stop.key.strategy_name == OF_THE_CLIENT
        if is_all and context.policy.limits.default.flatten_scope is ExitScope.POSITION:
            snapshot = self._store.saved_positions(context.client_id)
            if snapshot is not None:
                parts += unheld_parts(context.client_id, snapshot, holdings)
                lag = timedelta(seconds=context.broker.traits.position_horizon)
                shows_until = snapshot.read_started_at - lag
        return _Open(parts, self._resting_entries(stop), self._open_exits(stop), shows_until)

    def _resting_entries(self, stop: Stop) -> list[Order]:
        return [o for o in self._of_stop(stop) if o.execution_type is ExecutionType.ENTRY]

    def _open_exits(self, stop: Stop) -> list[Order]:
        return [o for o in self._of_stop(stop) if o.execution_type is ExecutionType.EXIT]

    def _of_stop(self, stop: Stop) -> list[Order]:
        client_id, name, _ = stop.key
        opened = self._store.get_open_orders(client_id)
        return [o for o in opened if name in (OF_THE_CLIENT, o.strategy_name) and o.test_mode is None]

    def _force(self, tx: Transaction, context: ClientContext, stop: Stop, found: _Open) -> int:
        now, (parts, entries, exits, shows_until) = self._clock.now(), found
        current = next((each for each in tx.risk_stops(context.client_id) if each.key == stop.key), None)
        if current is None or current.since != stop.since or not _wants_flat(current, now):
            return 0  # lifted meanwhile
        if not parts and not entries:
            if current.flat_at is None and not exits:
                tx.put_stop(replace(current, flat_at=now))
                tx.add_risk_event(RiskEvent(now, stop.key, EventKind.FLAT))
                tx.notify(flat(stop))
            return 0
        if current.flat_at is not None:  # it has come back
            tx.put_stop(replace(current, flat_at=None))
        done = force_exits(
            tx,
            current,
            parts,
            entries,
            policy=context.policy,
            now=now,
            actor=self._claimant,
            shows_until=shows_until,
        )
        for order in (*done.cancelled, *done.asked):
            tx.add_risk_event(RiskEvent(now, stop.key, EventKind.EXIT_ASKED, order.command_id))
        told = [given_up(stop, *each) for each in done.given_up] + [
            not_asked(stop, *each) for each in done.failed
        ]
        for key, notice in told:
            tx.notify_once(key, notice)
        return len(done.asked)


def _notify_once(key: NoticeKey, notice: Notice, tx: Transaction) -> bool:
    return tx.notify_once(key, notice)


def _evidence(
    books: Iterable[PnlBook], marks: Mapping[tuple[str, str], Mark], now: datetime
) -> dict[str, Evidence]:
    """Return what each strategy's sum and the client's hang on. A price at which we traded is no doubtful one."""
    found = dict[str, Evidence]()
    for book in books:
        mark = marks.get((book.where.exchange, book.where.symbol)) if book.lots else None
        if mark is None:
            continue
        at = now if mark.source == OF_A_FILL else mark.at
        for name in (OF_THE_CLIENT, book.where.strategy_name):
            known = found.get(name, Evidence(at, at))
            found[name] = Evidence(min(known.oldest, at), max(known.newest, at))
    return found


def _wants_flat(stop: Stop, now: datetime) -> bool:
    return stop.action is LimitAction.FLATTEN and stop.is_confirmed and stop.is_standing(now)


def _verdicts(
    context: ClientContext, seen: _Seen, stops: Iterable[Stop], day_ends: datetime
) -> list[Verdict]:
    standing = dict[str, dict[RiskRule, Stop]]()
    for stop in stops:
        standing.setdefault(stop.key.strategy_name, {})[stop.key.rule] = stop
    scopes, found = scopes_of(context.policy.limits), list[Verdict]()
    for scope in scopes:
        pnl, evidence = seen.sum_of(scope)
        stands = standing.get(scope.strategy_name, {})
        past = past_in(seen.past, scope.strategy_name)
        asked = Judged(context.client_id, scope, pnl, stands, seen.now, day_ends, seen.day, evidence, past)
        found.append(judge(asked))
    # A limit that is not set any more needs no sum.
    named = {scope.strategy_name for scope in scopes}
    idle = [
        stop
        for name, of in standing.items()
        for stop in of.values()
        if name not in named and (stop.key.rule is RiskRule.UNKNOWN or not stop.is_confirmed)
    ]
    return [*found, Verdict(drop=tuple(idle))]


def _is_told_already(tx: Transaction, stop: Stop) -> bool:
    """True where the broker's figure has latched the client's loss already, which was told."""
    if stop.key != StopKey(stop.key.client_id, OF_THE_CLIENT, RiskRule.DAILY_LOSS):
        return False
    loss = tx.day_loss(stop.key.client_id)
    return loss is not None and OF_THE_CLIENT in loss.latched
