-- How many orders wait to be sent, by client and kind, and since when the oldest does; entries that wait for something
-- of their own (an exit, a group) are left out. Reads the index of open orders alone.
SELECT client_id || '/' || execution_type, count(*), min(created_at) FROM orders
WHERE status = 'CREATED' AND waits_for IS NULL GROUP BY 1
