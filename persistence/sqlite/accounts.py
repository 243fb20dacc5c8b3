"""Record which broker account a client's rows belong to, in the client's row of `accounts`."""

import sqlite3

from domain.account import AccountStanding, BrokerAccount
from domain.errors import OpenOrders
from persistence.sqlite.queries.statements import statement

_FORGOTTEN = (
    "holdings",
    "positions",
    "unreadable_positions",
    "last_fills",
    "external_orders",
    "position_differences",
    "believed_ahead",
    "told_notices",
    "marks",
    "equities",
    "pnl_books",
    "accounts",  # profit and loss of the day, and when positions were read
)
_NAMED = 5  # open orders listed in an error message


def account(connection: sqlite3.Connection, client_id: str) -> BrokerAccount | None:
    """Return the broker account that the client's rows belong to, or None if none is recorded."""
    row = connection.execute(
        "SELECT broker, broker_user FROM accounts WHERE client_id = ? AND broker IS NOT NULL", (client_id,)
    ).fetchone()
    return None if row is None else BrokerAccount(*row)


def standing(connection: sqlite3.Connection, client_id: str, wanted: BrokerAccount) -> AccountStanding:
    """Return which account the client's rows belong to, and which other client id blocks it from `wanted`.

    Another client id whose rows belong to `wanted` blocks:

    - a client for which no account is recorded yet: always;
    - any other client: only while that client id has open orders or holdings.
    """
    known = {
        id_: BrokerAccount(broker, user)
        for id_, broker, user in connection.execute(
            "SELECT client_id, broker, broker_user FROM accounts WHERE broker IS NOT NULL ORDER BY client_id"
        )
    }
    mine = known.pop(client_id, None)
    others = [id_ for id_, each in known.items() if each == wanted]
    taken_by = next((id_ for id_ in others if mine is None or _has_open(connection, id_)), None)
    return AccountStanding(mine, taken_by)


def _has_open(connection: sqlite3.Connection, client_id: str) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1) "
        "OR EXISTS (SELECT 1 FROM holdings WHERE client_id = ?1)",
        (client_id,),
    ).fetchone()
    return bool(row[0])


def bind(connection: sqlite3.Connection, client_id: str, wanted: BrokerAccount) -> BrokerAccount:
    """Record the account unless one is recorded already. Return the recorded account."""
    connection.execute(
        statement("bind_account"),
        (client_id, wanted.broker, wanted.user),
    )
    return account(connection, client_id) or wanted


def watchers_of(connection: sqlite3.Connection, client_id: str) -> list[str]:
    """Return the names of watchers that wrote a heartbeat for the client or claimed an order that is SUBMITTING.

    Watchers that no longer run are included.
    """
    rows = connection.execute("SELECT DISTINCT watcher_id FROM heartbeats WHERE client_id = ?", (client_id,))
    claims = connection.execute(
        "SELECT DISTINCT claimed_by FROM orders WHERE status = 'SENT_TO_BROKER' AND client_id = ? "
        "AND phase = 'SUBMITTING' AND claimed_by IS NOT NULL",
        (client_id,),
    )
    return sorted({row[0] for row in (*rows, *claims)})


def rebind(connection: sqlite3.Connection, client_id: str, wanted: BrokerAccount) -> None:
    """Assign the client's rows to another account, and delete what was held, seen and notified at the old one.

    Raises:
        OpenOrders: orders of the client have not ended; nothing was changed.
    """
    found = connection.execute(
        "SELECT command_id, status, phase FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ? "
        "ORDER BY command_id",
        (client_id,),
    ).fetchall()
    if found:
        named = ", ".join(f"{id_} ({status}/{phase})" for id_, status, phase in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise OpenOrders(f"{client_id} has orders that have not ended: {named}{more}")
    for table in _FORGOTTEN:
        connection.execute(f"DELETE FROM {table} WHERE client_id = ?", (client_id,))
    bind(connection, client_id, wanted)
