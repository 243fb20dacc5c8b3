"""Brokers that speak Noren: Shoonya, and by preset Flattrade and Zebu. See `adapter.NorenBroker`."""
