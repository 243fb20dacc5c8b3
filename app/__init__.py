"""The composition of the program: processes, threads, timers, and what they are made of."""
