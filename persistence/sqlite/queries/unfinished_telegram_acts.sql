-- The acts of a bot that have no outcome, or whose outcome the chat does not have, oldest first. Value: the bot.
SELECT act_id, bot, chat_id, user_id, kind, arguments_json, asked_at, state, pressed_at, outcome, told_at
FROM telegram_acts
WHERE bot = ? AND state IN ('TAKEN', 'DONE', 'FAILED', 'UNKNOWN') AND told_at IS NULL
ORDER BY asked_at, act_id
