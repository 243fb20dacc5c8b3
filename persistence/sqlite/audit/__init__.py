"""Proof that orders.db says what happened: hash chains, checkpoints, replay."""
