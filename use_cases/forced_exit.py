"""Exit what a stop wants flat: take back resting entries, ask for the exits, and ask again while something is held.

Nothing is placed here. Each exit is a row like any other, whose id follows from the stop and from which attempt it is.
So whoever asks a second time, after a crash or beside another watcher, finds the exit that is there.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from domain.cancellation import cancel_asked, hindrance
from domain.enums import Side
from domain.exit_sizing import OPERATOR
from domain.flatten import Part
from domain.ids import exit_id
from domain.limits import ClientPolicy
from domain.order import Order
from domain.ports import Transaction
from domain.risk_stops import Stop
from domain.states import Phase, Status
from domain.times import has_elapsed
from use_cases.asked_exits import market_exit
from use_cases.register_order import register_judged

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=5)
_OVER = (Status.EXECUTED, Status.FAILED)
_RESTING = (Phase.WORKING, Phase.PARTIALLY_FILLED)


@dataclass(slots=True)
class Forced:
    """What was done: entries to be cancelled, exits that are new, parts that no attempt has closed, and errors."""

    cancelled: list[Order] = field(default_factory=list)
    asked: list[Order] = field(default_factory=list)
    under_way: int = 0
    given_up: list[tuple[Part, Order]] = field(default_factory=list)
    failed: list[tuple[Part, Exception]] = field(default_factory=list)


def force_exits(
    tx: Transaction,
    stop: Stop,
    parts: Iterable[Part],
    entries: Sequence[Order],
    *,
    policy: ClientPolicy,
    now: datetime,
    actor: str,
    shows_until: datetime | None = None,
) -> Forced:
    """Ask for what makes these parts of positions flat, in the transaction that latched the stop or in a later one.

    Args:
        parts: what is held where the stop wants nothing held.
        entries: the entries there that may rest at the broker.
        shows_until: the read of the positions, from which the parts of nobody are, shows fills up to then. What was
            filled later may have closed them already: they wait for the next read.
    """
    done = Forced()
    for entry in entries:
        _take_back(tx, stop, entry, done, now=now, actor=actor)
    for part in parts:
        if part.strategy_name == OPERATOR and _moved_since(tx, part, shows_until, now):
            done.under_way += 1
            continue
        exit_ = partial(_exit, tx, stop, part, done, policy=policy, now=now, actor=actor)
        error = tx.attempt(exit_)
        if isinstance(error, Exception):  # one part's error keeps no other part from being exited
            log.error(
                "client %s: exit of %s for %s", part.client_id, part.symbol, stop.key.rule, exc_info=error
            )
            done.failed.append((part, error))
    return done


def _take_back(tx: Transaction, stop: Stop, entry: Order, done: Forced, *, now: datetime, actor: str) -> None:
    current = tx.get(entry.command_id) or entry
    if current.phase not in _RESTING or hindrance(current.phase, current.broker_order_id) is not None:
        return
    change = cancel_asked(current, at=now, actor=actor, reason=f"{stop.key.rule.words} takes it back")
    if change is not None and current.cancel_requested_at is None:
        done.cancelled.append(tx.apply(change))


def _exit(
    tx: Transaction, stop: Stop, part: Part, done: Forced, *, policy: ClientPolicy, now: datetime, actor: str
) -> None:
    asked_at, last = stop.since, None
    for attempt in range(1, MOST_ATTEMPTS + 1):
        intent = _intent(stop, part, attempt)
        known = tx.get(exit_id(intent, asked_at))
        if known is None:
            if last is not None and not has_elapsed(last.updated_at or last.created_at, now, _pause(attempt)):
                done.under_way += 1
                return
            order = _order(part, intent, exit_id(intent, asked_at), now)
            done.asked.append(register_judged(tx, order, intent, None, policy=policy, actor=actor))
            return
        rows = (known, *tx.parts(known.command_id))
        if any(_is_under_way(each, now) for each in rows):
            done.under_way += 1
            return
        # The next attempt's id sorts by when this one began: when it ended may still change, by a late fill.
        last, asked_at = max(rows, key=lambda each: each.updated_at or each.created_at), known.created_at
    if last is not None:
        done.given_up.append((part, last))


def _is_under_way(order: Order, now: datetime) -> bool:
    return order.status not in _OVER or order.is_provisional(now)


def _moved_since(tx: Transaction, part: Part, shows_until: datetime | None, now: datetime) -> bool:
    """True where a fill of ours there is younger than what the read of the positions shows."""
    if shows_until is None:
        return False
    asked = _order(part, "", exit_id("", now), now)
    return any(at >= shows_until for at in tx.exit_facts(asked, now).last_fills.values())


def _pause(attempt: int) -> timedelta:
    """How long after an attempt ended the next one is asked for: a fill may not be in the positions yet."""
    doubled: int = 2 ** max(attempt - 2, 0)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)


def _intent(stop: Stop, part: Part, attempt: int) -> str:
    key = stop.key
    latch = f"{key.client_id}|risk|{key.strategy_name}|{key.rule}|{stop.since.isoformat()}"
    return f"{latch}|{part.strategy_name}|{part.exchange}|{part.symbol}|{part.product}|{attempt}"


def _order(part: Part, intent: str, command_id: str, now: datetime) -> Order:
    """An exit of all that its strategy holds of the symbol, at market."""
    side = Side.SELL if part.quantity > 0 else Side.BUY
    return market_exit(
        intent,
        command_id,
        client_id=part.client_id,
        strategy_name=part.strategy_name,
        exchange=part.exchange,
        symbol=part.symbol,
        side=side,
        units=None,
        product=part.product,
        at=now,
        requested_side=side if part.strategy_name != OPERATOR else None,
    )
