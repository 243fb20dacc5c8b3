"""Keep positions current: read them, store them with their age, and notify when they cannot be read."""

import logging
from datetime import datetime, timedelta

from blockers.execution_guard import ExecutionGuard
from domain.broker_reports import PositionsSnapshot
from domain.errors import ReadFailed
from domain.first_reads import Part
from domain.notice_keys import NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store
from domain.times import day_start, trading_day
from engine.client_context import ClientContext, EngineTimings
from engine.entry_readiness import EntryReadiness
from engine.loss_latch import LossLatch
from engine.position_reconciliation import PositionReconciler
from engine.read_failure_tracker import ReadFailureTracker, UnreadableRows
from engine.stranded_exits import StrandedExits

log = logging.getLogger(__name__)


class PositionMonitor:
    """Keeps each client's positions and profit and loss fresh in the store."""

    def __init__(
        self,
        store: Store,
        gate: EntryReadiness,
        stranded: StrandedExits,
        *,
        clock: Clock,
        rules: EngineTimings,
    ) -> None:
        self._store = store
        self._gate = gate
        self._stranded = stranded
        self._clock = clock
        self._rules = rules
        self._guard = ExecutionGuard(store)
        self._comparer = PositionReconciler(store, clock=clock, believed_after=rules.difference_believed)
        self._loss_latch = LossLatch(store, clock=clock, rules=rules)
        self._refreshed_at: dict[str, datetime] = {}
        self._resumed: set[str] = set()
        self._compared_at: dict[str, datetime] = {}  # stored with the next read, which saves a commit
        self._unread = ReadFailureTracker(clock=clock, rules=rules)
        self._told_unreadable: set[str] = set()
        self._rows = UnreadableRows(
            NoticeSubject.UNREADABLE_POSITION_ROW,
            "a position cannot be read",
            "what is held there is not known: entries there are blocked and exits wait, and with a daily loss limit "
            "all entries are blocked; other exits go on. Look at the position in the broker's own terminal",
        )

    def refresh(self, context: ClientContext, *, force: bool = False) -> bool:
        """Read and store the client's positions and profit and loss when they are due; True when they were read.

        Raises:
            StoreUnavailable: they could not be stored.
        """
        now, client_id = self._clock.now(), context.client_id
        last = self._refreshed_at.get(client_id)
        if not force and last is not None and timedelta(0) <= now - last < self._interval(context):
            return False
        self._refreshed_at[client_id] = now
        try:
            snapshot = context.broker.read_positions()
        except ReadFailed as error:
            self._unreadable(client_id, now, str(error))
            return False
        except Exception as error:  # a defect of the adapter: it says nothing about the position
            log.exception("client %s: the adapter failed to read positions", client_id)
            self._unreadable(client_id, now, f"{type(error).__name__}: {error}")
            return False
        if not self._gate.accounts.saw(context):
            return False
        self._resume(client_id)
        self._keep(context, snapshot)
        self._rows.tell(self._store, client_id, snapshot.unreadable)
        horizon = timedelta(seconds=context.broker.traits.position_horizon)
        self._readable(client_id)
        self._gate.passed(client_id, Part.POSITIONS)
        # Before the first order book, a fill of ours that nobody could see yet would pass for an external one.
        if self._gate.is_open(client_id):
            self._comparer.compare(client_id, snapshot, horizon=horizon)
            self._compared_at[client_id] = snapshot.read_started_at
            self._believe(client_id, now)
        self._guard.reconcile_with_broker(client_id, snapshot, horizon=horizon)
        self._stranded.take_back(client_id, snapshot, self._comparer.standing(client_id))
        return True

    def _resume(self, client_id: str) -> None:
        """At the first read of this process: differences that an earlier one saw until a moment ago go on standing."""
        if client_id not in self._resumed:
            last = self._store.saved_positions(client_id)
            if last is not None:
                self._comparer.resume(client_id, last.read_started_at)
            self._resumed.add(client_id)

    def _keep(self, context: ClientContext, snapshot: PositionsSnapshot) -> None:
        zone, starts = self._rules.zone, self._rules.day_starts
        day = trading_day(snapshot.read_started_at, zone, starts)
        starts_at, compared_at = day_start(day, zone, starts), self._compared_at.get(context.client_id)
        self._store.save_positions(
            context.client_id, snapshot, day, day_starts=starts_at, compared_at=compared_at
        )
        self._loss_latch.check(context)

    def _believe(self, client_id: str, now: datetime) -> None:
        """Believe each difference that has stood for `difference_believed`, read after read."""
        since, standing = now - self._rules.difference_believed, self._comparer.standing(client_id)
        if standing and self._store.has_disputed(client_id, since):
            self._store.write(lambda tx: tx.believe_differences(client_id, since, standing, now=now))

    def _interval(self, context: ClientContext) -> timedelta:
        """Refresh as often as the settings say, and no more often than the broker allows."""
        return max(self._rules.positions_refresh, timedelta(seconds=context.broker.traits.positions_interval))

    def _unreadable(self, client_id: str, now: datetime, error: str) -> None:
        """Keep what was read before, with its age, and notify once when the failure lasts."""
        self._store.save_read_error(client_id, now, error)
        if self._gate.failed(client_id, Part.POSITIONS, error):
            return  # the gate has notified of it
        since = self._unread.failed(client_id)
        if since is not None and client_id not in self._told_unreadable:
            text = (
                f"the broker cannot be read since {since:%H:%M:%S} UTC: {error}; exits wait until it can, and "
                "entries are blocked as soon as what was read is too old (POSITIONS_MAX_AGE_SECONDS)"
            )
            self._tell(client_id, text)
            self._told_unreadable.add(client_id)

    def _readable(self, client_id: str) -> None:
        self._unread.passed(client_id)
        if client_id in self._told_unreadable:
            self._tell(client_id, "the broker can be read again")
            self._told_unreadable.discard(client_id)

    def _tell(self, client_id: str, text: str) -> None:
        log.warning("client %s: %s", client_id, text)
        self._store.write(lambda tx: tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text)))
