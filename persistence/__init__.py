"""orders.db: the only room that knows SQL."""
