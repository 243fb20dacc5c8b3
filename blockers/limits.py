"""Stops that stand, and limits on the trades of a day, on open positions, on exposure, and on entering again.

Each limit of the client is about all of its strategies, each limit of a strategy about that strategy alone. Exits pass.
"""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from blockers.rules import Block, Rule
from domain.account_state import AccountState
from domain.limits import CooldownAfter
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.reason_codes import Reason
from domain.risk_facts import Exposed, Facts, pauses_until
from domain.risk_stops import RiskRule
from domain.times import is_within


def stopped(order: Order, facts: Facts) -> Block | None:
    """Block entries of a client or strategy for which a limit was reached, or whose sum is not known."""
    for stop in facts.stops:
        reason = stop.blocks(facts.now)
        if reason is not None:
            return Block(reason, f"{stop.whose}: {stop.detail}")
    return None


def reducing(order: Order, facts: Facts) -> Block | None:
    """While a person lets entries only reduce, block those that would not make the account's position smaller."""
    stop = next(
        (s for s in facts.stops if s.key.rule is RiskRule.REDUCING and s.is_standing(facts.now)), None
    )
    if stop is None and facts.limits.scheduled is not AccountState.REDUCING:
        return None
    why = f"by schedule, reducing_from {facts.limits.reducing_from:%H:%M}" if stop is None else stop.detail
    may_take = facts.of_limits.reducible
    if may_take is None:
        return Block(Reason.REDUCING_ONLY, f"{why}; the position is not read since the last fill")
    if order.quantity <= may_take:
        return None
    asked = decimal_text(order.quantity)
    return Block(Reason.REDUCING_ONLY, f"{why}; {asked}, and {decimal_text(may_take)} would reduce it")


def trades_per_day(order: Order, facts: Facts) -> Block | None:
    """Limit the entries of a trading day that were sent or may be."""
    counted, limits = facts.of_limits, facts.limits
    for whose, trades, limit in (
        ("", counted.trades, limits.max_trades_per_day),
        (order.strategy_name, counted.own_trades, limits.own.max_trades_per_day),
    ):
        if limit is not None and trades >= limit:
            return Block(Reason.MAX_TRADES_PER_DAY, f"{trades} today, {_limit(whose, limit)}")
    for table in limits.of_symbols:
        trades, limit = (
            sum(n for symbol, n in counted.trades_in if table.covers(symbol)),
            table.max_trades_per_day,
        )
        if limit is not None and trades >= limit:
            return Block(Reason.MAX_TRADES_PER_DAY, f"{trades} today, {_limit(table.name, limit)}")
    return None


def open_positions(order: Order, facts: Facts) -> Block | None:
    """Limit the symbols that are held or being entered. Adding to one of them opens none.

    An entry that waits for an exit keeps its place, and opens none for others: it may never be sent. One that came
    later and is not sent opens none for this one either: each would be let in because of the other.
    """
    counted, limits, here = facts.of_limits, facts.limits, (order.exchange, order.symbol)
    for whose, places, waiting, limit in (
        ("", counted.places, counted.waiting, limits.max_open_positions),
        (order.strategy_name, counted.own_places, counted.own_waiting, limits.own.max_open_positions),
    ):
        is_open = here in places and here not in waiting
        if limit is not None and not is_open and len(places - {here}) >= limit:
            return Block(Reason.MAX_OPEN_POSITIONS, f"{len(places)} open, {_limit(whose, limit)}")
    for table in limits.of_symbols:
        inside, limit = {each for each in counted.places if table.covers(each[1])}, table.max_open_positions
        is_open = here in inside and here not in counted.waiting
        if limit is not None and not is_open and len(inside - {here}) >= limit:
            return Block(Reason.MAX_OPEN_POSITIONS, f"{len(inside)} open, {_limit(table.name, limit)}")
    return None


class _Exposure(NamedTuple):
    gross: Decimal = ZERO
    net: Decimal = ZERO
    unknown: str = ""


