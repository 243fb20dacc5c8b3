"""The rules that stop an order before it is sent to a broker: pure functions over facts."""
