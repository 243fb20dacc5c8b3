-- The ids of those entries after which full_exits_after.sql finds an exit.
-- ?1: a JSON list; each entry is client, symbol, strategy, id and exchange. ?2: the tag.
SELECT asked.value ->> 3 FROM json_each(?1) AS asked
WHERE EXISTS (
    SELECT 1 FROM orders INDEXED BY orders_full_exits
    WHERE execution_type = 'EXIT' AND requested_quantity IS NULL AND client_id = asked.value ->> 0
        AND symbol = asked.value ->> 1 AND strategy_name = asked.value ->> 2 AND command_id > asked.value ->> 3
        AND exchange = asked.value ->> 4 AND test_mode IS NULL AND parent_command_id IS NULL
        AND (phase <> 'BLOCKED' OR tag = ?2)
)
