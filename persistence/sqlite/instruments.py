"""The masters of brokers on SQLite: one file for each broker and day, written whole, then moved to its name.

A file never changes once it has its name, so readers need no locks, and all processes share its pages in the system's
cache. A process notices a new file by the folder's time of change.
"""

import contextlib
import json
import os
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from domain.errors import StoreUnavailable
from domain.instruments.instrument import Instrument, Kind, MasterFacts, UnreadableListing
from domain.money import optional_decimal, optional_text
from domain.ports.instruments import Expiries, Master
from domain.times import parse_time, time_text
from persistence.sqlite.queries.statements import statement

_NAME = re.compile(r"(?P<broker>[a-z0-9_-]+)-(?P<day>\d{4}-\d\d-\d\d)\.db")
_COLUMNS = "exchange, symbol, token, kind, underlying, expiry, strike, lot, tick, freeze, multiplier, series"
_EXAMPLES = 5
_ABANDONED_SECONDS = 3600  # no load takes as long
_ERRORS = (sqlite3.Error, OSError, TypeError)  # a TypeError: a file without its row in `master`
_CACHE_KIB = 8192  # of each open master; the system caches the file for all processes
_INSERT = f"INSERT INTO instruments ({_COLUMNS}, key, called, number) VALUES ({', '.join('?' * 15)})"


