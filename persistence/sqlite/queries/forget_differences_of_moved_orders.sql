-- Forget the differences of client ?1 in each symbol of which an order was moved to it from client ?2.
DELETE FROM position_differences WHERE client_id = ?1 AND EXISTS (
    SELECT 1 FROM orders o
    WHERE o.client_id = ?1 AND o.symbol = position_differences.symbol AND o.exchange = position_differences.exchange
    AND EXISTS (
        SELECT 1 FROM order_events e
        WHERE e.command_id = o.command_id AND e.hash = o.event_hash
        AND json_extract(e.detail_json, '$.moved_from') = ?2))
