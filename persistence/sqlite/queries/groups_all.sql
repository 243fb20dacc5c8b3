-- Groups of legs, the newest first. Values: client (NULL: any), limit.
SELECT * FROM order_groups INDEXED BY order_groups_by_time
WHERE :client IS NULL OR client_id = :client
ORDER BY created_at DESC LIMIT :limit
