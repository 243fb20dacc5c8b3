-- The newest alerts since a time by their outcome, :most of them at most: reads the index by time, and as many rows.
SELECT outcome, count(*) FROM (
    SELECT outcome FROM alerts WHERE received_at >= :since ORDER BY received_at DESC LIMIT :most
) GROUP BY outcome
