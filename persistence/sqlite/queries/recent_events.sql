-- What became of orders since a time, counted, from the end of the table: :most rows are read, however many there are.
SELECT from_phase, to_phase, substr(tag, 1, instr(tag || ':', ':') - 1), count(*) FROM (
    SELECT at, from_phase, to_phase, tag FROM order_events ORDER BY event_id DESC LIMIT :most
) WHERE at >= :since AND from_phase IS NOT to_phase GROUP BY 1, 2, 3
