"""The tables of protections, of their history, and of the last prices that they look at."""

PROTECTIONS = """
CREATE TABLE protections (
    protection_id TEXT PRIMARY KEY,
    command_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    stop_loss TEXT,
    target TEXT,
    trailing_type TEXT CHECK (trailing_type IN ('POINTS', 'PERCENT', 'STEP')),
    trailing_value TEXT,
    trail_when TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('WAITING', 'ACTIVE', 'FIRED', 'ENDED')),
    generation INTEGER NOT NULL,
    filled TEXT NOT NULL,
    average_price TEXT,
    quantity TEXT NOT NULL,
    exited TEXT NOT NULL,
    active_since TEXT,
    stop_price TEXT,
    target_price TEXT,
    best_price TEXT,
    is_armed INTEGER NOT NULL CHECK (is_armed IN (0, 1)),
    mark_price TEXT,
    mark_at TEXT,
    over_since TEXT,
    unknown_since TEXT,
    is_unknown INTEGER NOT NULL CHECK (is_unknown IN (0, 1)),
    trail_told_at TEXT,
    fired_by TEXT,
    fired_at TEXT,
    fired_price TEXT,
    exit_command_id TEXT,
    reason TEXT,
    version INTEGER NOT NULL,
    CONSTRAINT fired_has_exit CHECK (status <> 'FIRED' OR exit_command_id IS NOT NULL)
) STRICT;
CREATE INDEX protections_open ON protections (client_id, created_at) WHERE status IN ('WAITING', 'ACTIVE');
CREATE INDEX protections_by_time ON protections (created_at);
CREATE INDEX protections_of_entry ON protections (command_id);
CREATE INDEX protections_of_exit ON protections (exit_command_id) WHERE exit_command_id IS NOT NULL;
CREATE TABLE protection_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    protection_id TEXT NOT NULL,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail_json TEXT NOT NULL
) STRICT;
CREATE INDEX protection_events_of_protection ON protection_events (protection_id, event_id);
CREATE TABLE marks (
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    price TEXT NOT NULL,
    at TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (client_id, exchange, symbol)
) STRICT, WITHOUT ROWID;
"""

SECOND_TRIES = """
ALTER TABLE protections ADD COLUMN exits TEXT NOT NULL DEFAULT '[]';
ALTER TABLE protections ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE protections ADD COLUMN retry_at TEXT;
ALTER TABLE protections ADD COLUMN retry_rule TEXT;
ALTER TABLE protections ADD COLUMN retry_units TEXT;
ALTER TABLE protections ADD COLUMN is_watched INTEGER NOT NULL DEFAULT 0 CHECK (is_watched IN (0, 1));
UPDATE protections SET is_watched = 1 WHERE status IN ('WAITING', 'ACTIVE');
DROP INDEX protections_open;
CREATE INDEX protections_watched ON protections (client_id, created_at) WHERE is_watched = 1;
CREATE TABLE protection_exits (
    command_id TEXT PRIMARY KEY,
    protection_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO protection_exits
    SELECT exit_command_id, protection_id FROM protections WHERE exit_command_id IS NOT NULL;
"""

FURTHER_TERMS = """
ALTER TABLE orders ADD COLUMN protection_json TEXT;
ALTER TABLE protections ADD COLUMN protection_json TEXT;
ALTER TABLE protections ADD COLUMN targets_sold TEXT NOT NULL DEFAULT '[]';
"""

COST_AND_TIME = """
ALTER TABLE protections ADD COLUMN is_at_cost INTEGER NOT NULL DEFAULT 0 CHECK (is_at_cost IN (0, 1));
ALTER TABLE protections ADD COLUMN exit_at TEXT;
"""

LOCKS = "ALTER TABLE protections ADD COLUMN locked_steps INTEGER"
