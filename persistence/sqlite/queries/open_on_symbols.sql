-- The open orders on the symbols of many orders of client ?1, as open_on_symbol.sql finds them for one order.
-- ?2: a JSON list; each order in it is the list of its symbol, id, time of creation and exchange.
WITH asked AS MATERIALIZED (
    SELECT key, value ->> 0 AS symbol, value ->> 1 AS id, value ->> 2 AS at, value ->> 3 AS exchange FROM json_each(?2)
)
SELECT asked.key, strategy_name, side,
    CASE WHEN execution_type = 'ENTRY'
            THEN iif(waits_for IS NOT NULL AND (created_at, command_id) > (asked.at, asked.id), 'LATER_ENTRY', 'ENTRY')
        -- A further part of an exit's leg is younger than the leg, and begins with its id.
        WHEN iif(parent_command_id IS NULL, (created_at, command_id) > (asked.at, asked.id), command_id > asked.id)
            THEN 'LATER_EXIT'
        WHEN order_type <> 'MARKET' AND phase IN ('WORKING', 'PARTIALLY_FILLED') THEN 'RESTING_EXIT'
        ELSE 'EXIT' END,
    phase = 'UNKNOWN', filled_quantity <> '0', count(*)
FROM asked CROSS JOIN orders INDEXED BY orders_open USING (symbol, exchange)
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND command_id <> asked.id AND test_mode IS NULL
GROUP BY 1, 2, 3, 4, 5, 6
