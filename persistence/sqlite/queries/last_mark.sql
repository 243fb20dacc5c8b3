-- The last prices of ?3 on ?2 that client ?1 has: a mark's, the positions', and those of our own fills.
SELECT price, at, source FROM marks WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3
UNION ALL SELECT last_price, read_at, 'positions' FROM positions
WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND last_price IS NOT NULL AND net_quantity <> '0'
UNION ALL SELECT last_price, last_at, 'fill' FROM pnl_books
WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND last_price IS NOT NULL AND last_at IS NOT NULL
