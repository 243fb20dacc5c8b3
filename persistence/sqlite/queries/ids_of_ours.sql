-- Which of the broker's order ids :ids (a JSON list) belong to rows of :client, archived ones too.
-- An archived order's client is that of its alert. If the alert is missing, the id counts as ours.
SELECT broker_order_id FROM orders
WHERE client_id = :client AND broker_order_id IN (SELECT value FROM json_each(:ids))
UNION
SELECT i.order_id FROM order_intents i JOIN archived_orders USING (command_id)
LEFT JOIN alerts a ON a.alert_id = substr(i.command_id, 1, 26)
WHERE i.order_id IN (SELECT value FROM json_each(:ids)) AND coalesce(a.client_id, :client) = :client
