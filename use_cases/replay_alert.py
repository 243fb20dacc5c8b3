"""Register a kept alert anew on behalf of a person: the way of any alert, under a key of its own."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count

from domain.alert import Alert, Delivery, ParsedAlert, Replay
from domain.enums import Outcome
from domain.ids import alert_key, content_hash
from domain.limits import ClientPolicy
from domain.order import Order
from domain.ports import Store, Transaction
from domain.receipt import Receipt
from domain.replays import Kept, Replayed, ReplayRefused, delivered_alert, hindrance_to_replay, replay_signal
from use_cases.register_alert import RegisterAlert
from use_cases.reject_alert import unknown_client

Prepare = Callable[[ParsedAlert, datetime], ParsedAlert]

_ARCHIVED = "it has no orders that could be looked at: they are in the archive, or it was to cancel others"


class _Previewed(Exception):
    """Ends the transaction of a preview, so that nothing of it is kept."""

    def __init__(self, done: Replayed) -> None:
        super().__init__("previewed")
        self.done = done


class ReplayAlert:
    """Registers alerts anew.

    Args:
        clients: the policy that binds each client.
        register: registers any alert; every rule that judges alerts is in it.
        prepare: finds out what an alert's names and sizes stand for, as for any alert.
    """

    def __init__(
        self, store: Store, clients: Mapping[str, ClientPolicy], register: RegisterAlert, prepare: Prepare
    ) -> None:
        self._store = store
        self._clients = clients
        self._register = register
        self._prepare = prepare

    def preview(self, alert: ParsedAlert, delivery: Delivery, asked: Replay, kept: Kept) -> Replayed:
        """Return what the replay would do now. It is registered, judged and taken back. Raises as a call does."""
        prepared = self._prepared(alert, delivery)

        def work(tx: Transaction) -> Replayed:
            raise _Previewed(self._replay(tx, prepared, delivery, asked, kept, number=None))

        try:
            return self._store.write(work)
        except _Previewed as previewed:
            return previewed.done

    def __call__(
        self, alert: ParsedAlert, delivery: Delivery, asked: Replay, kept: Kept, *, number: int
    ) -> Replayed:
        """Register the alert anew; the same number again returns what was registered under it.

        Args:
            alert: the kept body as it is read now, with the signal id that its sender gave.
            number: that of the replay, as the preview said.

        Raises:
            ReplayRefused: something of the alert, or of an earlier replay, was sent or may still be.
            InvalidAlert: it cannot be traded on now; nothing was stored.
            StoreUnavailable: nothing was stored.
        """
        prepared = self._prepared(alert, delivery)
        return self._store.write(lambda tx: self._replay(tx, prepared, delivery, asked, kept, number=number))

    def _prepared(self, alert: ParsedAlert, delivery: Delivery) -> ParsedAlert:
        if alert.client_id not in self._clients:
            raise unknown_client(alert.client_id)
        return self._prepare(alert, delivery.received_at)

    def _replay(
        self,
        tx: Transaction,
        alert: ParsedAlert,
        delivery: Delivery,
        asked: Replay,
        kept: Kept,
        *,
        number: int | None,
    ) -> Replayed:
        _check_original(tx, alert, kept)
        replays = {each.signal_id: each for each in tx.replays_of(kept.alert_id, kept.received_at)}
        for each in count(1):
            done = replays.get(replay_signal(kept.alert_id, each))
            if done is None:
                anew = replace(alert, replay=asked._replace(number=each))
                return Replayed(self._register(tx, anew, delivery), each)
            if each == number:
                legs = tuple(tx.orders_of_alert(done.alert_id))
                return Replayed(Receipt(done.alert_id, done.outcome, legs), each)
            _check(tx, done, f"it was replayed as {done.alert_id} already, and of that")
        raise AssertionError("unreachable")


def _check_original(tx: Transaction, alert: ParsedAlert, kept: Kept) -> None:
    """Raises ReplayRefused where something of the alert was sent, or of a later one that asked for the same."""
    legs = _rows_of(tx, kept.alert_id)
    if not legs and kept.outcome is not Outcome.REJECTED:
        raise ReplayRefused(_ARCHIVED)
    why = hindrance_to_replay(legs)
    if why is not None:
        raise ReplayRefused(why)
    for later in tx.accepted(alert_key(alert, content_hash(alert)), kept.received_at):
        if kept.alert_id not in (later.alert_id, delivered_alert("", later.signal_id)):
            _check(tx, later, f"the same came again as {later.alert_id}, and of that")


def _rows_of(tx: Transaction, alert_id: str) -> list[Order]:
    """List the alert's orders, each with its further parts: slices, and what was priced anew."""
    return [row for leg in tx.orders_of_alert(alert_id) for row in (leg, *tx.parts(leg.command_id))]


def _check(tx: Transaction, alert: Alert, which: str) -> None:
    legs = _rows_of(tx, alert.alert_id)
    why = hindrance_to_replay(legs) if legs else _ARCHIVED
    if why is not None:
        raise ReplayRefused(f"{which} {why}")
