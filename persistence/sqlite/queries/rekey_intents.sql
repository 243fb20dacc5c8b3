-- Give the keys of intents a new client id, except where it has that key already. Values as in rekey_alerts.sql.
UPDATE OR IGNORE order_intents SET idempotency_key = ?1 || substr(idempotency_key, ?2)
WHERE idempotency_key >= ?3 || '|' AND idempotency_key < ?3 || '}'
