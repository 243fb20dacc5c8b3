-- Keep a stop. Values: all columns of risk_state.
INSERT OR REPLACE INTO risk_state (client_id, strategy_name, rule, since, until, figure, limit_value, action, is_confirmed,
    detail, set_by, lifted_at, counts_from, flat_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
