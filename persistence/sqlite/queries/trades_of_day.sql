-- How many entries of client ?2 since ?3 were sent or may be, and how many of strategy ?5; order ?4 is left out. Ids begin
-- with their time (?1: the first), so the primary key finds them.
SELECT count(*), sum(strategy_name = ?5) FROM orders
WHERE command_id >= ?1 AND client_id = ?2 AND created_at >= ?3 AND command_id <> ?4 AND execution_type = 'ENTRY'
    AND test_mode IS NULL AND NOT (status = 'FAILED' AND sent_at IS NULL)
