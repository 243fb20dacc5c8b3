-- Give a client's last fills to its new id, where the later one stands. Values: new id, old id.
INSERT INTO last_fills SELECT ?, symbol, side, product, filled_at FROM last_fills WHERE client_id = ?
ON CONFLICT (client_id, symbol, side, product) DO UPDATE SET filled_at = max(filled_at, excluded.filled_at)
