-- Seconds from an alert's arrival until its order was sent or filled, and from the sending to the broker's answer, of the
-- newest events since a time: :most rows are read from the end of the table.
SELECT e.to_phase, o.client_id, (julianday(e.at) - julianday(a.received_at)) * 86400,
    CASE WHEN e.from_phase = 'SUBMITTING' THEN (julianday(e.at) - julianday(o.sent_at)) * 86400 END
FROM (
    SELECT command_id, at, from_phase, to_phase FROM order_events ORDER BY event_id DESC LIMIT :most
) e JOIN orders o ON o.command_id = e.command_id LEFT JOIN alerts a ON a.alert_id = o.alert_id
WHERE e.at >= :since AND e.from_phase IS NOT e.to_phase
    AND (e.from_phase = 'SUBMITTING' OR e.to_phase IN ('SUBMITTING', 'FILLED'))
