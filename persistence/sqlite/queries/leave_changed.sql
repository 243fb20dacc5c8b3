-- Take back from the chosen orders the legs of every alert of which something changed since it was copied.
DELETE FROM temp.moving WHERE alert_id IN (
    SELECT alert_id FROM temp.moving m WHERE NOT EXISTS (
        SELECT 1 FROM main.orders o WHERE o.command_id = m.command_id AND o.event_hash = m.event_hash)
    OR EXISTS (SELECT 1 FROM main.telegram_messages t WHERE t.command_id = m.command_id AND t.status = 'PENDING'))
