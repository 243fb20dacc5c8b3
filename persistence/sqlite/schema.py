"""The tables of orders.db, each STRICT, and the indexes that keep every hot query off closed orders.

Times are ISO-8601 UTC text of fixed width, money and quantities are decimal text.
"""

from domain.claim_priority import CLAIM_PRIORITY
from domain.states import STATUS_OF, Phase, Status


def _one_of(values: object) -> str:
    return ", ".join(f"'{v}'" for v in values)  # type: ignore[attr-defined]


def _phase_fits_status() -> str:
    return " OR ".join(
        f"(status = '{status}' AND phase IN ({_one_of(p for p in Phase if STATUS_OF[p] is status)}))"
        for status in Status
    )


ALERTS = """
CREATE TABLE alerts (
    alert_id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    signal_id TEXT,
    idempotency_key TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    generation INTEGER NOT NULL,
    duplicate_of TEXT,
    format TEXT NOT NULL,
    strategy_name TEXT,
    execution_type TEXT,
    received_at TEXT NOT NULL,
    remote_addr TEXT NOT NULL,
    raw_body TEXT NOT NULL,
    outcome TEXT NOT NULL,
    decision_type TEXT CHECK (decision_type IN ('EXECUTED', 'FAILED', 'SKIPPED')),
    reason_code TEXT,
    reason_message TEXT,
    context_json TEXT,
    exchange_error_snippet TEXT
) STRICT;
CREATE INDEX alerts_by_key ON alerts (idempotency_key, generation)
    WHERE duplicate_of IS NULL AND outcome <> 'rejected';
CREATE INDEX alerts_by_time ON alerts (received_at);
"""

ORDERS = f"""
CREATE TABLE orders (
    command_id TEXT PRIMARY KEY,
    alert_id TEXT NOT NULL,
    leg_index INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    execution_type TEXT NOT NULL CHECK (execution_type IN ('ENTRY', 'EXIT', 'ADJUST')),
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    quantity TEXT NOT NULL,
    requested_quantity TEXT,
    product TEXT NOT NULL,
    order_type TEXT NOT NULL CHECK (order_type IN ('MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT')),
    price TEXT,
    trigger_price TEXT,
    reference_price TEXT,
    stop_loss TEXT,
    target TEXT,
    trailing_type TEXT,
    trailing_value TEXT,
    trail_when TEXT,
    test_mode TEXT CHECK (test_mode IN ('SUCCESS', 'FAILURE')),
    client_order_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    status TEXT NOT NULL,
    phase TEXT NOT NULL,
    tag TEXT,
    broker_order_id TEXT,
    filled_quantity TEXT NOT NULL,
    average_price TEXT,
    claimed_by TEXT,
    sent_at TEXT,
    attempts INTEGER NOT NULL,
    not_before TEXT,
    cancel_requested_at TEXT,
    cancel_sent_at TEXT,
    escalation INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    decision_type TEXT CHECK (decision_type IN ('EXECUTED', 'FAILED', 'SKIPPED')),
    reason_code TEXT,
    reason_message TEXT,
    context_json TEXT,
    exchange_error_snippet TEXT,
    event_hash TEXT NOT NULL,
    CONSTRAINT phase_fits_status CHECK ({_phase_fits_status()}),
    CONSTRAINT executed_has_broker_id CHECK (status <> 'EXECUTED' OR broker_order_id IS NOT NULL)
) STRICT;
CREATE INDEX orders_claimable ON orders (client_id, execution_type DESC, created_at) WHERE status = 'CREATED';
CREATE INDEX orders_open ON orders (client_id, symbol) WHERE status IN ('CREATED', 'SENT_TO_BROKER');
CREATE INDEX orders_at_broker ON orders (client_id, created_at) WHERE status = 'SENT_TO_BROKER';
CREATE INDEX orders_closed ON orders (status, created_at, client_id, strategy_name, symbol)
    WHERE status IN ('EXECUTED', 'FAILED');
CREATE INDEX orders_by_broker_id ON orders (client_id, broker_order_id) WHERE broker_order_id IS NOT NULL;
CREATE INDEX orders_unplaced ON orders (client_order_id)
    WHERE broker_order_id IS NULL AND sent_at IS NOT NULL;
CREATE INDEX orders_by_alert ON orders (alert_id);
"""

