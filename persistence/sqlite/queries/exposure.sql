-- What client ?1 holds and what open entries (but ?2) may bring: strategy, exchange, symbol, units, units that are filled
-- already, sign, last price, whether it is an entry that waits for an exit or one not yet sent that came after ?2.
-- What the account has beyond what strategies hold is nobody's; shares of earlier days do not count. A price is the broker's, a mark, or that of a last fill.
WITH prices (exchange, symbol, price) AS MATERIALIZED (
    SELECT exchange, symbol, coalesce(max(iif(source = 1, price, NULL)), max(iif(source = 2, price, NULL)), max(price))
    FROM (SELECT exchange, symbol, last_price AS price, 1 AS source FROM positions
            WHERE client_id = ?1 AND last_price IS NOT NULL
        UNION ALL SELECT exchange, symbol, price, 2 FROM marks WHERE client_id = ?1
        UNION ALL SELECT exchange, symbol, last_price, 3 FROM pnl_books WHERE client_id = ?1 AND last_price IS NOT NULL)
    GROUP BY 1, 2
), held (strategy_name, exchange, symbol, product, units) AS MATERIALIZED (
    SELECT strategy_name, exchange, symbol, product, net_quantity FROM holdings WHERE client_id = ?1 AND entries > 0
), wanted (strategy_name, exchange, symbol, units, filled, sign, price, waits) AS (
    SELECT strategy_name, exchange, symbol, units, '0', 1, NULL, 0 FROM held
    UNION ALL
    SELECT '', p.exchange, p.symbol, p.net_quantity, '0', 1, NULL, 0 FROM positions p
    WHERE p.client_id = ?1 AND p.net_quantity NOT IN ('0', p.delivered)
        AND NOT EXISTS (SELECT 1 FROM held h WHERE (h.exchange, h.symbol) = (p.exchange, p.symbol))
    UNION ALL
    SELECT strategy_name, exchange, symbol, quantity, filled_quantity, iif(side = 'BUY', 1, -1),
        coalesce(price, trigger_price, reference_price),
        coalesce(waits_for IN ('EXIT', 'SETTLING'), 0) OR (status = 'CREATED' AND ?2 <> '' AND command_id > ?2)
    FROM orders
    WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND execution_type = 'ENTRY' AND test_mode IS NULL
        AND command_id <> ?2
)
SELECT strategy_name, exchange, symbol, units, filled, sign,
    iif(CAST(wanted.price AS REAL) > CAST(prices.price AS REAL) OR prices.price IS NULL, wanted.price, prices.price),
    waits
FROM wanted LEFT JOIN prices USING (exchange, symbol)
