-- Note that a notice was sent; nothing is written where it was sent with the same state.
-- Values: client, subject, facts, state, order, when.
INSERT INTO told_notices (client_id, about, facts, state, command_id, told_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (client_id, about, facts) DO UPDATE SET state = excluded.state, told_at = excluded.told_at
WHERE state <> excluded.state
