-- The external orders with a tag, and when each was first seen. Values: tag, client.
-- This runs at each claim, and its partial index is nearly always empty.
SELECT broker_order_id, client_order_id, broker_status, exchange, symbol, side, quantity, filled_quantity, product,
    first_seen_at
FROM external_orders INDEXED BY external_orders_tagged WHERE client_order_id = ? AND client_id = ?
