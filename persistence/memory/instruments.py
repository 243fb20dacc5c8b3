"""The masters of brokers in memory, for tests: it keeps the contract of the store of instruments."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date

from domain.instruments.instrument import Instrument, MasterFacts, UnreadableListing
from domain.ports.instruments import Expiries, Master

_EXAMPLES = 5


class MemoryMaster:
    """Implement `domain.ports.instruments.Master`."""

    def __init__(self, facts: MasterFacts, given: Sequence[Instrument | UnreadableListing]) -> None:
        rows = [row for row in given if isinstance(row, Instrument)]
        unreadable = [str(row) for row in given if not isinstance(row, Instrument)]
        self.facts = replace(
            facts,
            counts=Counter(row.exchange for row in rows),
            unreadable=len(unreadable),
            examples=tuple(unreadable[:_EXAMPLES]),
        )
        ends: dict[tuple[str, bool], set[tuple[date, str]]] = {}
        for row in rows:
            if row.expiry is not None:
                ends.setdefault((row.root, row.kind.is_option), set()).add((row.expiry, row.exchange))
        self.expiries: Expiries = {place: sorted(days) for place, days in ends.items()}
        self.roots = frozenset(root for root, _ in ends)
        self._by_name: dict[str, list[Instrument]] = {}
        self._by_key: dict[str, list[Instrument]] = {}
        self._by_number: dict[str, list[Instrument]] = {}
        for row in rows:
            if row.expiry is None or row.expiry >= facts.day:
                self._by_name.setdefault(row.symbol.upper(), []).append(row)
                self._by_key.setdefault(row.key, []).append(row)
                self._by_number.setdefault(row.token, []).append(row)

    def named(self, symbol: str) -> list[Instrument]:
        return list(self._by_name.get(symbol, ()))

    def numbered(self, token: str) -> list[Instrument]:
        return list(self._by_number.get(token, ()))

    def keyed(self, keys: Sequence[str]) -> list[Instrument]:
        return [row for key in dict.fromkeys(keys) for row in self._by_key.get(key, ())]

    def beginning(self, prefix: str, limit: int) -> list[Instrument]:
        keys = sorted(key for key in self._by_key if key.startswith(prefix))
        found = [row for key in keys for row in sorted(self._by_key[key], key=lambda each: each.identity)]
        return found[:limit]


class MemoryInstruments:
    """Implement `domain.ports.instruments.InstrumentStore`."""

    def __init__(self) -> None:
        self._masters: dict[str, dict[date, MemoryMaster]] = {}

    def current(self, broker: str) -> Master | None:
        kept = self._masters.get(broker)
        return kept[max(kept)] if kept else None

    def masters(self) -> list[MasterFacts]:
        return [
            self._masters[broker][day].facts
            for broker in sorted(self._masters)
            for day in sorted(self._masters[broker], reverse=True)
        ]

    def load(
        self,
        facts: MasterFacts,
        rows: Iterable[Instrument | UnreadableListing],
        check: Callable[[MasterFacts], None],
    ) -> MasterFacts:
        master = MemoryMaster(facts, list(rows))
        check(master.facts)
        self._masters.setdefault(facts.broker, {})[facts.day] = master
        return master.facts

    def forget(self, broker: str, *, keep: int) -> None:
        kept = self._masters.get(broker, {})
        for day in sorted(kept, reverse=True)[keep:]:
            del kept[day]
