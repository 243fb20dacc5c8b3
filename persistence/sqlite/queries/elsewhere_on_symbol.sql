-- What is known of one symbol beyond what strategies hold: differences, external orders, and our last fill on each side.
-- Values: ?1 client, ?2 symbol, ?3 exchange.
SELECT 'BELIEVED', product, believed, difference, since FROM position_differences
    WHERE client_id = ?1 AND symbol = ?2 AND exchange = ?3
UNION ALL
SELECT 'BY_HAND', coalesce(product, ''),
    CASE side WHEN 'BUY' THEN unexplained_quantity ELSE '-' || unexplained_quantity END, '0', NULL
    FROM external_orders WHERE unexplained_quantity <> '0' AND client_id = ?1 AND symbol = ?2 AND exchange = ?3
UNION ALL
SELECT 'FILLED', side, '0', '0', max(filled_at) FROM last_fills WHERE client_id = ?1 AND symbol = ?2 GROUP BY side
