-- Orders that have been at the broker since :before or earlier. Callers add conditions, an order and a limit.
-- `sent_to_broker_at`: when the order last came there. A second send under the same id does not count.
SELECT orders.*, (
    SELECT max(e.at) FROM order_events e WHERE e.command_id = orders.command_id
    AND e.to_status = 'SENT_TO_BROKER' AND e.from_status IS NOT 'SENT_TO_BROKER') AS sent_to_broker_at
-- No order is sent before it is created, so the index on `created_at` alone excludes young orders.
FROM orders INDEXED BY orders_at_broker
WHERE status = 'SENT_TO_BROKER' AND created_at <= :before AND sent_to_broker_at <= :before
