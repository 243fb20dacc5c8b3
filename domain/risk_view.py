"""What an operator sees of profit and loss and of limits: plain values, money as decimal text. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.limits import LimitBook, Limits, OwnLimits
from domain.money import ZERO, decimal_text, optional_text
from domain.pnl import DayPnl, DayResult
from domain.risk_facts import Holding
from domain.risk_stops import RiskRule, Stop, scopes_of
from domain.times import time_text

View = dict[str, Any]

_WITH_EACH = "NOT_CHECKED"  # the limit is judged with each entry, and its use is not known without one


def risk_view(
    book: LimitBook,
    sums: Mapping[str, DayPnl],
    broker: Decimal | None,
    holdings: Sequence[Holding],
    stops: Iterable[Stop],
    now: datetime,
) -> View:
    """Return each limit with its value, its use and its state, and what stops entries.

    Args:
        sums: the day's profit and loss by our own fills, by strategy.
        broker: the day's profit and loss as the broker shows it; None: not known.
    """
    kept = list(stops)
    own = DayPnl()
    for each in sums.values():
        own = own.plus(each)
    known = [each for each in (own.total, broker) if each is not None]
    totals = {name: pnl.total for name, pnl in sums.items()} | {"": min(known, default=None)}
    return {
        "limits": [*_of_sums(book, totals, kept, now), *_of_positions(book, holdings)],
        "stops": [_stop(stop, now) for stop in kept if stop.key.rule is not RiskRule.BEST],
        "pnl": {
            "own": optional_text(own.total),
            "broker": optional_text(broker),
            "unknown": own.unknown or None,
        },
    }


def _of_sums(
    book: LimitBook, totals: Mapping[str, Decimal | None], stops: Iterable[Stop], now: datetime
) -> list[View]:
    standing = {(s.key.strategy_name, s.key.rule): s for s in stops if s.is_standing(now)}
    rows = []
    for scope in scopes_of(book):
        total = totals.get(scope.strategy_name, ZERO)
        for rule, name, limit in (
            (RiskRule.DAILY_LOSS, "max_daily_loss", scope.max_loss),
            (RiskRule.DAILY_PROFIT, "max_daily_profit", scope.max_profit),
            (RiskRule.TRAILING_LOSS, "trailing_loss", scope.trailing_loss),
        ):
            if limit is None:
                continue
            used = None if total is None else max(total if rule is RiskRule.DAILY_PROFIT else -total, ZERO)
            stop = standing.get((scope.strategy_name, rule))
            state = "UNKNOWN" if used is None else "OK"
            if stop is not None:
                state = "HIT" if stop.is_confirmed else "SEEN_ONCE"
            rows.append(_limit(scope.strategy_name, name, decimal_text(limit), optional_text(used), state))
    return rows


def _of_positions(book: LimitBook, holdings: Sequence[Holding]) -> list[View]:
    """The limits that are judged with each entry; only the use of those on positions can be told without one."""
    rows = []
    of_strategies = ((name, limits.own) for name, limits in sorted(book.by_strategy.items()))
    named: list[tuple[str, Limits | OwnLimits]] = [("", book.default), *of_strategies]
    for name, limits in named:
        held = {(h.exchange, h.symbol) for h in holdings if name in ("", h.strategy_name) and h.entries}
        if limits.max_open_positions is not None:
            state = "HIT" if len(held) >= limits.max_open_positions else "OK"
            rows.append(
                _limit(name, "max_open_positions", str(limits.max_open_positions), str(len(held)), state)
            )
        if limits.max_trades_per_day is not None:
            rows.append(_limit(name, "max_trades_per_day", str(limits.max_trades_per_day), None, _WITH_EACH))
        for field in ("max_gross_exposure", "max_net_exposure"):
            value: Decimal | None = getattr(limits, field)
            if value is not None:
                rows.append(_limit(name, field, decimal_text(value), None, _WITH_EACH))
    paused = (("cooldown_minutes", book.default.cooldown_minutes), ("stop_streak", book.default.stop_streak))
    rows += [_limit("", field, str(value), None, _WITH_EACH) for field, value in paused if value is not None]
    return rows


def _limit(strategy: str, name: str, value: str, use: str | None, state: str) -> View:
    return {"strategy_name": strategy or None, "limit": name, "value": value, "use": use, "state": state}


def _stop(stop: Stop, now: datetime) -> View:
    return {
        "strategy_name": stop.key.strategy_name or None,
        "rule": str(stop.key.rule),
        "since": time_text(stop.since),
        "until": None if stop.until is None else time_text(stop.until),
        "figure": optional_text(stop.figure),
        "limit": optional_text(stop.limit),
        "action": str(stop.action),
        "is_standing": stop.is_standing(now),
        "lifted_at": None if stop.lifted_at is None else time_text(stop.lifted_at),
        "flat_at": None if stop.flat_at is None else time_text(stop.flat_at),
        "detail": stop.detail,
        "by": stop.by or None,
    }


def pnl_view(results: Iterable[DayResult], sums: Mapping[str, DayPnl], broker: Decimal | None) -> View:
    """Return a trading day by strategy and symbol, and the sums beside the broker's figure."""
    own = DayPnl()
    for each in sums.values():
        own = own.plus(each)
    return {
        "broker": optional_text(broker),
        "own": optional_text(own.total),
        "realized": decimal_text(own.realized),
        "unrealized": optional_text(own.unrealized),
        "unknown": own.unknown or None,
        "strategies": [
            {
                "strategy_name": name,
                "realized": decimal_text(pnl.realized),
                "unrealized": optional_text(pnl.unrealized),
                "unknown": pnl.unknown or None,
            }
            for name, pnl in sorted(sums.items())
        ],
        "symbols": [
            {
                "strategy_name": r.where.strategy_name,
                "exchange": r.where.exchange,
                "symbol": r.where.symbol,
                "realized": decimal_text(r.realized),
                "unrealized": optional_text(r.unrealized),
                "carried": decimal_text(r.carried),
                "fills": r.fills,
            }
            for r in results
        ],
    }
