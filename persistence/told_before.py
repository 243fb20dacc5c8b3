"""What earlier versions remembered of what they had told, in their own words; read once, by a migration."""

import re

from sqlite_utils import Database

from domain.notice_keys import About, joined

_INSERT = "INSERT OR IGNORE INTO told_notices VALUES (?, ?, ?, ?, ?, ?)"
_REFUSED = re.compile(r"(?P<user>.+) at (?P<broker>\S+?)(?:, whose rows are those of (?P<other>.+))?")


def carry_over(db: Database) -> None:
    """Keep under its key what is not to be told again."""
    _refused(db)


def _refused(db: Database) -> None:
    rows = db.execute(
        "SELECT client_id, refused_account, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') FROM accounts "
        "WHERE refused_account IS NOT NULL"
    ).fetchall()
    for client_id, text, at in rows:
        found = _REFUSED.fullmatch(text)
        if found is not None:
            state = joined((found["user"], found["broker"], found["other"] or ""))
            db.execute(_INSERT, (client_id, About.REFUSED_ACCOUNT, "", state, None, at))
