-- What entries at the broker have asked for and got. Values: client, symbol, exchange, strategy, product, side.
SELECT quantity, filled_quantity FROM orders
WHERE status = 'SENT_TO_BROKER' AND client_id = ? AND symbol = ? AND exchange = ? AND strategy_name = ?
    AND product = ? AND side = ? AND execution_type = 'ENTRY' AND test_mode IS NULL
