"""Alerts and orders for the benchmarks."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice, product

from app.container import Services
from benchmarks.service import CLIENT
from domain.alert import Delivery, LegRequest, ParsedAlert, kind_of
from domain.enums import ExecutionType, OrderType, Side
from domain.receipt import Receipt

EXCHANGE = "NFO"
PRODUCT = "MIS"
_BODY = "x" * 400  # as long as the body of an alert
_LEGS = 50


def leg(symbol: str, side: Side | None = Side.BUY, price: int = 100) -> LegRequest:
    """A limit order of 50 units."""
    return LegRequest(
        symbol=symbol,
        exchange=EXCHANGE,
        side=side,
        quantity=Decimal(50),
        product=PRODUCT,
        order_type=OrderType.LIMIT,
        price=Decimal(price),
    )


def register(
    services: Services,
    legs: Iterable[LegRequest],
    *,
    strategy: str,
    signal: str | None = None,
    execution: ExecutionType = ExecutionType.ENTRY,
) -> Receipt:
    """Register one alert."""
    asked = tuple(replace(leg, kind=kind_of(execution, leg.quantity)) for leg in legs)
    alert = ParsedAlert("native", CLIENT, strategy, execution, asked, signal)
    delivery = Delivery(datetime.now(UTC), "127.0.0.1", _BODY, "native")
    return services.commands.register(alert, delivery)


def register_many(
    services: Services,
    count: int,
    *,
    symbols: int,
    strategies: str = "STRATEGY",
    execution: ExecutionType = ExecutionType.ENTRY,
) -> None:
    """Register `count` orders in `symbols` symbols: one for each pair of strategy and symbol, up to 50 in an alert."""
    names = [f"SYM{index:04d}" for index in range(symbols)]
    pairs = islice(product(range(count // symbols + 1), names), count)
    alerts: dict[tuple[int, int], list[LegRequest]] = {}
    for index, (strategy, symbol) in enumerate(pairs):
        alerts.setdefault((strategy, index // _LEGS), []).append(leg(symbol))
    for (strategy, part), legs in alerts.items():
        register(
            services, legs, strategy=f"{strategies}{strategy:03d}",
            signal=f"{strategies}-{execution}-{strategy}-{part}",
            execution=execution,
        )  # fmt: skip
