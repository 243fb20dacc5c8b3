"""Decimal text: the only format in which money and quantities are written and read back."""

from decimal import Decimal, InvalidOperation

ZERO = Decimal(0)


def decimal_text(value: Decimal) -> str:
    """Return plain decimal text without exponent and without trailing zeros: `112.50` → `112.5`, `1E+3` → `1000`."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def parse_decimal(text: str) -> Decimal:
    """Read decimal text.

    Raises:
        ValueError: the text is not a finite number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    return value


def optional_text(value: Decimal | None) -> str | None:
    """Apply `decimal_text`; None stays None."""
    return None if value is None else decimal_text(value)


def optional_decimal(text: str | None) -> Decimal | None:
    """Apply `parse_decimal`; None stays None."""
    return None if text is None else parse_decimal(text)
