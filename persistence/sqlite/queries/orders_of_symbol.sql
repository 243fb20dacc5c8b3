-- The orders of client ?1 in symbol ?2, on any exchange, that may have traded or may still: those that have not ended,
-- and those that the broker may still accept after ?3.
SELECT orders.* FROM orders
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND symbol = ?2 AND test_mode IS NULL
UNION ALL
SELECT orders.* FROM orders INDEXED BY orders_absent
WHERE phase = 'ABSENT' AND client_id = ?1 AND symbol = ?2 AND provisional_until > ?3
