"""Find what would be left without exits while live trading is off.

That is units held, and orders that may still be filled.
"""

import sqlite3

from persistence.sqlite.queries.statements import statement

_NAMED = 5


def exposed(connection: sqlite3.Connection) -> dict[str, str]:
    """Return client id → a text of what the client has open, by the fills and orders of its strategies.

    Clients that have nothing open are left out.
    """
    found: dict[str, list[str]] = {}
    for client_id, what in connection.execute(statement("exposed")):
        found.setdefault(client_id, []).append(what)
    return {client: _listed(things) for client, things in found.items()}


def _listed(things: list[str]) -> str:
    more = f" and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    return ", ".join(things[:_NAMED]) + more
