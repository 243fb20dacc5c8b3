-- Groups of legs that have not ended, the newest first. Values: client (NULL: any), limit.
SELECT * FROM order_groups INDEXED BY order_groups_open
WHERE state IN ('FORMING', 'INCOMPLETE', 'UNWINDING') AND (:client IS NULL OR client_id = :client)
ORDER BY created_at DESC LIMIT :limit