class SqliteInstruments:
    """Implement `domain.ports.instruments.InstrumentStore` on the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: int | None = None  # the folder's time of change when its files were last listed
        self._newest: dict[str, tuple[Path, int]] = {}  # each broker's newest file, and which one it is
        self._open: dict[str, tuple[tuple[Path, int], SqliteMaster]] = {}
        self._lock = threading.Lock()

    def current(self, broker: str) -> Master | None:
        try:
            with self._lock:
                self._look()
                newest = self._newest.get(broker)
                if newest is None:
                    return None
                known = self._open.get(broker)
                if known is not None and known[0] == newest:
                    return known[1]
                master = SqliteMaster(newest[0])
                self._open[broker] = newest, master
                return master
        except _ERRORS as error:
            raise StoreUnavailable(f"instruments: {error}") from error

    def masters(self) -> list[MasterFacts]:
        with _as_unavailable():
            files = sorted(self._files(), key=lambda each: each[1], reverse=True)
            found = []
            for path, _, _ in sorted(files, key=lambda each: each[2]):
                with closing(_reading(path)) as connection:
                    found.append(_facts(connection))
            return found

    def load(
        self,
        facts: MasterFacts,
        rows: Iterable[Instrument | UnreadableListing],
        check: Callable[[MasterFacts], None],
    ) -> MasterFacts:
        path = self._folder / f"{facts.broker}-{facts.day}.db"
        making = path.with_name(f".{path.name}.{os.getpid()}")
        with _as_unavailable():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            try:
                kept = _write(making, facts, rows)
                check(kept)
                _make_durable(making)
                making.replace(path)
                _make_durable(self._folder)
            finally:
                making.unlink(missing_ok=True)
        return kept

    def forget(self, broker: str, *, keep: int) -> None:
        with _as_unavailable():
            files = [(day, path) for path, day, of in self._files() if of == broker]
            for _, path in sorted(files, reverse=True)[keep:]:
                path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Delete what loads left behind that were killed."""
        for path in self._folder.glob(".*.db.*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)

    def _look(self) -> None:
        """List the files again where the folder has changed."""
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            self._seen, self._newest = None, {}
            return
        if changed == self._seen:
            return
        newest: dict[str, tuple[Path, int]] = {}
        for path, _, broker in sorted(self._files(), key=lambda each: each[1]):
            newest[broker] = path, path.stat().st_ino
        self._seen, self._newest = changed, newest

    def _files(self) -> Iterator[tuple[Path, str, str]]:
        """The files with their day and broker."""
        with contextlib.suppress(FileNotFoundError):
            for path in list(self._folder.iterdir()):
                found = _NAME.fullmatch(path.name)
                if found is not None:
                    yield path, found["day"], found["broker"]


class SqliteMaster:
    """Implement `domain.ports.instruments.Master` on one file."""

    def __init__(self, path: Path) -> None:
        self._connection = _reading(path)
        self._lock = threading.Lock()  # its threads share one connection
        self.facts = _facts(self._connection)
        ends: dict[tuple[str, bool], list[tuple[date, str]]] = {}
        query = "SELECT root, is_option, expiry, exchange FROM expiries ORDER BY expiry, exchange"
        for root, is_option, expiry, exchange in self._connection.execute(query):
            ends.setdefault((root, bool(is_option)), []).append((date.fromisoformat(expiry), exchange))
        self.expiries: Expiries = ends
        self.roots = frozenset(root for root, _ in ends)

    def named(self, symbol: str) -> list[Instrument]:
        return self._found("called = ?", [symbol])

    def numbered(self, token: str) -> list[Instrument]:
        return self._found("token = ?", [token])

    def keyed(self, keys: Sequence[str]) -> list[Instrument]:
        return self._found(f"key IN ({', '.join('?' * len(keys))})", keys)

    def beginning(self, prefix: str, limit: int) -> list[Instrument]:
        return self._found(
            "key >= ? AND key < ? ORDER BY key, exchange, symbol LIMIT ?", [prefix, f"{prefix}\uffff", limit]
        )

    def _found(self, where: str, values: Sequence[object]) -> list[Instrument]:
        try:
            with self._lock:
                rows = self._connection.execute(f"SELECT {_COLUMNS} FROM instruments WHERE {where}", values)
                return [_instrument(row) for row in rows]
        except sqlite3.Error as error:
            raise StoreUnavailable(f"instruments: {error}") from error


def _reading(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    return connection


def _write(path: Path, facts: MasterFacts, rows: Iterable[Instrument | UnreadableListing]) -> MasterFacts:
    """Write a master into a new file; return its facts with the counts of its rows."""
    path.unlink(missing_ok=True)
    tally = _Tally(facts.day)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")  # a file that is not whole is deleted
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(statement("instruments_schema"))
        connection.execute("BEGIN")
        connection.executemany(_INSERT, tally.columns(rows))
        connection.executemany("INSERT INTO expiries VALUES (?, ?, ?, ?)", sorted(tally.ends))
        connection.execute("CREATE INDEX by_name ON instruments (called)")
        kept = replace(
            facts, counts=dict(tally.counts), unreadable=tally.unreadable, examples=tuple(tally.examples)
        )
        connection.execute(
            "INSERT INTO master VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                kept.broker, kept.day.isoformat(), time_text(kept.loaded_at), json.dumps(kept.counts),
                kept.unreadable, json.dumps(kept.examples), kept.source,
            ),
        )  # fmt: skip
        connection.execute("COMMIT")
    return kept


class _Tally:
    """Turns rows to columns, one after another, and counts what it sees."""

    def __init__(self, day: date) -> None:
        self._day = day
        self.counts: Counter[str] = Counter()
        self.ends: set[tuple[str, bool, str, str]] = set()
        self.unreadable = 0
        self.examples: list[str] = []

    def columns(self, rows: Iterable[Instrument | UnreadableListing]) -> Iterator[tuple[Any, ...]]:
        """The columns of each living row."""
        for number, row in enumerate(rows):
            if isinstance(row, UnreadableListing):
                self.unreadable += 1
                if len(self.examples) < _EXAMPLES:
                    self.examples.append(str(row))
                continue
            self.counts[row.exchange] += 1
            expiry, key = row.expiry, row.key
            if expiry is not None:
                root = key.partition("|")[0]
                self.ends.add((root, row.kind.is_option, expiry.isoformat(), row.exchange))
                if expiry < self._day:
                    continue
            yield (
                row.exchange, row.symbol, row.token, row.kind.value, row.underlying,
                None if expiry is None else expiry.isoformat(), optional_text(row.strike),
                optional_text(row.lot), optional_text(row.tick), optional_text(row.freeze),
                optional_text(row.multiplier), row.series, key, row.symbol.upper(), number,
            )  # fmt: skip


def _instrument(row: Sequence[Any]) -> Instrument:
    exchange, symbol, token, kind, underlying, expiry, *numbers, series = row
    strike, lot, tick, freeze, multiplier = map(optional_decimal, numbers)
    return Instrument(
        exchange, symbol, token, Kind(kind), underlying,
        None if expiry is None else date.fromisoformat(expiry), strike, lot, tick, freeze, multiplier, series,
    )  # fmt: skip


def _facts(connection: sqlite3.Connection) -> MasterFacts:
    query = "SELECT broker, day, loaded_at, counts_json, unreadable, examples_json, source FROM master"
    broker, day, loaded_at, counts, unreadable, examples, source = connection.execute(query).fetchone()
    return MasterFacts(
        broker, date.fromisoformat(day), parse_time(loaded_at), json.loads(counts), unreadable,
        tuple(json.loads(examples)), source,
    )  # fmt: skip


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _as_unavailable() -> Iterator[None]:
    """Raise an error of SQLite or of the disk as `StoreUnavailable`."""
    try:
        yield
    except _ERRORS as error:
        raise StoreUnavailable(f"instruments: {error}") from error
