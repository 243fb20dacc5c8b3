-- Let what external orders did at a place until ?5 explain nothing more: the difference that is believed there has it.
-- One whose product is not known may be in another product, so long as a difference there is not believed.
-- Values: client, exchange, symbol, product, time.
UPDATE external_orders SET unexplained_quantity = '0'
WHERE unexplained_quantity <> '0' AND client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND first_seen_at <= ?5
    AND (product = ?4 OR (product IS NULL AND NOT EXISTS (
        SELECT 1 FROM position_differences
        WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 AND product <> ?4 AND believed <> difference)))
