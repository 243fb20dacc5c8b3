-- Forget holdings of client ?1: of symbol ?2, strategy ?3 and exchange ?5, where NULL means any. With ?4 only those
-- that no fill has touched since then, and of which no fill can still come.
DELETE FROM holdings
WHERE client_id = ?1 AND symbol = coalesce(?2, symbol) AND strategy_name = coalesce(?3, strategy_name)
    AND exchange = coalesce(?5, exchange)
    AND (?4 IS NULL OR NOT EXISTS (SELECT 1 FROM last_fills f
        WHERE f.client_id = holdings.client_id AND f.symbol = holdings.symbol AND f.filled_at >= ?4))
    -- A fill that is not recorded yet will be recorded later, and is subtracted from the holding then.
    AND (?4 IS NULL OR NOT EXISTS (SELECT 1 FROM orders o
        WHERE o.status = 'SENT_TO_BROKER' AND o.client_id = holdings.client_id AND o.symbol = holdings.symbol
        AND (o.exchange, o.product) = (holdings.exchange, holdings.product) AND o.test_mode IS NULL
        AND (o.strategy_name = holdings.strategy_name OR o.execution_type = 'EXIT')))
