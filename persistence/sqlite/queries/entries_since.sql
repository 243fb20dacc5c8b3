-- Entries that count against the limit of a minute. Ids begin with their time, so the primary key finds them without an
-- index of its own. Values: the first id, client, after, before, the order that is left out, how many at most.
SELECT 1 FROM orders
WHERE command_id >= ? AND client_id = ? AND created_at > ? AND created_at < ?
    AND execution_type = 'ENTRY' AND phase <> 'BLOCKED' AND test_mode IS NULL AND command_id <> ?
LIMIT ?