ORDER_EVENTS = """
CREATE TABLE order_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    command_id TEXT NOT NULL,
    at TEXT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    from_phase TEXT,
    to_phase TEXT NOT NULL,
    tag TEXT,
    actor TEXT NOT NULL,
    detail_json TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX order_events_of_order ON order_events (command_id, event_id);
CREATE TABLE event_checkpoints (
    checkpoint_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    last_event_id INTEGER NOT NULL,
    events INTEGER NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
"""

ORDER_INTENTS = """
CREATE TABLE order_intents (
    id INTEGER PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    signal_id TEXT,
    command_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('PENDING', 'ORDER_PLACED', 'ORDER_FAILED', 'DEDUP_SKIPPED', 'ORDER_BLOCKED_LIVE_TRADING')),
    order_id TEXT,
    error_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX order_intents_of_order ON order_intents (command_id);
CREATE INDEX order_intents_at_broker ON order_intents (order_id) WHERE order_id IS NOT NULL;
"""

TELEGRAM_MESSAGES = """
CREATE TABLE telegram_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    symbol TEXT,
    message TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'SENT', 'FAILED')),
    attempts INTEGER NOT NULL,
    last_error TEXT,
    sent_at TEXT,
    telegram_message_id TEXT,
    command_id TEXT,
    alert_id TEXT,
    blocked INTEGER NOT NULL CHECK (blocked IN (0, 1))
) STRICT;
CREATE INDEX telegram_messages_pending ON telegram_messages (client_id, id) WHERE status = 'PENDING';
CREATE INDEX telegram_messages_of_order ON telegram_messages (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX telegram_messages_of_alert ON telegram_messages (alert_id)
    WHERE command_id IS NULL AND alert_id IS NOT NULL;
"""

BROKER_STATE = """
CREATE TABLE positions (
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    net_quantity TEXT NOT NULL,
    average_price TEXT,
    last_price TEXT,
    realized_pnl TEXT NOT NULL,
    unrealized_pnl TEXT NOT NULL,
    read_at TEXT NOT NULL,
    PRIMARY KEY (client_id, exchange, symbol, product)
) STRICT;
CREATE TABLE accounts (
    client_id TEXT PRIMARY KEY,
    positions_read_at TEXT,
    trading_day TEXT,
    pnl TEXT,
    lowest_pnl TEXT,
    read_error TEXT,
    read_error_at TEXT
) STRICT;
CREATE TABLE holdings (
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    exchange TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    product TEXT NOT NULL,
    net_quantity TEXT NOT NULL,
    entries INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (client_id, symbol, exchange, strategy_name, product)
) STRICT;
CREATE TABLE last_fills (
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    filled_at TEXT NOT NULL,
    PRIMARY KEY (client_id, symbol)
) STRICT;
"""

RUNNING = """
CREATE TABLE external_orders (
    client_id TEXT NOT NULL,
    broker_order_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    quantity TEXT NOT NULL,
    filled_quantity TEXT NOT NULL,
    broker_status TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    PRIMARY KEY (client_id, broker_order_id)
) STRICT;
CREATE TABLE heartbeats (
    watcher_id TEXT NOT NULL,
    loop TEXT NOT NULL,
    client_id TEXT NOT NULL,
    beat_at TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (watcher_id, loop, client_id)
) STRICT;
CREATE TABLE halts (
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    halted_at TEXT NOT NULL,
    halted_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (client_id, strategy_name)
) STRICT;
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until TEXT NOT NULL
) STRICT;
CREATE TABLE archived_orders (
    command_id TEXT PRIMARY KEY,
    event_hash TEXT NOT NULL,
    archived_at TEXT NOT NULL
) STRICT;
"""

POSITION_DIFFERENCES = """
CREATE TABLE position_differences (
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    held TEXT NOT NULL,
    at_broker TEXT NOT NULL,
    difference TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('DIFFERENT', 'EXTERNAL')),
    since TEXT NOT NULL,
    told_at TEXT NOT NULL,
    PRIMARY KEY (client_id, exchange, symbol, product)
) STRICT;
"""

FILLS_OF_EACH_SIDE = """
ALTER TABLE last_fills RENAME TO last_fills_of_any_side;
CREATE TABLE last_fills (
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    filled_at TEXT NOT NULL,
    PRIMARY KEY (client_id, symbol, side)
) STRICT;
INSERT INTO last_fills SELECT client_id, symbol, 'BUY', filled_at FROM last_fills_of_any_side;
INSERT INTO last_fills SELECT client_id, symbol, 'SELL', filled_at FROM last_fills_of_any_side;
DROP TABLE last_fills_of_any_side;
"""

