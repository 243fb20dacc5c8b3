"""The domain model of Orderwatch and its pure decisions: no I/O, no clock, no framework."""