def exposure(order: Order, facts: Facts) -> Block | None:
    """Limit the notional value of what is held and being entered, this order included. What is not known blocks."""
    limits, exposed = facts.limits, facts.of_limits.exposed
    own = [each for each in exposed if each.strategy == order.strategy_name]
    of_symbols = (
        (t.name, [e for e in exposed if t.covers(e.symbol)], t.max_gross_exposure, t.max_net_exposure)
        for t in limits.of_symbols
    )
    for whose, parts, gross, net in (
        ("", exposed, limits.max_gross_exposure, limits.max_net_exposure),
        (order.strategy_name, own, limits.own.max_gross_exposure, limits.own.max_net_exposure),
        *of_symbols,
    ):
        if gross is None and net is None:
            continue
        found = _with(order, parts, facts.last_price)
        if found.unknown:
            return Block(Reason.MARK_UNKNOWN, f"the value of {found.unknown} is not known")
        for kind, value, limit in (("gross", found.gross, gross), ("net", abs(found.net), net)):
            if limit is not None and value > limit:
                figures = f"{kind} {decimal_text(value)} with this order, {_limit(whose, limit)}"
                return Block(Reason.MAX_EXPOSURE, figures)
    return None


def _with(order: Order, parts: Iterable[Exposed], last_price: Decimal | None) -> _Exposure:
    """Return the exposure with the order. Units of one symbol offset each other only in the net value."""
    known = [each.price for each in parts if (each.exchange, each.symbol) == (order.exchange, order.symbol)]
    # The highest that is known: a sale's limit far below the market is filled at the market.
    named = (order.price, order.trigger_price, order.reference_price, last_price)
    price = max((p for p in (*named, *known) if p is not None), default=None)
    new = Exposed(order.strategy_name, order.exchange, order.symbol, order.quantity * order.side.sign, price)
    gross = net = ZERO
    for each in (*parts, new):
        if each.price is None:
            return _Exposure(unknown=each.symbol)
        gross += abs(each.units * each.price)
        net += each.units * each.price
    return _Exposure(gross, net)


def cooldown(order: Order, facts: Facts) -> Block | None:
    """Block an entry in a symbol that its strategy has left a moment ago, at any result or at a loss.

    While a part is still held, as after a first target, nothing was left yet.
    """
    minutes, last = facts.limits.cooldown_minutes, facts.of_limits.last_exit
    if minutes is None or last is None or facts.own_net:
        return None
    wait = _minutes(minutes)
    if not is_within(last.at, facts.now, wait):
        return None
    detail = f"left at {last.at:%H:%M:%S} UTC, {decimal_text(minutes)} minutes must pass"
    if facts.limits.cooldown_after is CooldownAfter.ANY:
        return Block(Reason.COOLDOWN, detail)
    if last.realized is None:
        return Block(Reason.COOLDOWN, f"{detail} after a loss, and the result is not counted yet")
    if last.realized < 0:
        return Block(Reason.COOLDOWN, f"{detail} after a loss, {decimal_text(last.realized)}")
    return None


def stop_streak(order: Order, facts: Facts) -> Block | None:
    """Block entries for a while after several stops were met within a window, of the client or of the strategy."""
    limits, met = facts.limits, facts.of_limits.stops_met
    window, pause = _minutes(limits.stop_streak_minutes), _minutes(limits.stop_streak_pause_minutes)
    for whose, streak in (("", limits.stop_streak), (order.strategy_name, limits.own.stop_streak)):
        if streak is None:
            continue
        until = pauses_until((m.at for m in met if whose in ("", m.strategy)), streak, window, pause)
        if until is not None and facts.now < until:
            of = f" of {whose}" if whose else ""
            return Block(Reason.STOP_STREAK, f"{streak} stops{of}, paused until {until:%H:%M:%S} UTC")
    return None


def _minutes(number: Decimal) -> timedelta:
    return timedelta(microseconds=int(number * 60_000_000))


def _limit(whose: str, limit: Decimal | int) -> str:
    of = f" of {whose}" if whose else ""
    return f"limit{of} {limit if isinstance(limit, int) else decimal_text(limit)}"


STOPS: tuple[Rule, ...] = (stopped, reducing)
"""What stands in the way whatever the order is."""
COUNTS: tuple[Rule, ...] = (trades_per_day, open_positions, exposure, cooldown, stop_streak)
"""What is counted with the order."""
