"""The table of what operators decided, and indexes for the pages of the console."""

OPERATOR_RECORDS = """
CREATE TABLE attention_decisions (
    decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
    item TEXT NOT NULL,
    client_id TEXT NOT NULL,
    facts TEXT NOT NULL,
    decided TEXT NOT NULL CHECK (decided IN ('ACKNOWLEDGED', 'SNOOZED', 'REOPENED')),
    decided_by TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    until TEXT,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX attention_decisions_of_item ON attention_decisions (item, decision_id);
CREATE INDEX alerts_rejected ON alerts (received_at) WHERE outcome = 'rejected';
CREATE INDEX orders_exits ON orders (client_id, symbol, strategy_name, created_at) WHERE execution_type = 'EXIT';
CREATE INDEX protections_of_symbol ON protections (client_id, symbol, strategy_name, created_at)
"""
