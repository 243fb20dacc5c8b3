-- How many closed orders there are of each status. Reads the index of all of them.
SELECT status, count(*) FROM orders WHERE status IN ('EXECUTED', 'FAILED') GROUP BY 1
