-- What strategies hold at places, by product. ?1: a JSON list; each place is client, symbol, exchange and strategy.
SELECT asked.key, product, net_quantity, entries FROM json_each(?1) AS asked CROSS JOIN holdings
WHERE client_id = asked.value ->> 0 AND symbol = asked.value ->> 1 AND exchange = asked.value ->> 2
    AND strategy_name = asked.value ->> 3
