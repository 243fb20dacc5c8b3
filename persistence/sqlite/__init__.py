"""The store of orders on SQLite: the only room that knows its SQL."""
