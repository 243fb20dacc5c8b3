"""The rules that stop an order before a broker hears of it: pure functions over facts."""
