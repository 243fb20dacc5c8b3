"""The three parts of the OrderWatcher: sending, following what was sent, and knowing the positions."""
