"""The masters of brokers: which instruments they list."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol

from domain.instruments.instrument import Instrument, MasterFacts, UnreadableListing

Expiries = Mapping[tuple[str, bool], Sequence[tuple[date, str]]]
"""By folded root, and whether of options: the expiries in order, each with its exchange. Those that have passed too."""


class Master(Protocol):
    """One master. What it answers does not change, whatever is loaded meanwhile."""

    @property
    def facts(self) -> MasterFacts: ...

    @property
    def expiries(self) -> Expiries: ...

    @property
    def roots(self) -> frozenset[str]:
        """The folded names of what has contracts."""

    def named(self, symbol: str) -> list[Instrument]:
        """Return what the broker calls so, in capitals, on any exchange."""

    def numbered(self, token: str) -> list[Instrument]:
        """Return what has this number at the broker, on any exchange. It looks through the whole list."""

    def keyed(self, keys: Sequence[str]) -> list[Instrument]:
        """Return the instruments of these keys; see `domain.instruments.instrument.key_of`."""

    def beginning(self, prefix: str, limit: int) -> list[Instrument]:
        """Return instruments whose key begins so, in the order of their keys, for people to choose from."""


class InstrumentStore(Protocol):
    """Keeps masters by broker and day. Each method raises `StoreUnavailable` when it cannot be done."""

    def current(self, broker: str) -> Master | None:
        """Return the newest master of a broker; None while it has none."""

    def masters(self) -> list[MasterFacts]:
        """Return what is kept, by broker, the newest first."""

    def load(
        self,
        facts: MasterFacts,
        rows: Iterable[Instrument | UnreadableListing],
        check: Callable[[MasterFacts], None],
    ) -> MasterFacts:
        """Keep a master, in place of an earlier one of that day; return its facts, with the counts of its rows.

        Rows that expired before its day are left out, all but their expiry; rows that cannot be read are counted. Until
        all rows are kept and `check` has returned nobody sees it. An error of `rows` or of `check` is raised, and
        leaves everything as it was.
        """

    def forget(self, broker: str, *, keep: int) -> None:
        """Delete all masters of a broker but the newest."""
