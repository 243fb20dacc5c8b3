"""The words of Orderwatch and its pure decisions: no I/O, no clock, no framework."""
