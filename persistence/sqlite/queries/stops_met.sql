-- Which stops of client ? were met since ?: whose, when, and what says whether it was at a loss.
SELECT strategy_name, fired_at, side, average_price, fired_price FROM protections
WHERE client_id = ? AND fired_at IS NOT NULL AND fired_at >= ? AND fired_by IN ('STOP', 'TRAIL', 'LOCK')
