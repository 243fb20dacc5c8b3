"""What there is to say of a halt beside that it stands. A misspelt strategy halts nothing, and nobody would notice."""

from collections.abc import Sequence

_MOST_NAMED = 20


def never_seen(strategy_name: str, known: Sequence[str]) -> str | None:
    """That no order was ever of this strategy, and which strategies there are; None where there was one.

    The halt stands all the same: the strategy may begin later.
    """
    if strategy_name in known:
        return None
    if not known:
        return f"no order of {strategy_name} so far, nor of any other strategy"
    more = len(known) - _MOST_NAMED
    names = ", ".join(known[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"no order of {strategy_name} so far; there {'is' if len(known) == 1 else 'are'} {names}"
