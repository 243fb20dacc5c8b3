-- Protections that may still fire, the newest first. Values: client (NULL: any), limit.
SELECT * FROM protections INDEXED BY protections_open
WHERE status IN ('WAITING', 'ACTIVE') AND (:client IS NULL OR client_id = :client)
ORDER BY created_at DESC LIMIT :limit
