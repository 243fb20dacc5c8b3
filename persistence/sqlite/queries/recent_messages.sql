-- The newest messages that were sent or given up since a time, and the seconds it took, from the end of the table: :most
-- rows are read.
SELECT client_id, status, (julianday(sent_at) - julianday(timestamp)) * 86400 FROM (
    SELECT client_id, status, timestamp, sent_at FROM telegram_messages ORDER BY id DESC LIMIT :most
) WHERE status <> 'PENDING' AND coalesce(sent_at, timestamp) >= :since
