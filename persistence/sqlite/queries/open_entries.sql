-- Entries that count against the limit of open orders. Values: client, the order that is left out, how many at most.
SELECT 1 FROM orders
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?
    AND execution_type = 'ENTRY' AND test_mode IS NULL AND command_id <> ?
LIMIT ?
