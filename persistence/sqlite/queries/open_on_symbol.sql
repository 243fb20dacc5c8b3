-- The open orders of one symbol, counted by strategy, side and kind, from the point of view of one order.
-- Values: ?1 client, ?2 symbol, ?3 exchange, ?4 the order, ?5 now, ?6 when the order was created.
SELECT strategy_name, side,
    CASE WHEN execution_type = 'ENTRY'
            THEN iif(waits_for IS NOT NULL AND (created_at, command_id) > (?6, ?4), 'LATER_ENTRY', 'ENTRY')
        -- A further part of an exit's leg is younger than the leg, and begins with its id.
        WHEN iif(parent_command_id IS NULL, (created_at, command_id) > (?6, ?4), command_id > ?4) THEN 'LATER_EXIT'
        WHEN order_type <> 'MARKET' AND phase IN ('WORKING', 'PARTIALLY_FILLED') THEN 'RESTING_EXIT'
        ELSE 'EXIT' END,
    phase = 'UNKNOWN', filled_quantity <> '0', count(*) FROM orders
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND symbol = ?2 AND exchange = ?3
    AND command_id <> ?4 AND test_mode IS NULL GROUP BY 1, 2, 3, 4, 5
UNION ALL
-- One that the broker may still accept late is as unknown as before.
SELECT strategy_name, side, 'ABSENT', 1, 0, 1 FROM orders INDEXED BY orders_absent WHERE phase = 'ABSENT'
    AND client_id = ?1 AND symbol = ?2 AND exchange = ?3 AND provisional_until > ?5
