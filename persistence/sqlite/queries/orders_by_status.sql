-- How many orders there are of each status. Each part reads an index of its statuses only.
SELECT status, count(*) FROM orders WHERE status IN ('EXECUTED', 'FAILED') GROUP BY 1
UNION ALL
SELECT status, count(*) FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') GROUP BY 1
