-- Record the broker account of a client, unless one is recorded. Values: client, broker, user.
INSERT INTO accounts (client_id, broker, broker_user) VALUES (?, ?, ?)
ON CONFLICT (client_id) DO UPDATE SET broker = excluded.broker, broker_user = excluded.broker_user
WHERE broker IS NULL
