"""Find orders by the end of an id, from an index of the alerts' ids read backwards.

SQLite searches an index from a text's beginning. The index therefore holds the last 12 characters of each order's
`alert_id`, the last one first. It costs one entry when an order is registered; no change of an order touches it.

An order's id is its alert's id, or begins with it: `<alert>-<leg>`, and `<alert>-<leg>.<part>` for a further part of an
exit. What remains of a typed end without leg and part is the end of an alert's id again, so that one index serves both.
"""

import json
import re
import sqlite3

from persistence.sqlite.queries.statements import statement

_LENGTH = 12  # characters: 10 of a ULID's random ones tell more than a trillion alerts apart
_BACKWARDS = " || ".join(f"substr(alert_id, -{place}, 1)" for place in range(1, _LENGTH + 1))
_LAST = "char(1114111)"  # no character sorts after it

_LEG_AND_PART = re.compile(
    r"-\d+(\.\d+)?|\.\d+|\d{1,2}(\.\d{1,2})?"
)  # three digits are no leg's number but a broker's

ORDERS_BY_ID_END = f"CREATE INDEX orders_by_id_end ON orders ({_BACKWARDS})"


def ending_query() -> str:
    """Return the statement that finds ids by the ends of their alerts' ids."""
    return statement("ids_ending").format(backwards=_BACKWARDS, last=_LAST)


def ids_ending(connection: sqlite3.Connection, text: str) -> list[str]:
    """Return the ids of the orders whose id, or whose alert's id, ends with the text; in no order.

    A text that may be leg and part alone (`-1`, `2`, `1.2`) costs a read of the whole index. A database without the
    index, such as an archive of an earlier version, is read as a whole.
    """
    ends = json.dumps(sorted({end[-_LENGTH:][::-1] for end in _alert_ends(text)}))
    return [row[0] for row in connection.execute(ending_query(), {"id": text, "ends": ends})] if text else []


def _alert_ends(text: str) -> set[str]:
    """Return what the end of an alert's id may be in the end of an order's id."""
    without_part = re.sub(r"\.\d+\Z", "", text)
    ends = {text, without_part, re.sub(r"-\d+\Z", "", without_part)}
    return ends | {""} if _LEG_AND_PART.fullmatch(text) else ends - {""}
