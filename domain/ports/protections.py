"""Protections of positions, and the last prices that they look at."""

from collections.abc import Sequence
from typing import Protocol

from domain.marks import Mark
from domain.protection import Protection, ProtectionEvent, Step


class ProtectionReads(Protocol):
    """Protections as they stand, and the marks that were stored."""

    def open_protections(self, client_id: str) -> list[Protection]:
        """List the client's protections that may still fire, oldest first."""

    def protection(self, protection_id: str) -> Protection | None: ...

    def marks(self, client_id: str) -> list[Mark]:
        """List the last price of each symbol for which one was stored."""


class ProtectionWrites(Protocol):
    """Protections, in a transaction. Their history is written with them and is never changed."""

    def add_protection(self, protection: Protection, event: ProtectionEvent) -> None:
        """Write a new protection with its first event."""

    def move_protection(self, step: Step) -> Protection:
        """Write what a step made of a protection, with its events; returns it.

        Raises:
            ConcurrentUpdate: it moved since the step was made. Nothing was written.
        """

    def keep_marks(self, client_id: str, marks: Sequence[Mark]) -> None:
        """Store these last prices in place of what was stored for their symbols."""
