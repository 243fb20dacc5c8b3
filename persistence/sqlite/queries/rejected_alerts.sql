-- Alerts that could not be traded on, the newest first. Values: before (time), before_id, limit.
SELECT * FROM alerts INDEXED BY alerts_rejected
WHERE outcome = 'rejected' AND received_at <= :at AND (received_at < :at OR alert_id < :id)
ORDER BY received_at DESC, alert_id DESC LIMIT :limit
