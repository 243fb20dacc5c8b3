-- What others did to a position since our last fill on one side, as signed units in text.
WITH entered AS (SELECT coalesce(max(filled_at), '') AS at FROM last_fills
    WHERE client_id = :client AND symbol = :symbol AND side = :side)
SELECT believed FROM position_differences, entered
    WHERE client_id = :client AND symbol = :symbol AND exchange = :exchange AND since >= entered.at
UNION ALL
SELECT CASE side WHEN 'BUY' THEN '' ELSE '-' END || unexplained_quantity FROM external_orders, entered
    WHERE unexplained_quantity <> '0' AND client_id = :client AND symbol = :symbol AND exchange = :exchange
    AND first_seen_at >= entered.at
