-- Forget the differences of client ?1 in each symbol in which client ?2 has one too.
DELETE FROM position_differences WHERE client_id = ?1 AND EXISTS (
    SELECT 1 FROM position_differences d
    WHERE d.client_id = ?2 AND d.symbol = position_differences.symbol AND d.exchange = position_differences.exchange)
