"""A small simulated exchange, which the paper broker and the simulator trade on."""
