"""The conversation with operators in a chat: reading commands, and acts that a button confirms."""
