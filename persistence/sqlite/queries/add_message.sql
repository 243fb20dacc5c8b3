-- Put a message into the outbox.
-- Values: client, kind, symbol, text, when, order, alert, whether it tells of a block, its content as JSON.
INSERT INTO telegram_messages (client_id, kind, symbol, message, timestamp, status, attempts, command_id,
    alert_id, blocked, facts_json)
VALUES (?, ?, ?, ?, ?, 'PENDING', 0, ?, ?, ?, ?)
