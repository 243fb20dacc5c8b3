-- The differences that a person should look at, each with its place in words.
SELECT client_id, exchange || ' ' || symbol || ' ' || product, held, at_broker, kind FROM position_differences
WHERE savings <> difference ORDER BY client_id, symbol, exchange, product
