"""What stops entries beside halts: limits that were reached, and states that an operator set. Pure.

A stop is a row of the database, written in the transaction that found it. So a restart, a second watcher or a changed
limit lifts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.daily_loss import CONFIRMED_AFTER
from domain.limits import LimitAction, LimitBook
from domain.money import ZERO, decimal_text
from domain.past_days import NOTHING_PAST, PastDays
from domain.pnl import DayPnl
from domain.reason_codes import Reason

OF_THE_CLIENT = ""
"""The strategy's name in a stop of the whole client."""


class RiskRule(StrEnum):
    """What stopped entries. The names are stored, so a used name must keep its meaning."""

    DAILY_LOSS = "DAILY_LOSS"
    DAILY_PROFIT = "DAILY_PROFIT"
    TRAILING_LOSS = "TRAILING_LOSS"
    DRAWDOWN = "DRAWDOWN"
    LOSING_DAYS = "LOSING_DAYS"
    UNKNOWN = "UNKNOWN"  # a sum that a limit needs is not known
    REDUCING = "REDUCING"  # set by a person: entries may only reduce the account's net position
    BEST = "BEST"  # stops nothing: the best profit of the day, from which a trailing limit counts

    @property
    def reason(self) -> Reason | None:
        """The reason of the orders that it blocks; None: it is judged otherwise, or blocks none."""
        return _REASONS.get(self)

    @property
    def words(self) -> str:
        """What it is, for people."""
        return _WORDS[self]


_REASONS: Mapping[RiskRule, Reason] = {
    RiskRule.DAILY_LOSS: Reason.DAILY_LOSS_HIT,
    RiskRule.DAILY_PROFIT: Reason.DAILY_PROFIT_HIT,
    RiskRule.TRAILING_LOSS: Reason.TRAILING_LOSS_HIT,
    RiskRule.DRAWDOWN: Reason.DRAWDOWN,
    RiskRule.LOSING_DAYS: Reason.LOSING_DAYS,
    RiskRule.UNKNOWN: Reason.MARK_UNKNOWN,
}
_WORDS: Mapping[RiskRule, str] = {
    RiskRule.DAILY_LOSS: "daily loss limit",
    RiskRule.DAILY_PROFIT: "daily profit limit",
    RiskRule.TRAILING_LOSS: "trailing loss limit",
    RiskRule.DRAWDOWN: "drawdown limit",
    RiskRule.LOSING_DAYS: "limit on losing days",
    RiskRule.UNKNOWN: "profit and loss not known",
    RiskRule.REDUCING: "only reducing entries",
    RiskRule.BEST: "best profit of the day",
}
_OF_THE_DAY = frozenset(
    {
        RiskRule.DAILY_LOSS,
        RiskRule.DAILY_PROFIT,
        RiskRule.TRAILING_LOSS,
        RiskRule.DRAWDOWN,
        RiskRule.LOSING_DAYS,
    }
)


