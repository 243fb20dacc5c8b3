-- The newest times that were written down, each found at the end of an index or in few rows.
SELECT max(at) FROM (SELECT at FROM order_events ORDER BY event_id DESC LIMIT :most)
UNION ALL SELECT max(received_at) FROM alerts
UNION ALL SELECT max(beat_at) FROM heartbeats
