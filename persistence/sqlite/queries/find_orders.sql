-- Orders by what a person types: any of their ids, whole; and those of the ids given. Values: id, ending (JSON).
SELECT * FROM orders WHERE command_id IN (
    SELECT command_id FROM orders WHERE command_id = :id
    UNION SELECT command_id FROM orders WHERE alert_id = :id
    UNION SELECT command_id FROM orders INDEXED BY orders_by_broker_id
        WHERE broker_order_id = :id AND client_id IN (SELECT client_id FROM accounts)
    UNION SELECT value FROM json_each(:ending))
ORDER BY created_at DESC, command_id DESC LIMIT 20
