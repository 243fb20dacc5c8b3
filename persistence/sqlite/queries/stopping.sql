-- Why client ?1 or its strategy ?2 is halted, a JSON list of the rows of its positions that cannot be read, and one of the
-- stops that concern it.
SELECT (SELECT reason FROM halts WHERE client_id = ?1 AND strategy_name IN ('', ?2) LIMIT 1),
    (SELECT json_group_array(json_array(exchange, symbol, product, row_text, has_pnl)) FROM unreadable_positions
        WHERE client_id = ?1),
    (SELECT json_group_array(json_array(strategy_name, rule, since, until, is_confirmed, detail)) FROM risk_state
        WHERE client_id = ?1 AND strategy_name IN ('', ?2) AND lifted_at IS NULL)
