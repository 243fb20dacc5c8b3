"""The tables of profit and loss by our own fills, and of what stops entries."""

RISK = """
CREATE TABLE pnl_books (
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    lots_json TEXT NOT NULL,
    unpriced_json TEXT NOT NULL,
    last_price TEXT,
    last_at TEXT,
    trade_pnl TEXT NOT NULL,
    closed_at TEXT,
    PRIMARY KEY (client_id, strategy_name, exchange, symbol)
) STRICT, WITHOUT ROWID;
CREATE TABLE daily_results (
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    trading_day TEXT NOT NULL,
    realized_pnl TEXT NOT NULL,
    carried_pnl TEXT NOT NULL,
    unrealized_pnl TEXT,
    fills INTEGER NOT NULL,
    PRIMARY KEY (client_id, strategy_name, exchange, symbol, trading_day)
) STRICT, WITHOUT ROWID;
CREATE INDEX daily_results_of_day ON daily_results (client_id, trading_day);
CREATE TABLE counted_fills (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last_event_id INTEGER NOT NULL
) STRICT;
INSERT INTO counted_fills SELECT 1, coalesce(max(event_id), 0) FROM order_events;
CREATE TABLE risk_state (
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    since TEXT NOT NULL,
    until TEXT,
    figure TEXT,
    limit_value TEXT,
    action TEXT NOT NULL CHECK (action IN ('block', 'flatten')),
    is_confirmed INTEGER NOT NULL CHECK (is_confirmed IN (0, 1)),
    detail TEXT NOT NULL,
    set_by TEXT NOT NULL,
    lifted_at TEXT,
    counts_from TEXT,
    flat_at TEXT,
    PRIMARY KEY (client_id, strategy_name, rule)
) STRICT, WITHOUT ROWID;
CREATE TABLE risk_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    client_id TEXT NOT NULL,
    strategy_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX risk_events_of_client ON risk_events (client_id, event_id);
CREATE INDEX protections_fired ON protections (client_id, fired_at) WHERE fired_at IS NOT NULL;
CREATE INDEX orders_exited ON orders (client_id, symbol, strategy_name, updated_at)
    WHERE execution_type = 'EXIT' AND filled_quantity <> '0'
"""

EQUITY_CURVE = """
CREATE TABLE equity_curve (
    client_id TEXT NOT NULL,
    at TEXT NOT NULL,
    own_pnl TEXT,
    broker_pnl TEXT,
    PRIMARY KEY (client_id, at)
) STRICT, WITHOUT ROWID
"""
