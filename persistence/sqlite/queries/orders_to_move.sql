-- The orders that move with client ?1 to its new id: those that have not ended, and those that changed since ?2.
SELECT orders.* FROM orders WHERE client_id = ?1 AND status IN ('CREATED', 'SENT_TO_BROKER')
UNION ALL
SELECT orders.* FROM orders WHERE client_id = ?1 AND status IN ('EXECUTED', 'FAILED') AND updated_at >= ?2
