-- Where strategy ?2 of client ?1 holds something that an entry asked for as ?3, whatever it was resolved to;
-- by entries of side ?4 alone, where that is given. One pass
-- over an index that has client, strategy and symbol, so that only rows of what is held are read.
WITH held AS MATERIALIZED (
    SELECT exchange, symbol FROM holdings WHERE client_id = ?1 AND strategy_name = ?2 AND net_quantity <> '0')
SELECT exchange, symbol FROM orders INDEXED BY orders_open
WHERE status IN ('CREATED', 'SENT_TO_BROKER')
    AND client_id = ?1 AND strategy_name = ?2 AND (exchange, symbol) IN (SELECT exchange, symbol FROM held)
    AND execution_type = 'ENTRY' AND filled_quantity <> '0' AND test_mode IS NULL
    AND json_extract(context_json, '$.instrument.asked') = ?3 AND (?4 IS NULL OR side = ?4)
UNION
SELECT exchange, symbol FROM orders INDEXED BY orders_closed
WHERE status IN ('EXECUTED', 'FAILED')
    AND client_id = ?1 AND strategy_name = ?2 AND symbol IN (SELECT symbol FROM held)
    AND (exchange, symbol) IN (SELECT exchange, symbol FROM held)
    AND execution_type = 'ENTRY' AND filled_quantity <> '0' AND test_mode IS NULL
    AND json_extract(context_json, '$.instrument.asked') = ?3 AND (?4 IS NULL OR side = ?4)
