-- What stops entries at ? beside halts.
SELECT client_id, strategy_name, rule, since, until, detail, set_by FROM risk_state
WHERE rule <> 'BEST' AND is_confirmed AND lifted_at IS NULL AND (until IS NULL OR until > ?)
ORDER BY client_id, strategy_name, rule
