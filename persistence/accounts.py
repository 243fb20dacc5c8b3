"""Whose orders a client's rows are, in the client's row of `accounts`."""

import sqlite3

from domain.account import BrokerAccount
from domain.errors import OpenOrders

_FORGOTTEN = (
    "holdings",
    "positions",
    "unreadable_positions",
    "last_fills",
    "external_orders",
    "position_differences",
    "accounts",  # profit and loss of the day, and when positions were read
)
_NAMED = 5  # open orders, in a refusal


def account(connection: sqlite3.Connection, client_id: str) -> BrokerAccount | None:
    """The account that is remembered; None while none is."""
    row = connection.execute(
        "SELECT broker, broker_user FROM accounts WHERE client_id = ? AND broker IS NOT NULL", (client_id,)
    ).fetchone()
    return None if row is None else BrokerAccount(*row)


def bind(connection: sqlite3.Connection, client_id: str, wanted: BrokerAccount) -> BrokerAccount:
    """Remember the account unless one is; what is remembered then."""
    connection.execute(
        "INSERT INTO accounts (client_id, broker, broker_user) VALUES (?, ?, ?) ON CONFLICT (client_id) DO UPDATE "
        "SET broker = excluded.broker, broker_user = excluded.broker_user WHERE broker IS NULL",
        (client_id, wanted.broker, wanted.user),
    )
    return account(connection, client_id) or wanted


def note_refused(connection: sqlite3.Connection, client_id: str, refused: BrokerAccount | None) -> bool:
    """Note the account that was told to be another than the rows'; True when that was not noted before."""
    text = None if refused is None else str(refused)
    done = connection.execute(
        "UPDATE accounts SET refused_account = ?1 WHERE client_id = ?2 AND refused_account IS NOT ?1",
        (text, client_id),
    )
    return done.rowcount > 0


def rebind(connection: sqlite3.Connection, client_id: str, wanted: BrokerAccount) -> None:
    """Make the rows another account's, and forget what was held, seen and told at the old one.

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
