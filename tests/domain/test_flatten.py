"""Which parts of what is open a flatten exits."""

from datetime import UTC, datetime
from decimal import Decimal

from domain.broker_reports import Position, PositionsSnapshot
from domain.flatten import parts_to_flatten
from domain.risk_facts import Holding

NOW = datetime(2026, 11, 30, 5, tzinfo=UTC)


def held(symbol: str, units: int, strategy: str = "S1") -> Holding:
    return Holding("default", strategy, "NFO", symbol, "MIS", Decimal(units), 1)


def read(*nets: tuple[str, int]) -> PositionsSnapshot:
    return PositionsSnapshot(NOW, tuple(Position("NFO", name, "MIS", Decimal(net)) for name, net in nets))


def units_of(parts):
    return [(p.strategy_name, p.symbol, int(p.quantity)) for p in parts]


def test_what_a_strategy_has_just_bought_is_a_part_before_a_read_shows_it():
    holdings = [held("AA", 50), held("BB", -20, "S2")]
    assert units_of(parts_to_flatten("default", read(), holdings)) == [("S1", "AA", 50), ("S2", "BB", -20)]
    assert units_of(parts_to_flatten("default", read(("AA", 50)), holdings, symbol="AA")) == [
        ("S1", "AA", 50)
    ]
    assert units_of(parts_to_flatten("default", read(), holdings, strategy_name="S2")) == [("S2", "BB", -20)]
    assert parts_to_flatten("default", read(), holdings, symbol="CC") == []
