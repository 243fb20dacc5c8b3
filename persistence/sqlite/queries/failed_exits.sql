-- The last exit of what is still held, where it failed: of each strategy's holding, and of a position by an operator.
WITH open_now AS (
    SELECT client_id, strategy_name, exchange, symbol, net_quantity FROM holdings WHERE net_quantity <> '0'
    UNION ALL
    SELECT client_id, :operator, exchange, symbol, net_quantity FROM positions WHERE net_quantity <> '0'
)
SELECT orders.*, open_now.net_quantity AS still_held FROM open_now CROSS JOIN orders
WHERE orders.command_id = (
    SELECT o.command_id FROM orders o INDEXED BY orders_exits
    WHERE o.execution_type = 'EXIT' AND o.client_id = open_now.client_id AND o.symbol = open_now.symbol
        AND o.strategy_name = open_now.strategy_name AND o.exchange = open_now.exchange
    ORDER BY o.created_at DESC LIMIT 1)
    AND orders.status = 'FAILED' AND orders.test_mode IS NULL
