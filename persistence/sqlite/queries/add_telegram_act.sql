-- Write an act that was asked for. Values: its id, bot, chat, user, kind, arguments, the time.
INSERT INTO telegram_acts (act_id, bot, chat_id, user_id, kind, arguments_json, asked_at, state, outcome)
VALUES (?, ?, ?, ?, ?, ?, ?, 'ASKED', '')
