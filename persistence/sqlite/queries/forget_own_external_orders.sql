-- Forget the external orders of client ?1 that are orders of ours.
DELETE FROM external_orders WHERE client_id = ?1 AND broker_order_id IN (
    SELECT broker_order_id FROM orders WHERE client_id = ?1 AND broker_order_id IS NOT NULL)
