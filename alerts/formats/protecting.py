"""The fields of the native format that protect what an entry opens."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainValidator

from alerts.formats.fields import OR_NONE, number, read_level, read_price

_MOST_TARGETS = 10
_HUNDRED = Decimal(100)

Targets = tuple[tuple[str, Decimal], ...]
"""Several targets: each level's text, and its share in percent."""


def _target(value: object) -> str | Targets | None:
    """Read one target, or a list of several; the last one may leave its share out, and takes the rest."""
    if not isinstance(value, list):
        return None if value is None or value == "" else read_level(value)
    if not 2 <= len(value) <= _MOST_TARGETS:
        raise ValueError
    read: list[tuple[str, Decimal]] = []
    for place, each in enumerate(value, start=1):
        if not isinstance(each, Mapping) or not {"value"} <= each.keys() <= {"value", "share"}:
            raise ValueError
        level = read_level(each["value"])
        share = each.get("share")
        if share is None and place == len(value):
            share = _HUNDRED - sum(share for _, share in read)
        share = number(share)
        if level is None or not 0 < share < _HUNDRED:
            raise ValueError
        read.append((level, share))
    return tuple(read)


def _lot_size(value: object) -> Decimal | None:
    return None if value is None or value == "" else read_price(value)


TargetField = Annotated[
    str | Targets | None,
    PlainValidator(_target),
    Field(
        description=f'a price above 0, or a distance such as "2%" (below 100%) or "10pt"{OR_NONE}; or a list of 2 to '
        f'{_MOST_TARGETS} of {{"value": one of these, "share": percent}}, of which the last may leave its share out'
    ),
]
LotSizeField = Annotated[
    Decimal | None, PlainValidator(_lot_size), Field(description=f"the units of one lot{OR_NONE}")
]
