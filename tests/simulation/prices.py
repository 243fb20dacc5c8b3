"""Last prices of a simulated market: each symbol's price goes up and down on a path that follows from the seed."""

from decimal import Decimal
from math import pi, sin
from random import Random

from tests.simulation.plan import Plan

PRICE = Decimal("101.5")
"""What every fill costs, and around what prices move."""
_TICK = Decimal("0.05")


class Prices:
    """The true last price of each symbol at any second."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._paths: dict[str, tuple[float, float, float]] = {}
        self._closed_at: float | None = None

    def close(self, seconds: float) -> None:
        """The market closes in that second: from then on nothing moves."""
        self._closed_at = seconds

    def at(self, symbol: str, seconds: float) -> Decimal:
        """The symbol's last price in that second."""
        if self._closed_at is not None:
            seconds = min(seconds, self._closed_at)
        path = self._paths.get(symbol)
        if path is None:
            random: Random = self._plan.random(f"price of {symbol}")
            path = random.uniform(1.0, 9.0), random.uniform(30.0, 200.0), random.uniform(0.0, 2 * pi)
            self._paths[symbol] = path
        height, period, phase = path
        ticks = round(height * sin(2 * pi * seconds / period + phase) / float(_TICK))
        return PRICE + ticks * _TICK
