"""Import the notices that earlier versions had sent, from the texts that they stored.

A migration uses this once.
"""

import re
from typing import TYPE_CHECKING

from domain.notice_keys import NoticeKey, NoticeSubject, joined, of_order

if TYPE_CHECKING:
    from sqlite_utils import Database

_INSERT = "INSERT OR IGNORE INTO told_notices VALUES (?, ?, ?, ?, ?, ?)"
_REFUSED = re.compile(r"(?P<user>.+) at (?P<broker>\S+?)(?:, whose rows are those of (?P<other>.+))?")
_MAY_BE_ANY_OF = re.compile(
    r"it may be broker order (?P<numbers>.+); the book cannot tell, so somebody has to resolve it"
)
_FILL_TAKEN_BACK = re.compile(
    r"the broker's book now says (?P<status>\S+) with (?P<shown>\S+) filled of (?P<number>.+), "
    r"which it had filled with (?P<filled>\S+): both cannot be true\..*"
)


def carry_over(db: "Database") -> None:
    """Store the keys of notices that must not be sent again."""
    _refused(db)
    _of_orders(db)


def _refused(db: "Database") -> None:
    rows = db.execute(
        "SELECT client_id, refused_account, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') FROM accounts "
        "WHERE refused_account IS NOT NULL"
    ).fetchall()
    for client_id, text, at in rows:
        found = _REFUSED.fullmatch(text)
        if found is not None:
            state = joined((found["user"], found["broker"], found["other"] or ""))
            db.execute(_INSERT, (client_id, NoticeSubject.REFUSED_ACCOUNT, "", state, None, at))


def _of_orders(db: "Database") -> None:
    """Import the reasons in the rows of orders. A notice was sent when such a reason was written there."""
    rows = db.execute(
        "SELECT client_id, command_id, reason_message, updated_at FROM orders "
        "WHERE reason_message LIKE 'it may be broker order %' "
        "OR reason_message LIKE 'the broker''s book now says %'"
    ).fetchall()
    for client_id, command_id, text, at in rows:
        key = _key(command_id, text)
        if key is not None:
            db.execute(_INSERT, (client_id, key.about, joined(key.facts), "", command_id, at))


def _key(command_id: str, text: str) -> NoticeKey | None:
    found = _MAY_BE_ANY_OF.fullmatch(text)
    if found is not None:
        return of_order(NoticeSubject.MAY_BE_ANY_OF, command_id, *found["numbers"].split(" or "))
    found = _FILL_TAKEN_BACK.fullmatch(text)
    if found is None:
        return None
    figures = (found["status"], found["shown"], found["filled"])
    return of_order(NoticeSubject.FILL_TAKEN_BACK, command_id, found["number"], *figures)
