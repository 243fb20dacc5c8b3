-- Protections that ended without an exit, and were the last ones of what a strategy still holds.
SELECT p.*, h.net_quantity AS still_held FROM holdings h CROSS JOIN protections p
WHERE h.net_quantity <> '0' AND p.protection_id = (
    SELECT l.protection_id FROM protections l INDEXED BY protections_of_symbol
    WHERE l.client_id = h.client_id AND l.symbol = h.symbol AND l.strategy_name = h.strategy_name
        AND l.exchange = h.exchange
    ORDER BY l.created_at DESC LIMIT 1)
    AND p.status = 'ENDED' AND p.reason IN ('EXIT_FAILED', 'EXIT_CANCELLED', 'UNFILLED')
