-- What says how far an entry may reduce the position of client ?1 in ?3 on ?2: when positions were read, when a fill of
-- ours was last recorded, the net quantities, and the other open orders (but ?4).
SELECT 'READ', positions_read_at, NULL, NULL FROM accounts WHERE client_id = ?1
UNION ALL SELECT 'FILLED', filled_at, NULL, NULL FROM last_fills WHERE client_id = ?1 AND symbol = ?3
UNION ALL SELECT 'NET', net_quantity, NULL, NULL FROM positions WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3
UNION ALL SELECT 'OPEN', quantity, side, filled_quantity FROM orders
WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ?1 AND symbol = ?3 AND exchange = ?2 AND command_id <> ?4
    AND test_mode IS NULL
