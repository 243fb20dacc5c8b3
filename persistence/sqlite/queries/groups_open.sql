-- Groups of legs for which something is still to follow, the newest first. Values: client (NULL: any), limit.
SELECT * FROM order_groups INDEXED BY order_groups_watched
WHERE is_watched = 1 AND (:client IS NULL OR client_id = :client)
ORDER BY created_at DESC LIMIT :limit
