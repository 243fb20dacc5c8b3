"""The three parts of the OrderWatcher: send orders, reconcile them with the broker, and keep positions current."""
