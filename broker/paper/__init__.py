"""The paper broker: simulated money, and a real order book that outlives the process."""
