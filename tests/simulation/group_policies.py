"""How the strategies of a world group the legs of their alerts."""

from datetime import timedelta
from random import Random

from domain.limits import GroupPolicy, StrategyBook, StrategyPolicy, WhenIncomplete


def policies(random: Random, rate: float) -> StrategyBook:
    """How the strategies of a world group their legs; `rate`: how many of them otherwise than by default."""

    def one() -> StrategyPolicy:
        if random.random() >= rate:
            return StrategyPolicy()
        policy = random.choice(
            (
                GroupPolicy.ALL_OR_NONE,
                GroupPolicy.ALL_OR_NONE,
                GroupPolicy.HEDGE_FIRST,
                GroupPolicy.BEST_EFFORT,
            )
        )
        return StrategyPolicy(
            group=policy,
            group_timeout=timedelta(seconds=random.choice((2, 8, 20, 60))),
            group_incomplete=WhenIncomplete.UNWIND,
            group_minimum=random.choice((1, 2)),
        )

    return StrategyBook(StrategyPolicy(), {f"S{number}": one() for number in range(8)})
