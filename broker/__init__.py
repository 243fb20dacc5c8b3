"""Brokers behind one port: each adapter translates to and from one of them."""
