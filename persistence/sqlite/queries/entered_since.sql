-- Whether a later entry of a strategy is or was at the broker. Ids begin with their time, so the primary key finds it.
-- Values: the order's id, client, strategy, exchange, symbol.
SELECT 1 FROM orders
WHERE command_id > ? AND client_id = ? AND strategy_name = ? AND exchange = ? AND symbol = ?
    AND execution_type = 'ENTRY' AND status IN ('SENT_TO_BROKER', 'EXECUTED') AND test_mode IS NULL
LIMIT 1
