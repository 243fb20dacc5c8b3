-- The stops of client ?.
SELECT client_id, strategy_name, rule, since, until, figure, limit_value, action, is_confirmed, detail, set_by, lifted_at,
    counts_from, flat_at FROM risk_state WHERE client_id = ? ORDER BY strategy_name, rule
