"""The composition of the program: its processes, threads and timers, and the services in them."""
