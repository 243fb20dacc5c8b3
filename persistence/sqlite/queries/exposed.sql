-- What each client has open, in words: units that its strategies hold, and orders at the broker.
SELECT client_id, strategy_name || ' ' || net_quantity || ' ' || exchange || ':' || symbol FROM holdings
UNION ALL
SELECT client_id, strategy_name || '''s order ' || command_id || ' at the broker' FROM orders
WHERE status = 'SENT_TO_BROKER' AND test_mode IS NULL
