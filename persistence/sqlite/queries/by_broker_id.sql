-- The orders of a client with an id of the broker, newest first: some brokers begin their numbers anew.
-- Values: client, the broker's order id.
SELECT orders.* FROM orders WHERE client_id = ? AND broker_order_id = ? ORDER BY created_at DESC
