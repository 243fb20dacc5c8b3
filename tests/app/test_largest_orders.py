"""How many units one order may have, by the lists of instruments."""

from decimal import Decimal
from typing import Any

import pytest

from app.instruments import largest_of
from domain.errors import StoreUnavailable
from domain.instruments.instrument import Instrument, Kind


@pytest.mark.parametrize(
    ("freeze", "lot", "largest"),
    [
        ("1800", "65", "1755"),
        ("600", "30", "600"),
        (None, "65", None),
        ("1800", None, "1800"),
        ("20", "65", None),
    ],
)
def test_a_slice_is_whole_lots_up_to_the_freeze_quantity(freeze, lot, largest):
    contract = Instrument("NFO", "SYM", "1", Kind.CALL, "NIFTY", lot=some(lot), freeze=some(freeze))
    assert contract.largest_order == some(largest)


def test_nothing_is_sliced_where_no_list_has_just_this_contract():
    contract = Instrument("NFO", "SYM", "1", Kind.CALL, "NIFTY", lot=Decimal(65), freeze=Decimal(1800))
    assert largest_of(Lists([contract]), "b")("NFO", "sym") == 1755
    assert largest_of(Lists([contract]), "b")("BFO", "SYM") is None
    assert largest_of(Lists([contract, contract]), "b")("NFO", "SYM") is None
    assert largest_of(Lists(None), "b")("NFO", "SYM") is None
    assert largest_of(Lists(StoreUnavailable("gone")), "b")("NFO", "SYM") is None


class Lists:
    """A store of instruments with one list, none, or none that can be read."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def current(self, broker: str) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return None if self.found is None else self

    def named(self, symbol: str) -> Any:
        return [each for each in self.found if each.symbol == symbol]


def some(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
