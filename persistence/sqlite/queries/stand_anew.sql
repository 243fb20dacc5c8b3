-- Let the differences of client ?1 be shown anew since ?2, if its positions were last compared before ?3.
UPDATE position_differences SET shown_since = ?2 WHERE client_id = ?1 AND EXISTS (
    SELECT 1 FROM accounts WHERE client_id = ?1 AND coalesce(positions_compared_at, positions_read_at) < ?3)
