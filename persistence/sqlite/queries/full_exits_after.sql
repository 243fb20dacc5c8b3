-- The exits without a quantity that a strategy registered in a symbol after an order, latest first; not those that were
-- blocked, unless with tag ?6. Values: client, symbol, strategy, the order's id, exchange, tag.
SELECT orders.* FROM orders INDEXED BY orders_full_exits
WHERE execution_type = 'EXIT' AND requested_quantity IS NULL AND client_id = ?1 AND symbol = ?2 AND strategy_name = ?3
    AND command_id > ?4 AND exchange = ?5 AND test_mode IS NULL AND parent_command_id IS NULL
    AND (phase <> 'BLOCKED' OR tag = ?6)
ORDER BY command_id DESC LIMIT 5
