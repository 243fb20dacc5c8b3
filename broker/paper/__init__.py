"""The paper broker: simulated money, a real order book that outlives the process."""
