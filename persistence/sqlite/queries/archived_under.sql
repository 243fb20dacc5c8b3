-- Whether an archived order of a client has this id at the broker. Values: the broker's order id, client, client.
SELECT 1 FROM archived_orders JOIN order_intents USING (command_id)
LEFT JOIN alerts ON alert_id = substr(command_id, 1, 26)
WHERE order_id = ? AND coalesce(alerts.client_id, ?) = ?
