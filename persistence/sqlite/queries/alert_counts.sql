-- How many deliveries came since :since, and how many of them could not be traded on.
SELECT (SELECT count(*) FROM alerts WHERE received_at >= :since) AS alerts,
    (SELECT count(*) FROM alerts WHERE outcome = 'rejected' AND received_at >= :since) AS rejected
