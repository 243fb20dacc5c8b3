"""The broker Zerodha, over its API Kite Connect v3. See `adapter.ZerodhaBroker`."""
