-- The filled exits of a strategy in a symbol that were registered after an entry, latest first. Values: client, symbol,
-- strategy, exchange, the exits' side, the entry's id.
SELECT orders.* FROM orders INDEXED BY orders_exited
WHERE client_id = ?1 AND symbol = ?2 AND strategy_name = ?3 AND exchange = ?4 AND execution_type = 'EXIT'
    AND filled_quantity <> '0' AND side = ?5 AND command_id > ?6 AND test_mode IS NULL
ORDER BY command_id DESC
