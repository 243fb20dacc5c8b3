"""One name in two spellings is one instrument; two names are none."""

import pytest

from alerts.formats.sheet import _same_symbol


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("INFY", "NSE:INFY", True),
        ("BTC_USDT", "BTCUSDT", True),
        (" infy-eq", "INFY-EQ", True),
        ("NSE:INFY", "BSE:INFY", False),
        ("INFY", "TCS", False),
        ("NIFTY26NOV24500CE", "NIFTY26NOV24500PE", False),
    ],
)
def test_two_spellings_are_compared_without_the_signs_within(one, other, is_same):
    assert _same_symbol(one, other) is is_same
    assert _same_symbol(other, one) is is_same
