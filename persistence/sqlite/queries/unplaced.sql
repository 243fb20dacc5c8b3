-- The orders of a client that may be live and whose id at the broker is not known, oldest first.
SELECT orders.* FROM orders INDEXED BY orders_at_broker
WHERE status = 'SENT_TO_BROKER' AND client_id = ? AND broker_order_id IS NULL AND test_mode IS NULL
ORDER BY created_at
