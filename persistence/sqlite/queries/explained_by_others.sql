-- Whether others explain anything of a symbol: a believed difference or an external order.
-- Values: ?1 client, ?2 exchange, ?3 symbol.
SELECT 1 FROM position_differences WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND believed <> '0'
UNION ALL
SELECT 1 FROM external_orders WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND unexplained_quantity <> '0'
LIMIT 1
