-- The newest events of orders since a time, from the end of the table: :most rows are read, however many there are.
SELECT e.at, e.from_phase, e.to_phase, e.tag, o.client_id, o.sent_at, a.received_at FROM (
    SELECT command_id, at, from_phase, to_phase, tag FROM order_events ORDER BY event_id DESC LIMIT :most
) e LEFT JOIN orders o ON o.command_id = e.command_id LEFT JOIN alerts a ON a.alert_id = o.alert_id
WHERE e.at >= :since