ACCOUNTS_REMEMBERED = """
ALTER TABLE accounts ADD COLUMN broker TEXT;
ALTER TABLE accounts ADD COLUMN broker_user TEXT;
ALTER TABLE accounts ADD COLUMN refused_account TEXT;
"""

EXITS_BY_OWN_FILLS = """
ALTER TABLE orders ADD COLUMN requested_side TEXT CHECK (requested_side IN ('BUY', 'SELL'));
ALTER TABLE orders ADD COLUMN requested_product TEXT;
ALTER TABLE orders ADD COLUMN parent_command_id TEXT;
ALTER TABLE orders ADD COLUMN provisional_until TEXT;
CREATE INDEX orders_full_exits ON orders (client_id, symbol, strategy_name, command_id)
    WHERE execution_type = 'EXIT' AND requested_quantity IS NULL;
CREATE INDEX orders_absent ON orders (client_id, symbol) WHERE phase = 'ABSENT';
CREATE INDEX orders_parts ON orders (parent_command_id) WHERE parent_command_id IS NOT NULL;
ALTER TABLE external_orders ADD COLUMN product TEXT;
ALTER TABLE external_orders ADD COLUMN unexplained_quantity TEXT NOT NULL DEFAULT '0';
ALTER TABLE position_differences ADD COLUMN believed TEXT NOT NULL DEFAULT '0';
UPDATE position_differences SET believed = difference;
"""

DATABASE_IDENTITY = """
CREATE TABLE database_identity (
    id TEXT NOT NULL,
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO database_identity VALUES (lower(hex(randomblob(16))), 0);
"""

POSITIONS_COMPARED = """
ALTER TABLE accounts ADD COLUMN positions_compared_at TEXT;
"""

CLIENTS_NOT_CONFIGURED = """
CREATE TABLE unconfigured_clients (
    client_id TEXT PRIMARY KEY,
    told_at TEXT NOT NULL
) STRICT;
"""

UNREADABLE_POSITIONS = """
CREATE TABLE unreadable_positions (
    client_id TEXT NOT NULL,
    exchange TEXT,
    symbol TEXT,
    product TEXT,
    row_text TEXT NOT NULL,
    has_pnl INTEGER NOT NULL CHECK (has_pnl IN (0, 1)),
    read_at TEXT NOT NULL
) STRICT;
CREATE INDEX unreadable_positions_of_client ON unreadable_positions (client_id);
ALTER TABLE positions ADD COLUMN delivered TEXT NOT NULL DEFAULT '0';
"""

DAILY_LOSS = """
ALTER TABLE accounts ADD COLUMN known_pnl TEXT;
ALTER TABLE accounts ADD COLUMN carried_pnl TEXT;
ALTER TABLE accounts ADD COLUMN pnl_is_carried INTEGER NOT NULL DEFAULT 0 CHECK (pnl_is_carried IN (0, 1));
ALTER TABLE accounts ADD COLUMN recent_lows TEXT NOT NULL DEFAULT '[]';
ALTER TABLE accounts ADD COLUMN loss_counts_from TEXT NOT NULL DEFAULT '0';
ALTER TABLE accounts ADD COLUMN loss_latched TEXT NOT NULL DEFAULT '[]';
UPDATE accounts SET known_pnl = pnl;
CREATE TABLE lifts (
    lift_id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    lifted_at TEXT NOT NULL,
    lifted_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    trading_day TEXT NOT NULL,
    lowest_pnl TEXT,
    pnl TEXT NOT NULL,
    loss_counted_from TEXT NOT NULL,
    latched TEXT NOT NULL
) STRICT;
"""

ENTRIES_THAT_WAIT = """
ALTER TABLE orders ADD COLUMN waits_for TEXT CHECK (waits_for IN ('EXIT', 'SETTLING', 'GROUP'));
CREATE INDEX orders_waiting ON orders (client_id) WHERE status = 'CREATED' AND waits_for IS NOT NULL;
"""

