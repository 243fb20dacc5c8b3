"""Numbers survive being written, and one number has one text."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import decimal_text, optional_decimal, optional_text, parse_decimal

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
numbers = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=28).map(tuple),
    st.integers(-20, 12),
)


@QUICK
@given(numbers)
def test_a_number_survives_being_written(value):
    assert parse_decimal(decimal_text(value)) == value


@QUICK
@given(numbers, st.integers(0, 6))
def test_one_number_has_one_text_however_it_was_noted(value, zeros):
    sign, digits, exponent = value.as_tuple()
    padded = Decimal((sign, (*digits, *[0] * zeros), int(exponent) - zeros))
    assert decimal_text(padded) == decimal_text(value)


@QUICK
@given(numbers)
def test_the_text_is_plain(value):
    text = decimal_text(value)
    assert set(text) <= set("-0123456789.")
    whole, _, fraction = text.lstrip("-").partition(".")
    assert whole == "0" or not whole.startswith("0")
    assert not fraction.endswith("0")
    assert text != "-0" and not text.endswith(".")


@pytest.mark.parametrize(
    ("noted", "text"),
    [("112.50", "112.5"), ("1E+3", "1000"), ("50.0", "50"), ("-0", "0"), ("0.0000001", "0.0000001")],
)
def test_texts_by_example(noted, text):
    assert decimal_text(Decimal(noted)) == text


def test_a_number_of_more_than_28_digits_survives_too():
    value = Decimal("1234567890123456789012345678.5")
    assert parse_decimal(decimal_text(value)) == value


@pytest.mark.parametrize("text", ["", "abc", "1,5", "12abc", "NaN", "sNaN", "Infinity", "-inf", "0x10"])
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(ValueError, match="is not a"):
        parse_decimal(text)


def test_nothing_stays_nothing():
    assert optional_text(None) is None
    assert optional_decimal(None) is None
    assert optional_text(Decimal("1.0")) == "1"
    assert optional_decimal("1.50") == Decimal("1.5")
