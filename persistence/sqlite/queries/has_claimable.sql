-- Whether claimable.sql would find an order. Values ?1 to ?4 as there.
SELECT 1 FROM orders INDEXED BY orders_claimable
WHERE status = 'CREATED' AND client_id = ?1 AND claim_priority <= ?4
    AND (not_before IS NULL OR not_before <= ?2 OR not_before > ?3)
LIMIT 1