ADOPTED_UNITS = """
CREATE TABLE adoptions (
    adoption_id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    quantity TEXT NOT NULL,
    average_price TEXT,
    adopted_at TEXT NOT NULL,
    adopted_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    positions_read_at TEXT NOT NULL,
    at_broker TEXT NOT NULL,
    moved_from INTEGER,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
"""

OUR_TAGS_IN_THE_BOOK = """
ALTER TABLE external_orders ADD COLUMN client_order_id TEXT;
CREATE INDEX external_orders_tagged ON external_orders (client_order_id) WHERE client_order_id IS NOT NULL;
"""

SHARES_OF_EARLIER_DAYS = """
ALTER TABLE position_differences ADD COLUMN savings TEXT NOT NULL DEFAULT '0';
"""

UNEXPLAINED_EXTERNAL_ORDERS = """
CREATE INDEX external_orders_unexplained ON external_orders (client_id, symbol) WHERE unexplained_quantity <> '0';
"""

HEARTBEATS_PART_BY_PART = """
ALTER TABLE heartbeats ADD COLUMN missing_json TEXT;
"""

FACTS_OF_MESSAGES = """
ALTER TABLE telegram_messages ADD COLUMN facts_json TEXT;
"""

DETAILS_OF_REASONS = """
ALTER TABLE orders ADD COLUMN reason_detail TEXT;
"""

TOLD_ONCE = """
CREATE TABLE told_notices (
    client_id TEXT NOT NULL,
    about TEXT NOT NULL,
    facts TEXT NOT NULL,
    state TEXT NOT NULL,
    command_id TEXT,
    told_at TEXT NOT NULL,
    PRIMARY KEY (client_id, about, facts)
) STRICT, WITHOUT ROWID;
CREATE INDEX told_notices_of_order ON told_notices (command_id) WHERE command_id IS NOT NULL;
INSERT INTO told_notices SELECT client_id, 'UNCONFIGURED_CLIENT', '', '', NULL, told_at FROM unconfigured_clients;
INSERT INTO told_notices SELECT client_id, 'FROZEN', command_id, '', command_id,
    (SELECT min(t.timestamp) FROM telegram_messages t WHERE t.command_id = o.command_id AND t.kind = 'FROZEN')
    FROM orders o WHERE EXISTS (
        SELECT 1 FROM telegram_messages t WHERE t.command_id = o.command_id AND t.kind = 'FROZEN');
INSERT INTO told_notices SELECT client_id, 'CANCEL_UNCONFIRMED', command_id, '', command_id, updated_at FROM orders
    WHERE exchange_error_snippet LIKE 'cancel not confirmed: %';
"""

TOLD_ELSEWHERE = """
DROP TABLE unconfigured_clients;
ALTER TABLE accounts DROP COLUMN refused_account;
"""

SHOWN_WITHOUT_A_GAP = """
ALTER TABLE position_differences ADD COLUMN shown_since TEXT NOT NULL DEFAULT '';
UPDATE position_differences SET shown_since = since;
CREATE TABLE believed_ahead (
    client_id TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    product TEXT NOT NULL,
    units TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (client_id, exchange, symbol, product)
) STRICT, WITHOUT ROWID;
"""

# The database computes the number, so that no row lacks it and none contradicts it.
CLAIM_PRIORITIES = f"""
DROP INDEX orders_claimable;
ALTER TABLE orders ADD COLUMN claim_priority INTEGER AS (
    CASE execution_type {" ".join(f"WHEN '{kind}' THEN {number}" for kind, number in CLAIM_PRIORITY.items())} END);
CREATE INDEX orders_claimable ON orders (client_id, claim_priority, created_at) WHERE status = 'CREATED';
"""

FILLS_OF_EACH_PRODUCT = """
ALTER TABLE last_fills RENAME TO last_fills_of_any_product;
CREATE TABLE last_fills (
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    product TEXT NOT NULL,
    filled_at TEXT NOT NULL,
    PRIMARY KEY (client_id, symbol, side, product)
) STRICT;
INSERT INTO last_fills SELECT client_id, symbol, side, '', filled_at FROM last_fills_of_any_product;
DROP TABLE last_fills_of_any_product;
"""
"""`product` is empty where it is not known."""

FIRST = (ALERTS, ORDERS, ORDER_EVENTS, ORDER_INTENTS, TELEGRAM_MESSAGES, BROKER_STATE, RUNNING)
"""All tables of the first migration, in order."""
