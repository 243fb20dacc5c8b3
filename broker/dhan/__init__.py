"""The broker Dhan, over its API DhanHQ v2. See `adapter.DhanBroker`."""