class StopKey(NamedTuple):
    """Whose entries a rule stops. `strategy_name` empty: the whole client's."""

    client_id: str
    strategy_name: str
    rule: RiskRule


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop.

    - `since`: when it was found. With the key it names the stop, and what it asks for.
    - `until`: it stops nothing from then on; None: until somebody or something lifts it.
    - `figure`, `limit`: what was found and what it was judged by, in account currency.
    - `action`: FLATTEN: what strategies hold is exited.
    - `is_confirmed`: False while it was seen once only. Then entries wait, and nothing is told or exited.
    - `lifted_at`: an operator let entries go on; the limit counts from `counts_from` then, the loss at that moment.
    - `flat_at`: the exits that it asked for are over, and a read has shown it.
    """

    key: StopKey
    since: datetime
    until: datetime | None = None
    figure: Decimal | None = None
    limit: Decimal | None = None
    action: LimitAction = LimitAction.BLOCK
    is_confirmed: bool = True
    detail: str = ""
    by: str = ""
    lifted_at: datetime | None = None
    counts_from: Decimal | None = None
    flat_at: datetime | None = None

    def is_standing(self, now: datetime) -> bool:
        """Return True while it holds. A standing stop may still be only a state or a memory: see `blocks`."""
        return self.lifted_at is None and (self.until is None or now < self.until)

    def blocks(self, now: datetime) -> Reason | None:
        """Return the reason for which it blocks entries now; None: it blocks none by itself."""
        if not self.is_standing(now):
            return None
        if self.key.rule is RiskRule.DAILY_LOSS and not self.is_confirmed:
            return Reason.DAILY_LOSS_UNCONFIRMED
        return self.key.rule.reason

    @property
    def whose(self) -> str:
        """Whose entries it stops, for people."""
        return self.key.strategy_name or "all strategies"


class EventKind(StrEnum):
    """What happened to a stop."""

    STOPPED = "STOPPED"
    SEEN_ONCE = "SEEN_ONCE"
    ENDED = "ENDED"
    LIFTED = "LIFTED"
    WARNED = "WARNED"
    EXIT_ASKED = "EXIT_ASKED"
    FLAT = "FLAT"


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """One entry of the append-only history of stops."""

    at: datetime
    key: StopKey
    kind: EventKind
    detail: str = ""


class Scope(NamedTuple):
    """One sum that limits are judged by: of the client (`strategy_name` empty) or of one strategy."""

    strategy_name: str
    max_loss: Decimal | None
    max_profit: Decimal | None
    trailing_loss: Decimal | None
    trail_step: Decimal | None
    on_loss: LimitAction
    on_profit: LimitAction
    warn_at: Decimal
    max_drawdown: Decimal | None = None
    max_losing_days: int | None = None
    drawdown_days: int = 30

    @property
    def has_limits(self) -> bool:
        """True where something is judged by its sum."""
        limits = (self.max_loss, self.max_profit, self.trailing_loss, self.max_drawdown)
        return any(limit is not None for limit in limits)

    @property
    def looks_back(self) -> bool:
        """True where earlier days are looked at."""
        return (self.max_drawdown, self.max_losing_days) != (None, None)


def scopes_of(book: LimitBook) -> list[Scope]:
    """Return the sums that this book limits, the client's first."""
    d = book.default
    scopes = [
        Scope(
            OF_THE_CLIENT,
            d.max_daily_loss,
            d.max_daily_profit,
            d.trailing_loss,
            d.trail_step,
            d.on_daily_loss,
            d.on_daily_profit,
            d.warn_at,
            d.max_drawdown,
            d.max_losing_days,
            d.drawdown_days,
        )
    ]
    for name, limits in sorted(book.by_strategy.items()):
        own = limits.own
        scopes.append(
            Scope(
                name,
                own.max_daily_loss,
                own.max_daily_profit,
                own.trailing_loss,
                own.trail_step or d.trail_step,
                limits.on_daily_loss,
                limits.on_daily_profit,
                limits.warn_at,
                own.max_drawdown,
                own.max_losing_days,
                limits.drawdown_days,
            )
        )
    return [scope for scope in scopes if scope.has_limits or scope.looks_back]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sums ask for: stops to write, stops that are over, and warnings (rule, figure, limit)."""

    put: tuple[Stop, ...] = ()
    drop: tuple[Stop, ...] = ()
    warnings: tuple[tuple[StopKey, Decimal, Decimal], ...] = ()


class Evidence(NamedTuple):
    """From when the oldest and the newest price is that a sum hangs on."""

    oldest: datetime
    newest: datetime


class Judged(NamedTuple):
    """One sum as it is judged: the scope, its day, and what stands already, by rule.

    `evidence` None: the sum hangs on no price.
    """

    client_id: str
    scope: Scope
    pnl: DayPnl
    standing: Mapping[RiskRule, Stop]
    now: datetime
    day_ends: datetime
    today: date
    evidence: Evidence | None = None
    past: PastDays = NOTHING_PAST


def judge(asked: Judged) -> Verdict:
    """Return what the closed days and the present sum ask for."""
    put, drop = _after_losing_days(asked)
    if not asked.scope.has_limits:
        idle = asked.standing.get(RiskRule.UNKNOWN)
        return Verdict(put, drop if idle is None else (*drop, idle))
    of_sum = _judge_sum(asked)
    return Verdict((*put, *of_sum.put), (*drop, *of_sum.drop), of_sum.warnings)


def _after_losing_days(asked: Judged) -> tuple[tuple[Stop, ...], tuple[Stop, ...]]:
    """Return the stop of days with a loss one after the other, where it does not stand yet."""
    until, found = asked.past.pauses_until, asked.standing.get(RiskRule.LOSING_DAYS)
    if until is None or found is not None:
        return (), ()
    days = asked.past.streak
    ends = asked.day_ends + (until - asked.today - timedelta(days=1))
    key = StopKey(asked.client_id, asked.scope.strategy_name, RiskRule.LOSING_DAYS)
    detail = f"{days} trading days with a loss one after the other, until {until:%A %d %B}"
    return (Stop(key, asked.now, ends, Decimal(days), Decimal(days), detail=detail),), ()


def _judge_sum(asked: Judged) -> Verdict:
    """Return what a sum of profit and loss asks for. A sum that is not known stops entries, and asks for no exit."""
    total = asked.pnl.total
    if total is None:
        return _unknown(asked)
    put, drop, warnings = list[Stop](), list[Stop](), list[tuple[StopKey, Decimal, Decimal]]()
    unknown = asked.standing.get(RiskRule.UNKNOWN)
    if unknown is not None:
        drop.append(unknown)
    put += _best(asked, total)
    scope = asked.scope
    for rule, limit, loses, action in (
        (RiskRule.DAILY_LOSS, scope.max_loss, True, scope.on_loss),
        (RiskRule.DAILY_PROFIT, scope.max_profit, False, scope.on_profit),
        (RiskRule.TRAILING_LOSS, _trailed(asked), True, scope.on_loss),
        (RiskRule.DRAWDOWN, scope.max_drawdown, True, LimitAction.BLOCK),
    ):
        found = asked.standing.get(rule)
        if found is not None and found.lifted_at is None and found.is_confirmed:
            continue
        if limit is None:
            drop += (
                [] if found is None or found.lifted_at is not None else [found]
            )  # seen once, and limited no more
            continue
        if found is not None and found.lifted_at is not None and found.counts_from is None:
            put.append(replace(found, counts_from=_from_now_on(rule, total, loses=loses)))
            continue
        start = asked.past.above if rule is RiskRule.DRAWDOWN else ZERO
        base = start if found is None or found.counts_from is None else found.counts_from
        lost = base - total if loses else total - base
        if lost >= limit:
            put += _hit(asked, rule, action, total, limit, found)
        elif found is not None and found.lifted_at is None:
            put += _as_lifted_before(asked, found)
            drop += [found] if found.counts_from is None else []
        elif limit > 0 and lost >= limit * scope.warn_at:
            warnings.append((StopKey(asked.client_id, scope.strategy_name, rule), total, limit))
    return Verdict(tuple(put), tuple(drop), tuple(warnings))


def _from_now_on(rule: RiskRule, total: Decimal, *, loses: bool) -> Decimal:
    """Return the figure from which a limit counts that was lifted at this sum."""
    if rule is RiskRule.DRAWDOWN:
        return total
    return min(total, ZERO) if loses else max(total, ZERO)


def _hit(
    asked: Judged, rule: RiskRule, action: LimitAction, total: Decimal, limit: Decimal, found: Stop | None
) -> list[Stop]:
    """Latch at once what is realised; a sum that hangs on a price is latched when it is seen a second time."""
    key = StopKey(asked.client_id, asked.scope.strategy_name, rule)
    pending = found if found is not None and not found.is_confirmed and found.lifted_at is None else None
    is_confirmed = asked.evidence is None or _is_second_look(asked, pending)
    if not is_confirmed and pending is not None:
        return []
    stop = _stop(asked, key, action, total, limit, is_confirmed=is_confirmed)
    return [stop if found is None else replace(stop, counts_from=found.counts_from)]


def _as_lifted_before(asked: Judged, seen_once: Stop) -> list[Stop]:
    """Return the stop as the operator lifted it, where a look denies that its limit was reached again."""
    if seen_once.counts_from is None:
        return []
    return [replace(seen_once, is_confirmed=True, until=asked.day_ends, lifted_at=asked.now)]


def _is_second_look(asked: Judged, first: Stop | None) -> bool:
    """Return True where every price is newer than the first look, so that no single wrong one was seen twice."""
    if first is None:
        return False
    return asked.evidence is None or asked.evidence.oldest - first.since >= CONFIRMED_AFTER


def _stop(
    asked: Judged, key: StopKey, action: LimitAction, total: Decimal, limit: Decimal, *, is_confirmed: bool
) -> Stop:
    if key.rule is RiskRule.DRAWDOWN:
        best = decimal_text(asked.past.above)
        days = asked.scope.drawdown_days
        words = f"{decimal_text(total)} today, which began {best} below the best of {days} days"
        words += f", limit {decimal_text(limit)}"
    elif key.rule is RiskRule.DAILY_PROFIT:
        words = f"{decimal_text(total)} today, limit {decimal_text(limit)}"
    else:
        words = f"{decimal_text(total)} today, limit {decimal_text(-limit)}"
    since = asked.now if is_confirmed or asked.evidence is None else asked.evidence.newest
    return Stop(key, since, asked.day_ends, total, limit, action, is_confirmed, words)


def _unknown(asked: Judged) -> Verdict:
    key = StopKey(asked.client_id, asked.scope.strategy_name, RiskRule.UNKNOWN)
    if RiskRule.UNKNOWN in asked.standing:
        return Verdict()
    return Verdict((Stop(key, asked.now, detail=asked.pnl.unknown),))


def _best(asked: Judged, total: Decimal) -> list[Stop]:
    """Return the row of the best profit, where a trailing limit needs it and it changed by a step.

    `figure` is what two looks have shown, and counts; `limit` is what the last one showed.
    """
    scope = asked.scope
    if scope.trailing_loss is None or scope.trail_step is None:
        return []
    before = asked.standing.get(RiskRule.BEST)
    counted = ZERO if before is None or before.figure is None else before.figure
    waiting = counted if before is None or before.limit is None else before.limit
    steps = (total / scope.trail_step).to_integral_value(rounding="ROUND_FLOOR")
    reached = max(steps, ZERO) * scope.trail_step
    since = first = asked.now if asked.evidence is None else asked.evidence.newest
    if waiting > counted:  # seen once; a second look confirms what both have shown
        is_old = _is_second_look(asked, before)
        counted = max(counted, min(waiting, reached)) if is_old else counted
        since = first if is_old or before is None else before.since
        reached = reached if is_old else min(waiting, reached)
    seen = max(reached, counted)
    if before is None and seen == ZERO:
        return []
    if before is not None and (counted, seen) == (before.figure, before.limit):
        return []
    key = StopKey(asked.client_id, scope.strategy_name, RiskRule.BEST)
    return [Stop(key, since, asked.day_ends, counted, seen)]


def _trailed(asked: Judged) -> Decimal | None:
    """Return the loss, counted from zero, at which the trailing limit stands; it only ever tightens."""
    if asked.scope.trailing_loss is None:
        return None
    before = asked.standing.get(RiskRule.BEST)
    risen = ZERO if before is None or before.figure is None else before.figure
    return asked.scope.trailing_loss - risen


def is_of_the_day(stop: Stop) -> bool:
    """Return True for a stop that an operator may lift, and that the next trading day ends."""
    return stop.key.rule in _OF_THE_DAY


def told_of(stop: Stop) -> str:
    """Explain to people what happened, at what figure, and what is being done."""
    until = "" if stop.until is None else " until the next trading day"
    if stop.key.rule is RiskRule.LOSING_DAYS:
        until = " until the first session of the next week"
    done = (
        "What is held is being exited."
        if stop.action is LimitAction.FLATTEN
        else "What is held stays; exits still go."
    )
    whose = stop.key.strategy_name or "the whole account"
    return (
        f"{stop.key.rule.words.capitalize()} of {whose} reached: {stop.detail}. New entries of {stop.whose} are blocked"
        f"{until}. {done}"
    )
