-- Append an event to an order's history. A trigger refuses one that does not follow the order's last.
INSERT INTO order_events (command_id, at, from_status, to_status, from_phase, to_phase, tag, actor, detail_json,
    previous_hash, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
