-- Protections, the newest first. Values: client (NULL: any), limit.
SELECT * FROM protections INDEXED BY protections_by_time
WHERE :client IS NULL OR client_id = :client
ORDER BY created_at DESC LIMIT :limit
