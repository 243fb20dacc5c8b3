-- The last decision of each item.
SELECT item, client_id, facts, decided, decided_by, decided_at, until, reason FROM attention_decisions
WHERE decision_id IN (SELECT max(decision_id) FROM attention_decisions GROUP BY item)
