-- Note why a client's positions could not be read. Values: client, the error, when.
INSERT INTO accounts (client_id, read_error, read_error_at) VALUES (?, ?, ?)
ON CONFLICT (client_id) DO UPDATE SET read_error = excluded.read_error, read_error_at = excluded.read_error_at
