-- One act. Value: its id.
SELECT act_id, bot, chat_id, user_id, kind, arguments_json, asked_at, state, pressed_at, outcome, told_at
FROM telegram_acts WHERE act_id = ?
