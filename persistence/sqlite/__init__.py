"""The orders store on SQLite. Only this package contains its SQL."""
