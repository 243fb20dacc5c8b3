-- What others have of a symbol, as signed units in text: believed differences by product ('D'), and external orders by
-- the broker's order id ('H'). Values: ?1 client, ?2 exchange, ?3 symbol.
SELECT 'D', product, believed FROM position_differences
WHERE believed <> '0' AND client_id = ?1 AND exchange = ?2 AND symbol = ?3
UNION ALL
SELECT 'H', broker_order_id, CASE side WHEN 'BUY' THEN '' ELSE '-' END || unexplained_quantity FROM external_orders
WHERE unexplained_quantity <> '0' AND client_id = ?1 AND exchange = ?2 AND symbol = ?3
