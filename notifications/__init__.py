"""Notify people: facts become texts, the outbox is drained, and Telegram delivers them."""
