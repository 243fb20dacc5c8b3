-- Note that a client's positions were read and perhaps compared. Values: when read, when compared or NULL, client.
UPDATE accounts SET positions_read_at = ?, read_error = NULL, read_error_at = NULL,
    positions_compared_at = coalesce(?, positions_compared_at)
WHERE client_id = ?
