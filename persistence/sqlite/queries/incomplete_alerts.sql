-- Entries that came to nothing while another leg of their alert was filled and is still held. Values: since.
SELECT o.* FROM orders o INDEXED BY orders_closed
WHERE o.status IN ('EXECUTED', 'FAILED') AND o.status = 'FAILED' AND o.created_at >= ?
    AND (o.client_id, o.strategy_name) IN (SELECT client_id, strategy_name FROM holdings WHERE net_quantity <> '0')
    AND o.execution_type <> 'EXIT' AND o.filled_quantity = '0' AND o.test_mode IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM holdings h
        WHERE h.client_id = o.client_id AND h.symbol = o.symbol AND h.exchange = o.exchange
            AND h.strategy_name = o.strategy_name AND h.net_quantity <> '0')
    AND EXISTS (
        SELECT 1 FROM orders s JOIN holdings h
        ON h.client_id = s.client_id AND h.symbol = s.symbol AND h.exchange = s.exchange
            AND h.strategy_name = s.strategy_name AND h.net_quantity <> '0'
        WHERE s.alert_id = o.alert_id AND s.command_id <> o.command_id AND s.client_id = o.client_id
            AND s.execution_type <> 'EXIT' AND s.filled_quantity <> '0')
ORDER BY o.created_at DESC LIMIT 50
