-- When an exit of strategy ?3 in ?2 on ?4 of client ?1 was last filled, what its trade has realised, and whether that is
-- counted already.
SELECT o.updated_at, b.trade_pnl, b.closed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM order_events e
    WHERE e.command_id = o.command_id AND e.event_id > (SELECT last_event_id FROM counted_fills))
FROM orders o INDEXED BY orders_exited
LEFT JOIN pnl_books b ON (b.client_id, b.strategy_name, b.exchange, b.symbol)
    = (o.client_id, o.strategy_name, o.exchange, o.symbol)
WHERE o.client_id = ?1 AND o.symbol = ?2 AND o.strategy_name = ?3 AND o.exchange = ?4 AND o.execution_type = 'EXIT'
    AND o.filled_quantity <> '0' AND o.test_mode IS NULL
ORDER BY o.updated_at DESC LIMIT 1
