"""The fields of the native format about its entries as a group: how they depend on each other, what protects them."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, PlainValidator

from alerts.formats.fields import number, read_one_of
from domain.combined import FIELD, CombinedTerms
from domain.combined_reading import DESCRIPTION, Amount, combined_terms, read_amounts, unit_fault
from domain.errors import InvalidAlert
from domain.limits import GroupPolicy


def _read(value: object) -> Mapping[str, Amount] | None:
    return None if value is None or value == "" else read_amounts(value, number)


_GROUPS = {
    each.upper(): each for each in (GroupPolicy.INDEPENDENT, GroupPolicy.HEDGE_FIRST, GroupPolicy.ALL_OR_NONE)
}

GroupField = Annotated[
    GroupPolicy | None,
    PlainValidator(read_one_of(_GROUPS)),
    Field(description="independent, hedge_first or all_or_none; or null for what its strategy has"),
]
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
