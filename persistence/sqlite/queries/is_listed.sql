-- Whether a position is in the client's last read. A row from an earlier read stays in the table with that read's time.
-- Values: client, exchange, symbol, product or NULL.
SELECT 1 FROM positions JOIN accounts USING (client_id)
WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = coalesce(?, product) AND read_at = positions_read_at
LIMIT 1
