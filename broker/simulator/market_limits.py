"""The limit that a broker makes of a market order, a percentage beyond the market."""

from decimal import Decimal

from broker.simulator.exchange import Exchange
from domain.money import decimal_text


def limit_beyond(
    exchange: Exchange, symbol: tuple[str, str], side: str, percent: Decimal, trigger: str | None = None
) -> str:
    """Return a limit that far beyond the last price, or beyond the trigger where there is one. `side`: B or S."""
    exchange.know(*symbol)
    instrument = exchange.instruments()[symbol]
    base = exchange.price(instrument) if trigger is None else Decimal(trigger)
    beyond = base * (1 + (percent if side == "B" else -percent) / 100)
    steps = beyond // instrument.ti + (1 if side == "B" else 0)
    return decimal_text(max(steps * instrument.ti, instrument.ti))
