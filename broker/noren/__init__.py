"""Brokers that use the Noren API: Shoonya, and by preset Flattrade and Zebu. See `adapter.NorenBroker`."""
