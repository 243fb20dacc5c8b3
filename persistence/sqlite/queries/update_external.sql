-- What the broker's book says of an external order now.
-- Values: filled, unexplained, status, tag or NULL, client, the broker's order id.
UPDATE external_orders SET filled_quantity = ?, unexplained_quantity = ?, broker_status = ?,
    client_order_id = coalesce(?, client_order_id)
WHERE client_id = ? AND broker_order_id = ?
