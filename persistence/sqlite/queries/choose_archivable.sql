-- Choose alerts whose legs are all closed, unchanged since :cutoff, covered by checkpoints up to event :covered,
-- without a pending message and without a group that is watched. :batch orders are looked for; the other legs of their
-- alerts come with them.
INSERT INTO temp.moving
SELECT command_id, alert_id, event_hash FROM main.orders WHERE alert_id IN (
    SELECT alert_id FROM main.orders o INDEXED BY orders_closed
    WHERE status IN ('EXECUTED', 'FAILED') AND created_at < :cutoff AND updated_at < :cutoff
    AND NOT EXISTS (SELECT 1 FROM main.order_groups g WHERE g.alert_id = o.alert_id AND g.is_watched = 1)
    AND NOT EXISTS (SELECT 1 FROM main.orders leg WHERE leg.alert_id = o.alert_id AND (
        leg.status NOT IN ('EXECUTED', 'FAILED') OR leg.updated_at >= :cutoff
        OR EXISTS (SELECT 1 FROM main.order_events e WHERE e.command_id = leg.command_id AND e.event_id > :covered)
        OR EXISTS (SELECT 1 FROM main.telegram_messages m
            WHERE m.command_id = leg.command_id AND m.status = 'PENDING')))
    LIMIT :batch)
