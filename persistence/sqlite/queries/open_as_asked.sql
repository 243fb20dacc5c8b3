-- Where an entry of strategy ?2 of client ?1 that was asked for as ?3 has not ended, so that it may still bring units; by entries of
-- side ?4 alone, where that is given.
SELECT DISTINCT exchange, symbol FROM orders INDEXED BY orders_open
WHERE status IN ('CREATED', 'SENT_TO_BROKER')
    AND client_id = ?1 AND strategy_name = ?2
    AND execution_type = 'ENTRY' AND test_mode IS NULL
    AND json_extract(context_json, '$.instrument.asked') = ?3 AND (?4 IS NULL OR side = ?4)
