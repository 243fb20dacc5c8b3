-- What a strategy holds of a product. Values: client, symbol, exchange, strategy, product, units, entries, when.
INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)
