-- How many messages are pending, and since when; NULL where none is.
SELECT pending, (SELECT timestamp FROM telegram_messages WHERE id = first) AS oldest
FROM (SELECT count(*) AS pending, min(id) AS first FROM telegram_messages WHERE status = 'PENDING')
