"""A warning about a halt of an unknown strategy: a misspelt name halts nothing, and nobody would notice."""

from collections.abc import Sequence

_MOST_NAMED = 20


def never_seen(strategy_name: str, known: Sequence[str]) -> str | None:
    """Warn that no order was ever of this strategy, and name the known strategies; None where there was one.

    The halt is set all the same, because the strategy may begin later.
    """
    if strategy_name in known:
        return None
    if not known:
        return f"no order of {strategy_name} so far, nor of any other strategy"
    more = len(known) - _MOST_NAMED
    names = ", ".join(known[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"no order of {strategy_name} so far; there {'is' if len(known) == 1 else 'are'} {names}"
