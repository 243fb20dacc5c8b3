-- The entries that may be waiting for an order. Values: client, its alert, strategy, symbol, exchange, its id.
SELECT orders.* FROM orders INDEXED BY orders_waiting
WHERE status = 'CREATED' AND waits_for IS NOT NULL AND client_id = ?1 AND not_before IS NOT NULL AND command_id <> ?6
    AND (alert_id = ?2 OR (strategy_name, symbol, exchange) = (?3, ?4, ?5))
