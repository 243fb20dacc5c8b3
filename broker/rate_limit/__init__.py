"""The outgoing rate limit of a broker account, shared by all processes."""
