-- When those of the ids :ids (a JSON list) that are external orders of :client were first seen.
SELECT broker_order_id, first_seen_at FROM external_orders
WHERE client_id = :client AND broker_order_id IN (SELECT value FROM json_each(:ids))
