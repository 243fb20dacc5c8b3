-- Each leg of the alerts of a window, and each rejected alert, with what is missing of its record.
-- Callers add conditions, an order and a limit at the end.
SELECT coalesce(a.signal_id, a.alert_id) AS signal_id, a.alert_id, o.command_id, a.received_at, a.client_id,
    coalesce(o.strategy_name, a.strategy_name) AS strategy_name,
    coalesce(o.execution_type, a.execution_type) AS execution_type,
    o.symbol, o.side, o.quantity, o.status, o.phase, o.tag, o.broker_order_id, i.status AS intent_status,
    CASE WHEN o.command_id IS NULL THEN coalesce(a.decision_type, 'FAILED') ELSE o.decision_type END AS decision_type,
    CASE WHEN o.command_id IS NULL THEN a.reason_code ELSE o.reason_code END AS reason_code,
    CASE WHEN o.command_id IS NULL THEN a.reason_message ELSE o.reason_message END AS reason_message,
    coalesce(o.exchange_error_snippet, a.exchange_error_snippet) AS exchange_error_snippet,
    CASE
        WHEN o.tag LIKE 'DUPLICATE_BLOCKED:%' THEN 'dedup'
        WHEN o.command_id IS NULL OR o.status = 'FAILED' THEN 'failed'
        WHEN o.decision_type = 'EXECUTED' THEN 'placed'
        ELSE 'undecided'
    END AS result,
    o.command_id IS NOT NULL AND i.command_id IS NULL AS missing_intent,
    o.command_id IS NOT NULL AND o.decision_type IS NULL AND (
        o.status IN ('EXECUTED', 'FAILED') OR (o.created_at < :settled_before AND NOT (
            o.phase IN ('UNKNOWN', 'SUBMITTING') AND EXISTS (
                SELECT 1 FROM telegram_messages t WHERE t.command_id = o.command_id AND t.kind = 'UNKNOWN'))))
        AS null_decision,
    CASE
        WHEN o.command_id IS NULL THEN a.alert_id NOT IN (
            SELECT t.alert_id FROM telegram_messages t WHERE t.command_id IS NULL AND t.alert_id IS NOT NULL)
        WHEN o.status = 'FAILED' THEN NOT EXISTS (
            SELECT 1 FROM telegram_messages t
            WHERE t.command_id = o.command_id AND instr(t.message, 'ORDER FAILED') > 0)
        ELSE 0
    END AS untold
FROM alerts a INDEXED BY alerts_by_time LEFT JOIN orders o ON o.alert_id = a.alert_id
LEFT JOIN order_intents i ON i.command_id = o.command_id
WHERE a.received_at >= :since AND (o.command_id IS NOT NULL OR a.outcome = 'rejected')
    AND (:side IS NULL OR o.side = :side)
