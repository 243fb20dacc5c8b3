-- What each external order did to a position, as signed units in text. Values: client, symbol, exchange.
SELECT CASE side WHEN 'BUY' THEN unexplained_quantity ELSE '-' || unexplained_quantity END FROM external_orders
WHERE unexplained_quantity <> '0' AND client_id = ? AND symbol = ? AND exchange = ?
