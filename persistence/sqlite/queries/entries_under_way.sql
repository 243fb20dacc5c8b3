-- The entries of a strategy that have not ended, oldest first. Values: client, strategy.
SELECT orders.* FROM orders INDEXED BY orders_open
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ? AND strategy_name = ? AND execution_type = 'ENTRY'
ORDER BY created_at, command_id
