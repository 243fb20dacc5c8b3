"""Triggers generated from the domain's transition table, so that even an operator's UPDATE cannot break it.

They enforce these rules:

- A row of `orders` moves only along an edge of the table, and only to where its newest event says it is.
- What identifies an order does not change, nor do its side and quantity once it is no longer CREATED. Its client id
  changes only by an event that records the move.
- `order_events` is append-only, and each event follows the head of its order's chain.
- No order and no event is deleted unless it has been archived.
- `event_checkpoints` and `adoptions` are append-only.

`INSERT OR REPLACE` deletes rows without firing the DELETE triggers. The INSERT triggers therefore refuse a row that
exists already.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import fields

from domain.order import Order
from domain.states import TRANSITIONS, Phase

CONCURRENT = "concurrent update: the order has moved on"
ILLEGAL = "illegal transition: the table of transitions has no such edge"
UNRECORDED = "unrecorded change: an order moves only with its event; use cli.py"


def _quoted(phases: Iterable[Phase]) -> str:
    return ", ".join(f"'{phase}'" for phase in sorted(phases))


_ILLEGAL = " ".join(f"WHEN '{a}' THEN NEW.phase NOT IN ({_quoted(to)})" for a, to in TRANSITIONS.items())

_MOVES_WITH = {"client_id", "updated_at", "event_hash"}
_ANYTHING_ELSE = " OR ".join(
    f"NEW.{each.name} IS NOT OLD.{each.name}" for each in fields(Order) if each.name not in _MOVES_WITH
)

TRIGGERS: dict[str, str] = {
    "orders_transition": f"""
        CREATE TRIGGER orders_transition BEFORE UPDATE ON orders
        WHEN NEW.client_id = OLD.client_id AND CASE OLD.phase {_ILLEGAL} ELSE 1 END
        BEGIN SELECT RAISE(ABORT, '{ILLEGAL}'); END""",
    "orders_recorded": f"""
        CREATE TRIGGER orders_recorded BEFORE UPDATE ON orders
        WHEN NEW.event_hash = OLD.event_hash OR NOT EXISTS (
            SELECT 1 FROM order_events WHERE event_id =
                (SELECT max(event_id) FROM order_events WHERE command_id = NEW.command_id)
            AND hash = NEW.event_hash AND to_phase = NEW.phase AND previous_hash = OLD.event_hash)
        BEGIN SELECT RAISE(ABORT, '{UNRECORDED}'); END""",
    "orders_identity": f"""
        CREATE TRIGGER orders_identity BEFORE UPDATE ON orders
        WHEN NEW.command_id <> OLD.command_id OR NEW.alert_id <> OLD.alert_id
            OR NEW.symbol <> OLD.symbol OR NEW.exchange <> OLD.exchange
            OR NEW.client_order_id <> OLD.client_order_id OR NEW.strategy_name <> OLD.strategy_name
            OR (OLD.status <> 'CREATED' AND (NEW.side <> OLD.side OR NEW.quantity <> OLD.quantity))
        BEGIN SELECT RAISE(ABORT, '{ILLEGAL}'); END""",
    # With its client id nothing else of an order changes, and its event must record the old and the new id.
    "orders_moved": f"""
        CREATE TRIGGER orders_moved BEFORE UPDATE ON orders
        WHEN NEW.client_id <> OLD.client_id AND ({_ANYTHING_ELSE} OR NOT EXISTS (
            SELECT 1 FROM order_events WHERE command_id = NEW.command_id AND hash = NEW.event_hash
            AND json_extract(detail_json, '$.client_id') = NEW.client_id
            AND json_extract(detail_json, '$.moved_from') = OLD.client_id))
        BEGIN SELECT RAISE(ABORT, '{ILLEGAL}'); END""",
    "orders_born": f"""
        CREATE TRIGGER orders_born BEFORE INSERT ON orders
        WHEN NEW.phase <> 'REGISTERED' OR NOT EXISTS (
            SELECT 1 FROM order_events WHERE command_id = NEW.command_id AND hash = NEW.event_hash)
            OR EXISTS (SELECT 1 FROM orders WHERE command_id = NEW.command_id)
        BEGIN SELECT RAISE(ABORT, '{UNRECORDED}'); END""",
    "orders_kept": """
        CREATE TRIGGER orders_kept BEFORE DELETE ON orders
        WHEN NOT EXISTS (SELECT 1 FROM archived_orders WHERE command_id = OLD.command_id)
        BEGIN SELECT RAISE(ABORT, 'orders are kept: archive them first'); END""",
    "order_events_chain": f"""
        CREATE TRIGGER order_events_chain BEFORE INSERT ON order_events
        WHEN NEW.previous_hash <> coalesce(
            (SELECT event_hash FROM orders WHERE command_id = NEW.command_id), '')
            OR EXISTS (SELECT 1 FROM order_events WHERE event_id = NEW.event_id)
        BEGIN SELECT RAISE(ABORT, '{CONCURRENT}'); END""",
    "order_events_no_update": """
        CREATE TRIGGER order_events_no_update BEFORE UPDATE ON order_events
        BEGIN SELECT RAISE(ABORT, 'order_events is append-only'); END""",
    "order_events_no_delete": """
        CREATE TRIGGER order_events_no_delete BEFORE DELETE ON order_events
        WHEN NOT EXISTS (SELECT 1 FROM archived_orders WHERE command_id = OLD.command_id)
        BEGIN SELECT RAISE(ABORT, 'order_events is append-only'); END""",
    "event_checkpoints_no_replace": """
        CREATE TRIGGER event_checkpoints_no_replace BEFORE INSERT ON event_checkpoints
        WHEN EXISTS (SELECT 1 FROM event_checkpoints WHERE checkpoint_id = NEW.checkpoint_id)
        BEGIN SELECT RAISE(ABORT, 'event_checkpoints is append-only'); END""",
    "event_checkpoints_no_update": """
        CREATE TRIGGER event_checkpoints_no_update BEFORE UPDATE ON event_checkpoints
        BEGIN SELECT RAISE(ABORT, 'event_checkpoints is append-only'); END""",
    "adoptions_chain": f"""
        CREATE TRIGGER adoptions_chain BEFORE INSERT ON adoptions
        WHEN NEW.previous_hash <> coalesce((SELECT hash FROM adoptions ORDER BY adoption_id DESC LIMIT 1), '')
            OR EXISTS (SELECT 1 FROM adoptions WHERE adoption_id = NEW.adoption_id)
        BEGIN SELECT RAISE(ABORT, '{CONCURRENT}'); END""",
    "adoptions_no_update": """
        CREATE TRIGGER adoptions_no_update BEFORE UPDATE ON adoptions
        BEGIN SELECT RAISE(ABORT, 'adoptions is append-only'); END""",
    "adoptions_no_delete": """
        CREATE TRIGGER adoptions_no_delete BEFORE DELETE ON adoptions
        BEGIN SELECT RAISE(ABORT, 'adoptions is append-only'); END""",
    "protection_events_no_update": """
        CREATE TRIGGER protection_events_no_update BEFORE UPDATE ON protection_events
        BEGIN SELECT RAISE(ABORT, 'protection_events is append-only'); END""",
    "protection_events_no_delete": """
        CREATE TRIGGER protection_events_no_delete BEFORE DELETE ON protection_events
        BEGIN SELECT RAISE(ABORT, 'protection_events is append-only'); END""",
    "order_group_events_no_update": """
        CREATE TRIGGER order_group_events_no_update BEFORE UPDATE ON order_group_events
        BEGIN SELECT RAISE(ABORT, 'order_group_events is append-only'); END""",
    "order_group_events_no_delete": """
        CREATE TRIGGER order_group_events_no_delete BEFORE DELETE ON order_group_events
        BEGIN SELECT RAISE(ABORT, 'order_group_events is append-only'); END""",
    "event_checkpoints_no_delete": """
        CREATE TRIGGER event_checkpoints_no_delete BEFORE DELETE ON event_checkpoints
        BEGIN SELECT RAISE(ABORT, 'event_checkpoints is append-only'); END""",
}


def sync_triggers(connection: sqlite3.Connection) -> None:
    """Replace the database's triggers with this program's, in one transaction, so that none is ever missing."""
    wanted = {name: sql.strip() for name, sql in TRIGGERS.items()}
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    present = {name: sql.strip() for name, sql in rows}
    if present == wanted:
        return
    connection.execute("BEGIN IMMEDIATE")
    for name in present:
        connection.execute(f'DROP TRIGGER IF EXISTS "{name}"')
    for sql in wanted.values():
        connection.execute(sql)
    connection.execute("COMMIT")
