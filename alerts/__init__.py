"""Receive alerts: the webhook, its authentication and rate limits, and one pure parser for each format."""
