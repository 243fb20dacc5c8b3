"""The tables of leg groups and of their history."""

GROUPS = """
CREATE TABLE order_groups (
    group_id TEXT PRIMARY KEY,
    alert_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    policy TEXT NOT NULL CHECK (policy IN ('hedge_first', 'all_or_none', 'best_effort')),
    when_incomplete TEXT NOT NULL CHECK (when_incomplete IN ('unwind', 'tell')),
    minimum INTEGER NOT NULL,
    legs TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deadline TEXT,
    state TEXT NOT NULL
        CHECK (state IN ('FORMING', 'INCOMPLETE', 'COMPLETE', 'UNWINDING', 'UNWOUND', 'LEFT_TO_PERSON')),
    why TEXT NOT NULL,
    incomplete_since TEXT,
    unwinding_since TEXT,
    version INTEGER NOT NULL,
    CONSTRAINT unwinding_began CHECK (state <> 'UNWINDING' OR unwinding_since IS NOT NULL)
) STRICT;
CREATE INDEX order_groups_open ON order_groups (client_id, created_at)
    WHERE state IN ('FORMING', 'INCOMPLETE', 'UNWINDING');
CREATE INDEX order_groups_of_alert ON order_groups (alert_id);
CREATE INDEX order_groups_by_time ON order_groups (created_at);
CREATE TABLE order_group_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id TEXT NOT NULL,
    at TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX order_group_events_of_group ON order_group_events (group_id, event_id);
"""

COMBINED = """
ALTER TABLE order_groups ADD COLUMN combined TEXT;
ALTER TABLE order_groups ADD COLUMN is_watched INTEGER NOT NULL DEFAULT 0 CHECK (is_watched IN (0, 1));
UPDATE order_groups SET is_watched = 1 WHERE state IN ('FORMING', 'INCOMPLETE', 'UNWINDING');
DROP INDEX order_groups_open;
CREATE INDEX order_groups_watched ON order_groups (client_id, created_at) WHERE is_watched = 1;
ALTER TABLE order_group_events ADD COLUMN kind TEXT;
"""
