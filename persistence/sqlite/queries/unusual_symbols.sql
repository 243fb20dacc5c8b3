-- Which orders of ?2 (as in open_on_symbols.sql) need more facts than a batch reads, by their place in the list.
-- A halt, a stop and an unreadable position may concern any symbol of the client.
SELECT asked.key FROM json_each(?2) AS asked
WHERE EXISTS (SELECT 1 FROM halts WHERE client_id = ?1)
    OR EXISTS (SELECT 1 FROM risk_state WHERE client_id = ?1)
    OR EXISTS (SELECT 1 FROM unreadable_positions WHERE client_id = ?1)
    OR EXISTS (SELECT 1 FROM orders INDEXED BY orders_absent
        WHERE phase = 'ABSENT' AND client_id = ?1 AND symbol = asked.value ->> 0)
    OR EXISTS (SELECT 1 FROM holdings WHERE client_id = ?1 AND symbol = asked.value ->> 0)
    OR EXISTS (SELECT 1 FROM position_differences WHERE client_id = ?1 AND symbol = asked.value ->> 0)
