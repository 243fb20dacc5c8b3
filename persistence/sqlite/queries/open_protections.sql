-- Protections that are not over, the newest first. Values: client (NULL: any), limit.
SELECT * FROM protections INDEXED BY protections_watched
WHERE is_watched = 1 AND (:client IS NULL OR client_id = :client)
ORDER BY created_at DESC LIMIT :limit
