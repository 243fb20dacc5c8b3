"""The field of the native format that protects the entries of an alert as a whole."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, PlainValidator

from alerts.formats.fields import number
from domain.combined import FIELD, CombinedTerms
from domain.combined_reading import DESCRIPTION, Amount, combined_terms, read_amounts, unit_fault
from domain.errors import InvalidAlert


def _read(value: object) -> Mapping[str, Amount] | None:
    return None if value is None or value == "" else read_amounts(value, number)


CombinedField = Annotated[
    Mapping[str, Amount] | None,
    PlainValidator(_read),
    Field(description=f"an object with {DESCRIPTION}; or null for none"),
]


def combined_of_alert(amounts: Mapping[str, Amount] | None) -> CombinedTerms | None:
    """Return what protects the alert's entries as a whole; None: nothing.

    Raises:
        InvalidAlert: the amounts cannot be meant.
    """
    if amounts is None:
        return None
    terms = combined_terms(amounts)
    fault = unit_fault(amounts) or terms.fault
    if fault is not None:
        raise InvalidAlert("INVALID", fault[1], f"{FIELD}.{fault[0]}")
    return terms
