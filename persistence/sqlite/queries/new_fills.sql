-- The whole history of each order that was filled further, or whose price became known, after event ?1: ?2 events at
-- most, which the last column marks. The first event of an order has all its columns, so it says nothing new.
WITH news AS MATERIALIZED (
    SELECT event_id, command_id FROM order_events
    WHERE event_id > ?1 AND from_phase IS NOT NULL
        AND (detail_json LIKE '%"filled_quantity"%' OR detail_json LIKE '%"average_price"%')
    ORDER BY event_id LIMIT ?2
)
SELECT event_id, command_id, at, detail_json, event_id IN (SELECT event_id FROM news) FROM order_events
WHERE command_id IN (SELECT command_id FROM news) AND event_id <= (SELECT max(event_id) FROM news)
ORDER BY event_id
