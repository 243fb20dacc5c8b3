-- The external orders that still explain units of a symbol, oldest first. Values: client, exchange, symbol, side.
SELECT broker_order_id, unexplained_quantity FROM external_orders
WHERE unexplained_quantity <> '0' AND client_id = ? AND exchange = ? AND symbol = ? COLLATE NOCASE AND side = ?
ORDER BY first_seen_at, 1
