"""Instruments: what a broker lists, the names that alerts give it, and how a name is resolved to one of them."""
