-- The orders of client ?1 that may be sent now (?2), in the order in which they are claimed.
-- ?3: a postponement that ends later than this is ignored. ?4: the last priority that is asked for. ?5: how many.
SELECT orders.* FROM orders INDEXED BY orders_claimable
WHERE status = 'CREATED' AND client_id = ?1 AND claim_priority <= ?4
    AND (not_before IS NULL OR not_before <= ?2 OR not_before > ?3)
ORDER BY claim_priority, created_at LIMIT ?5
