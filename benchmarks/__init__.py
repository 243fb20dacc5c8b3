"""Benchmarks of the service: `python -m benchmarks`, or `make bench`.

Each figure stands beside a baseline from the same run. Nothing here asserts: a figure from a shared machine is for
reading, not for testing.
"""
