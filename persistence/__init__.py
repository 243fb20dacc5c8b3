"""Persistence of orders.db. Only this package contains SQL."""
