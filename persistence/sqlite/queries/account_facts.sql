-- When the positions of client ?1 were read, its profit and loss, and whether its position in ?3 on ?2 is disputed.
-- Excess units at the broker take nothing from any strategy, so they are not a dispute.
SELECT positions_read_at, iif(pnl_is_carried, '0', pnl), lowest_pnl, loss_counts_from, loss_latched,
    EXISTS (SELECT 1 FROM position_differences d
        WHERE d.client_id = accounts.client_id AND (d.exchange, d.symbol) = (?2, ?3)
        AND d.kind = 'DIFFERENT' AND d.difference <> d.believed
        AND (d.difference LIKE '-%') <> (iif(d.held = '0', d.at_broker, d.held) LIKE '-%'))
FROM accounts WHERE client_id = ?1
