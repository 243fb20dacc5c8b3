"""The OrderWatcher: claim the orders that may be sent, send each once, and reconcile it with the broker until it ends.

The engine knows no SQL, no HTTP, no threads of its own and no wall clock. Every method does one bounded piece of work
for one client. It may be called from several threads and several processes at once: claims are compare-and-swap in
the store, and nothing between two commits is trusted after a crash.
"""

from collections.abc import Mapping
from datetime import timedelta

from domain.first_reads import Missing, in_words
from domain.ports import Clock, Store
from domain.risk_stops import scopes_of
from engine.batch_submitter import BatchSubmitter
from engine.book_poll_schedule import BookPollSchedule
from engine.client_context import ClientContext, EngineTimings
from engine.entry_readiness import EntryReadiness
from engine.group_watcher import GroupWatcher
from engine.position_monitor import PositionMonitor
from engine.protection_watcher import ProtectionWatcher
from engine.reconciler import Reconciler
from engine.risk_monitor import RiskMonitor
from engine.sizing_reader import SizingReader
from engine.stranded_exits import StrandedExits
from engine.submitter import Submitter


class OrderWatcherEngine:
    """Moves the orders of all clients.

    Args:
        store: the orders database.
        contexts: each client's broker and policy.
        claimant: this watcher's name, by which others can find out whether it is alive.

    Every method raises `StoreUnavailable` when the database cannot be read or written. Nothing was then sent that
    the database does not know of.
    """

    def __init__(
        self,
        store: Store,
        contexts: Mapping[str, ClientContext],
        *,
        clock: Clock,
        claimant: str,
        rules: EngineTimings,
    ) -> None:
        self._contexts = contexts
        self._gate = EntryReadiness(store)
        looks = BookPollSchedule(clock=clock)
        self._submitter = Submitter(
            store, self._gate, looks, contexts, clock=clock, claimant=claimant, rules=rules
        )
        self._batches = BatchSubmitter(store, self._submitter, self._gate, clock=clock, claimant=claimant)
        self._reconciler = Reconciler(
            store, self._submitter, self._gate, looks, clock=clock, claimant=claimant, rules=rules
        )
        stranded = StrandedExits(store, clock=clock, actor=claimant)
        self._positions = PositionMonitor(store, self._gate, stranded, clock=clock, rules=rules)
        self._protections = ProtectionWatcher(store, clock=clock, claimant=claimant)
        self._sizing = SizingReader(store, clock=clock)
        self._groups = GroupWatcher(store, clock=clock, claimant=claimant)
        self._risk = RiskMonitor(store, clock=clock, rules=rules, claimant=claimant)

    @property
    def clients(self) -> tuple[str, ...]:
        """The clients this engine serves."""
        return tuple(self._contexts)

    def tick(self) -> int:
        """Run one full round for every client, in this thread; return how many orders were claimed or moved.

        A client's round begins with a read of the broker where its entries still wait for one.
        """
        moved = 0
        for client_id in self._contexts:
            if self.waits_for(client_id) is not None:
                moved += self.reconcile(client_id)
                self.refresh(client_id, force=True)
            while self.execute_next(client_id):
                moved += 1
            moved += self.reconcile(client_id)
            self.refresh(client_id)
            moved += self.protect(client_id) or 0
            moved += self.watch_risk(client_id)
            self.read_for_sizes(client_id)
        return moved

    def waits_for(self, client_id: str) -> str | None:
        """Return, in words, what keeps the client's entries from being sent; None: nothing.

        Entries wait from this watcher's start until the first `reconcile` that could read the book and the first
        `refresh` that could read the positions; see `engine.entry_readiness`. A client whose rows belong to another
        account waits for good, with its exits, and nothing below does anything for it; see `engine.account_binding`.
        """
        return in_words(self.missing(client_id)) or None

    def missing(self, client_id: str) -> Missing:
        """Return the same, part by part; empty: nothing."""
        return self._gate.missing(client_id)

    def execute_next(self, client_id: str, *, exits_only: bool = False) -> bool:
        """Claim the client's most urgent order and send it; False when there is nothing to do now.

        Where its broker allows it, that is a batch of entries: see `engine.batch_submitter`.
        """
        context = self._contexts[client_id]
        if not exits_only and self.claims_batches(client_id):
            return self._batches.execute_next(context)
        return self._submitter.execute_next(context, exits_only=exits_only)

    def claims_batches(self, client_id: str) -> bool:
        """Return True where the client's entries are claimed in batches."""
        context = self._contexts[client_id]
        return context.batches is not None and context.broker.traits.claims_together > 1

    def is_claiming(self, client_id: str) -> bool:
        """Return True while another thread claims batches and goes on by itself: nobody need be told of new orders."""
        return self._batches.is_busy(client_id)

    def expire_overdue(self, client_id: str) -> int:
        """Record calls that outlived their deadline as unknown; returns how many. A late answer is still used."""
        return self._submitter.expire_overdue(client_id)

    def reconcile(self, client_id: str) -> int:
        """Bring the client's open orders in line with its broker's book; returns how many moved."""
        context = self._contexts[client_id]
        return self._reconciler.reconcile(context) if self._gate.accounts.may_look(context) else 0

    def protect(self, client_id: str) -> int | None:
        """Follow the client's protections and its groups of legs, and ask for the exits that are due.

        Returns how many of them moved; None: there is none to watch.
        """
        context = self._contexts[client_id]
        may_look = self._gate.accounts.may_look(context)
        groups = self._groups.watch(
            context, lambda places: self._protections.marks_of(context, places, may_look=may_look)
        )
        protections = self._protections.watch(context, may_look=may_look)
        return protections if groups is None else groups + (protections or 0)

    def limits_risk(self, client_id: str) -> bool:
        """Return True where the client's profit and loss is limited, so that each fill and price may matter."""
        return bool(scopes_of(self._contexts[client_id].policy.limits))

    def watch_risk(self, client_id: str) -> int:
        """Count fills, judge the client's profit and loss by its limits, and ask for the exits that follow.

        Returns how many exits were asked for.
        """
        context = self._contexts[client_id]
        return self._risk.watch(context, may_look=self._gate.accounts.may_look(context))

    def read_for_sizes(self, client_id: str) -> None:
        """Read what entries are sized by, when it is due."""
        context = self._contexts[client_id]
        if self._gate.accounts.may_look(context):
            self._sizing.read(context)

    def nudge(self, client_id: str) -> None:
        """Request a poll after something has happened at the client's broker.

        `reconcile` then reads the book as soon as its interval allows.
        """
        self._reconciler.looks.ask(client_id)

    def book_due_in(self, client_id: str) -> timedelta | None:
        """Return how long until `reconcile` may read a book that was wanted too soon; None: none was wanted."""
        return self._reconciler.looks.due_in(client_id)

    def escalate(self, client_id: str) -> None:
        """Escalate outcomes that stay unknown while no `reconcile` ends; calls no broker."""
        if self._gate.accounts.may_look(self._contexts[client_id]):
            self._reconciler.escalate(self._contexts[client_id])

    def refresh(self, client_id: str, *, force: bool = False) -> bool:
        """Read and store the client's positions and profit and loss when they are due; True when they were read."""
        context = self._contexts[client_id]
        return self._gate.accounts.may_look(context) and self._positions.refresh(context, force=force)
