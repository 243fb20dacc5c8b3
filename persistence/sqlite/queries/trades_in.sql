-- How many entries of client ?2 since ?3 were sent or may be, by symbol; order ?4 is left out. ?1: the first id of that time.
SELECT symbol, count(*) FROM orders
WHERE command_id >= ?1 AND client_id = ?2 AND created_at >= ?3 AND command_id <> ?4 AND execution_type = 'ENTRY'
    AND test_mode IS NULL AND NOT (status = 'FAILED' AND sent_at IS NULL)
GROUP BY symbol ORDER BY symbol
