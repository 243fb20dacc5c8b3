"""What the service can do, each figure beside a baseline of the same run. `python -m benchmarks`, or `make bench`.

Nothing here asserts: a figure of a shared machine is read, not tested.
"""
