-- What others have at a place, as product ('' where it is not known) and signed units in text; and whether they have it
-- since our last fill on one side.
WITH entered AS (SELECT coalesce(max(filled_at), '') AS at FROM last_fills
    WHERE client_id = :client AND symbol = :symbol AND side = :side)
SELECT product, believed, since >= entered.at FROM position_differences, entered
    WHERE believed <> '0' AND client_id = :client AND symbol = :symbol AND exchange = :exchange
UNION ALL
SELECT coalesce(product, ''), CASE side WHEN 'BUY' THEN '' ELSE '-' END || unexplained_quantity,
    first_seen_at >= entered.at FROM external_orders, entered
    WHERE unexplained_quantity <> '0' AND client_id = :client AND symbol = :symbol AND exchange = :exchange
