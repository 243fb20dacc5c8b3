-- The external orders that still explain units at a place, as signed units in text, oldest first. One whose product is
-- not known counts at each. Values: client, exchange, symbol, ?4 product.
SELECT broker_order_id, CASE side WHEN 'BUY' THEN '' ELSE '-' END || unexplained_quantity FROM external_orders
WHERE unexplained_quantity <> '0' AND client_id = ? AND exchange = ? AND symbol = ? AND coalesce(product, ?4) = ?4
ORDER BY first_seen_at
