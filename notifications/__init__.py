"""How people hear of it: facts become texts, the outbox is drained, Telegram carries them."""
