-- What an external order still explains of a position. Values: units, client, the broker's order id.
UPDATE external_orders SET unexplained_quantity = ? WHERE client_id = ? AND broker_order_id = ?
