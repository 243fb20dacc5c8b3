"""Processes, threads and timers: what makes the engine run, and what notices when it does not."""
