-- Give alerts and their keys, which begin with the client id, another client id.
-- Values: ?1 new id, ?2 where the rest of a key begins, ?3 old id.
UPDATE alerts SET client_id = ?1, idempotency_key = ?1 || substr(idempotency_key, ?2)
WHERE client_id = ?3 AND idempotency_key >= ?3 || '|' AND idempotency_key < ?3 || '}'
