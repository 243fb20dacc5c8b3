-- As orders_of_symbol.sql, on one exchange and without one order.
-- Values: ?1 client, ?2 symbol, ?3 exchange, ?4 the order that is left out, ?5 now.
SELECT orders.* FROM orders
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND symbol = ?2
    AND exchange = ?3 AND command_id <> ?4 AND test_mode IS NULL
UNION ALL
SELECT orders.* FROM orders INDEXED BY orders_absent
WHERE phase = 'ABSENT' AND client_id = ?1 AND symbol = ?2
    AND exchange = ?3 AND command_id <> ?4 AND provisional_until > ?5
