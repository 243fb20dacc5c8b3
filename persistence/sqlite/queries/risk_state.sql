-- What the sums and stops of client ?1 are made of, but prices and time: whether it has stops, its books, its holdings.
SELECT EXISTS (SELECT 1 FROM risk_state WHERE client_id = ?1),
    (SELECT json_group_array(json_array(
        strategy_name, exchange, symbol, lots_json, unpriced_json, last_price, last_at, trade_pnl, closed_at
    )) FROM pnl_books WHERE client_id = ?1),
    (SELECT json_group_array(json_array(strategy_name, exchange, symbol, product, net_quantity, entries))
        FROM holdings WHERE client_id = ?1)
