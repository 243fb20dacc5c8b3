"""The broker Alpaca, over its Trading API v2. See `adapter.AlpacaBroker`."""
