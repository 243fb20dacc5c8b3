"""Make rows of numbers and times of other wires out of those of the Noren wire, whose values are all texts."""

import json
import re
from collections.abc import Mapping
from typing import Any

Fields = dict[str, Any]

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def without_missing(fields: Fields, row: Mapping[str, Any], **source: str) -> Fields:
    """Leave out each field whose source is missing in the row."""
    return {name: value for name, value in fields.items() if name not in source or source[name] in row}


def time_of(row: Mapping[str, str]) -> str:
    """`10:48:03 20-05-2020` becomes `2020-05-20 10:48:03`."""
    clock, date = row["norentm"].split()
    day, month, year = date.split("-")
    return f"{year}-{month}-{day} {clock}"


def plain(text: Any) -> Any:
    """Return a number's text as a JSON number; any other text as it is."""
    return json.loads(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else text
