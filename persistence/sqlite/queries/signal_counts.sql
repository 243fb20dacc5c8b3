-- How many signals there are, of each result and with each fault. `signals`: what recent_signals.sql finds.
SELECT count(*) AS total_signals, sum(result = 'placed') AS placed, sum(result = 'failed') AS failed,
    sum(result = 'dedup') AS dedup, sum(missing_intent) AS missing_intent, sum(null_decision) AS null_decisions,
    sum(untold) AS failed_without_telegram
FROM signals
