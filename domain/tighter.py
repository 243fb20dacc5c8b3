"""Which of two values of a limit is the tighter one, where two tables set it and neither is more specific. Pure."""

from dataclasses import replace
from typing import Any

from domain.limits import CooldownAfter, LimitAction, LimitBook, Limits

_TIGHTEST = {
    "cooldown_after": CooldownAfter.ANY,
    **dict.fromkeys(("on_daily_loss", "on_daily_profit"), LimitAction.FLATTEN),
}
_MORE_IS_TIGHTER = frozenset(
    {"cooldown_minutes", "stop_streak_minutes", "stop_streak_pause_minutes", "drawdown_days"}
)


def tighter(field: str, one: Any, other: Any) -> Any:
    """Return the value that lets fewer entries through.

    Where neither does, as with `flatten_scope`, it is `one`. A limit that one of them does not set is the other's.
    """
    if one is None or other is None:
        return other if one is None else one
    if field in _TIGHTEST:
        return _TIGHTEST[field] if _TIGHTEST[field] in (one, other) else one
    if field == "flatten_scope":
        return one
    if field == "restricted_symbols":
        return tuple(sorted({*one, *other}))
    if field == "products":
        return tuple(name for name in one if name in other)
    return max(one, other) if field in _MORE_IS_TIGHTER else min(one, other)


def limits_of(book: LimitBook, strategy_name: str, symbol: str) -> Limits:
    """Return what binds the strategy's entries in this symbol: its limits, tightened by the symbol's tables."""
    limits = book.for_strategy(strategy_name)
    found = tuple(table for table in book.by_symbol if table.covers(symbol))
    if not found:
        return limits
    changes = dict[str, Any]()
    for table in found:
        for field, value in table.of_orders.items():
            changes[field] = tighter(field, changes.get(field, getattr(limits, field)), value)
    return replace(limits, **changes, of_symbols=found)
