"""The whole service as real processes, really killed."""
