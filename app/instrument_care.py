"""Keep the masters fresh while the watcher runs: load new lists, and tell when they are not today's."""

import hashlib
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.errors import StoreUnavailable
from domain.instruments.instrument import MasterFacts, is_stale
from domain.instruments.resolution import resolve
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from domain.ports.instruments import InstrumentStore, Master
from domain.reason_codes import Reason
from domain.risk_facts import Holding

log = logging.getLogger(__name__)

_SETTLES = 5.0  # seconds since a file's last change: until then it may still be written
_EXPECTED = time(9)  # by the market's clock: today's lists are out before the market opens
_SATURDAY = 5


class InstrumentCare:
    """Looks after the masters of some brokers. Each call of `look` returns at once.

    Loading is a process of its own: it takes seconds of computing, which would be missing where orders are sent.

    Args:
        lists: the files of each broker at present.
        clients: of each broker, those who are told; nobody where no order costs money.
        command: the program that loads a broker's lists; the broker's name is added.
    """

    def __init__(
        self,
        masters: InstrumentStore,
        store: Store,
        *,
        clock: Clock,
        zone: ZoneInfo,
        lists: Callable[[str], Sequence[Path]],
        clients: Mapping[str, Sequence[str]],
        command: Sequence[str],
    ) -> None:
        self._masters = masters
        self._store = store
        self._clock = clock
        self._zone = zone
        self._lists = lists
        self._clients = clients
        self._command = command
        self._tried: dict[str, str] = {}
        self._loading: dict[str, subprocess.Popen[str]] = {}
        self._told: dict[tuple[str, str], tuple[str, ...]] = {}  # a write less, each time
        self._compared: dict[str, tuple[MasterFacts, date]] = {}

    def look(self) -> None:
        """Start to load what has changed, and tell what is not today's.

        Raises:
            StoreUnavailable: a store cannot be read or written; the next call tries again.
        """
        now = self._clock.now()
        for broker in self._clients:
            self._finish(broker)
            if broker not in self._loading:
                self._start(broker, now)
            if broker not in self._loading:
                self._tell_of_age(broker, now)
                self._tell_of_missing(broker, now.astimezone(self._zone).date())

    def _start(self, broker: str, now: datetime) -> None:
        files = self._lists(broker)
        try:
            states = [each.stat() for each in files]
        except FileNotFoundError:
            return  # one is just being replaced: the next call finds it
        newest = max((each.st_mtime for each in states), default=0.0)
        if not files or abs(now.timestamp() - newest) < _SETTLES:
            return
        source = source_of(files)
        if self._tried.get(broker) == source:
            return
        self._tried[broker] = source
        master = readable(self._masters, broker)
        if master is not None and master.facts.source == source:
            return
        log.info("instruments of %s: loading %d lists", broker, len(files))
        self._loading[broker] = subprocess.Popen(
            [*self._command, broker], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def _finish(self, broker: str) -> None:
        process = self._loading.get(broker)
        if process is None or process.poll() is None:
            return
        del self._loading[broker]
        with process:
            said = process.stderr.read().strip() if process.stderr else ""
        if process.returncode == 0:
            log.info("instruments of %s: loaded", broker)
            return
        text = said.splitlines()[-1] if said else f"ended with {process.returncode}"
        self._tell(broker, f"the instruments of {broker} were not loaded: {text}", ("failed", text))

    def _tell_of_age(self, broker: str, now: datetime) -> None:
        at = now.astimezone(self._zone)
        today, master = at.date(), readable(self._masters, broker)
        day = None if master is None else master.facts.day
        if day == today:
            self._clear(broker)
        elif today.weekday() < _SATURDAY and at.time() >= _EXPECTED:
            self._tell(broker, _age_text(broker, day, today), ("age", str(day), str(today)))

    def _tell_of_missing(self, broker: str, today: date) -> None:
        """Tell of what is held and not listed, though it has not expired: the list may have been cut off.

        Compared once with each master: what is entered later is in it.
        """
        master = readable(self._masters, broker)
        if master is None or self._compared.get(broker) == (master.facts, today):
            return
        for client_id in self._clients[broker]:
            held = [each for each in self._store.holdings(client_id) if each.net_quantity]
            missing = [f"{h.exchange} {h.symbol}" for h in held if _is_missing(h, master, today)]
            self._tell_client(broker, client_id, tuple(sorted(set(missing))))
        self._compared[broker] = (master.facts, today)

    def _tell_client(self, broker: str, client_id: str, missing: tuple[str, ...]) -> None:
        key = _key(broker, "missing")
        lack = f"the instruments of {broker} lack what is held: {', '.join(missing)}"
        text = f"{lack}. Its exits go on, as do other entries; check that the list is whole"

        def work(tx: Transaction) -> None:
            if not missing:
                tx.clear_notice(client_id, key)
            elif tx.notify_once(key, Notice(NoticeKind.SYSTEM, client_id, detail=text), state=missing):
                log.warning("%s", text)

        if missing or key in self._store.told_keys(client_id, NoticeSubject.INSTRUMENTS):
            self._store.write(work)

    def _tell(self, broker: str, text: str, state: tuple[str, ...]) -> None:
        place = broker, state[0]
        if self._told.get(place) == state:
            return

        def work(tx: Transaction) -> None:
            for client_id in self._clients[broker]:
                notice = Notice(NoticeKind.SYSTEM, client_id, detail=text)
                if tx.notify_once(_key(broker, state[0]), notice, state=state):
                    log.warning("%s", text)

        self._store.write(work)
        self._told[place] = state

    def _clear(self, broker: str) -> None:
        for about in ("age", "failed"):
            self._told.pop((broker, about), None)
        keys = [_key(broker, about) for about in ("age", "failed")]
        found = [
            (client_id, key)
            for client_id in self._clients[broker]
            for key in set(self._store.told_keys(client_id, NoticeSubject.INSTRUMENTS)) & set(keys)
        ]
        if found:
            self._store.write(lambda tx: [tx.clear_notice(*each) for each in found])


def source_of(files: Sequence[Path]) -> str:
    """Return what tells these files, as they are now, from other ones, whose times may be older than what is loaded."""
    facts = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def readable(masters: InstrumentStore, broker: str) -> Master | None:
    """Return a broker's master; None also where its file is damaged, so that loading replaces it."""
    try:
        return masters.current(broker)
    except StoreUnavailable as error:
        log.error("the master of %s: %s", broker, error)
        return None


def _key(broker: str, about: str) -> NoticeKey:
    return NoticeKey(NoticeSubject.INSTRUMENTS, (broker, about))


def _is_missing(held: Holding, master: Master, today: date) -> bool:
    """True for what the master has no row of, unless its name says that it has expired."""
    if any(each.exchange == held.exchange for each in master.named(held.symbol)):
        return False
    return resolve(held.symbol, held.exchange, master, today).reason is not Reason.INSTRUMENT_EXPIRED


def _age_text(broker: str, day: date | None, today: date) -> str:
    if day is None:
        return f"no master of {broker} was loaded: its entries wait where orders cost money; exits go on"
    if is_stale(day, today):
        return f"the instruments of {broker} are of {day}: too old, entries wait where orders cost money; exits go on"
    return f"today's instruments of {broker} are not there: those of {day} count"


def loading_command(program: Path) -> list[str]:
    """The command that loads a broker's lists, with the settings of this process."""
    lower = ["nice", "-n", "10"] if shutil.which("nice") else []
    return [*lower, sys.executable, str(program), "instruments", "load", "--broker"]
