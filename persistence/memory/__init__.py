"""The orders store in memory, for tests. It keeps the contract of every store, and forgets when its process ends."""
