"""Read-only queries on orders.db, one module for each kind of question."""
