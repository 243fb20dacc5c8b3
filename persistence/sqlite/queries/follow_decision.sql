-- Give an alert the decision about its leg, if it has none or one of those that the last value (a JSON list) names.
UPDATE alerts SET decision_type = ?, reason_code = ?, reason_message = ?, exchange_error_snippet = ?
WHERE alert_id = ? AND (decision_type IS NULL OR decision_type IN (SELECT value FROM json_each(?)))
