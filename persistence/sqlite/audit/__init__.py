"""Proof that orders.db matches what happened: hash chains, checkpoints, replay."""
