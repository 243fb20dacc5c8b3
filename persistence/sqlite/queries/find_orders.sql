-- Orders by what a person types: any of their ids, whole, or the end of ours or of the alert's. Values: id.
SELECT * FROM orders WHERE command_id IN (
    SELECT command_id FROM orders WHERE command_id = :id
    UNION SELECT command_id FROM orders WHERE alert_id = :id
    UNION SELECT command_id FROM orders INDEXED BY orders_by_broker_id
        WHERE broker_order_id = :id AND client_id IN (SELECT client_id FROM accounts)
    UNION SELECT command_id FROM orders WHERE length(:id) >= 4 AND substr(command_id, -length(:id)) = :id
    UNION SELECT command_id FROM orders WHERE length(:id) >= 4 AND substr(alert_id, -length(:id)) = :id)
ORDER BY created_at DESC, command_id DESC LIMIT 20
