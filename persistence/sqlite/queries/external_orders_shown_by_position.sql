-- The external orders whose units a difference at a place has that has stood since ?5, as signed units in text: those that
-- were seen by then. One whose product is not known may be in another product, so long as a difference there is not
-- believed. Values: client, exchange, symbol, product, time.
SELECT broker_order_id, CASE side WHEN 'BUY' THEN '' ELSE '-' END || unexplained_quantity FROM external_orders
WHERE unexplained_quantity <> '0' AND client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND first_seen_at <= ?5
    AND (product = ?4 OR (product IS NULL AND NOT EXISTS (
        SELECT 1 FROM position_differences
        WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND product <> ?4 AND believed <> difference)))
