"""Replay kept alerts: read the stored body again, say what it would do now, and register it for the person who asks."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from alerts.decoding import decode
from alerts.formats.description import Dialects
from alerts.masking import MASK
from alerts.sharing import owned, shared
from domain.alert import Delivery, ParsedAlert, Replay
from domain.alert_defaults import AlertDefaultsBook
from domain.enums import Outcome
from domain.errors import NotFound
from domain.ports import Clock
from domain.replays import Kept, Replayed, ReplayRefused, delivered_alert
from domain.times import parse_time

KeptAlert = Mapping[str, Any]
"""A row of `alerts`."""


class Registrar(Protocol):
    """Registers alerts anew; see `use_cases.replay_alert.ReplayAlert`."""

    def preview(self, alert: ParsedAlert, delivery: Delivery, asked: Replay, kept: Kept) -> Replayed:
        """Return what it would do now; nothing is kept of it."""

    def __call__(
        self, alert: ParsedAlert, delivery: Delivery, asked: Replay, kept: Kept, *, number: int
    ) -> Replayed:
        """Register it; the same number again returns what was registered under it."""


class Replayer:
    """Replays kept alerts. No secret is needed: who asks is logged in, or sits at the machine.

    Args:
        kept: returns a kept alert by its id, or None.
        dialects: those that alerts may be written in.
        defaults: what alerts need not name.
        owners: the strategies that have a secret of their own.
    """

    def __init__(
        self,
        kept: Callable[[str], KeptAlert | None],
        register: Registrar,
        *,
        dialects: Dialects,
        defaults: AlertDefaultsBook,
        clock: Clock,
        owners: Collection[str] = (),
    ) -> None:
        self._kept = kept
        self._register = register
        self._dialects = dialects
        self._defaults = defaults
        self._clock = clock
        self._owners = owners

    def preview(self, alert_id: str) -> Replayed:
        """Return what a replay of the alert would do at this moment, and its number. Raises as `replay` does."""
        alert, delivery, kept = self._read(alert_id, "preview")
        return self._register.preview(alert, delivery, Replay(kept.alert_id, "preview", ""), kept)

    def replay(self, alert_id: str, number: int, *, by: str, reason: str) -> Replayed:
        """Register the alert anew for this person; the same number again registers nothing more.

        Raises:
            NotFound: no such alert is kept.
            ReplayRefused: it must not be registered anew, or its stored body is not enough to read it by.
            InvalidAlert: it cannot be traded on now; nothing was stored.
            StoreUnavailable: nothing was stored.
        """
        alert, delivery, kept = self._read(alert_id, by)
        return self._register(alert, delivery, Replay(kept.alert_id, by, reason), kept, number=number)

    def _read(self, alert_id: str, by: str) -> tuple[ParsedAlert, Delivery, Kept]:
        """Read the body of the alert that its sender delivered, of which the alert may be a replay itself."""
        row = self._row(alert_id)
        original = delivered_alert(alert_id, row["signal_id"])
        if original != alert_id:
            row = self._row(original)
        if row["outcome"] == Outcome.DUPLICATE:
            raise ReplayRefused(f"it repeats {row['duplicate_of']}: replay that one, if it may be")
        if row["outcome"] == Outcome.INFO:
            raise ReplayRefused("it asks for no order")
        alert = self._parsed(row)
        delivery = Delivery(self._clock.now(), by, row["raw_body"], row["format"])
        return alert, delivery, Kept(original, parse_time(row["received_at"]), Outcome(row["outcome"]))

    def _row(self, alert_id: str) -> KeptAlert:
        row = self._kept(alert_id)
        if row is None:
            raise NotFound(f"no alert {alert_id}")
        return row

    def _parsed(self, row: KeptAlert) -> ParsedAlert:
        """Parse the stored body as a delivery of its client. Raises ReplayRefused or InvalidAlert."""
        dialect = self._dialects.named(row["format"])
        if dialect is None:
            raise ReplayRefused("the format that it came in is not known: post its body to /webhook instead")
        text = self._dialects.empty_masked_secret(row["raw_body"], row["format"])
        if MASK in text:
            raise ReplayRefused(
                f"a part of its body beside the secret is masked ({MASK}), so that it cannot be read as it was sent: "
                "send it again from its platform"
            )
        body = decode(text.encode())
        unreadable = body.unreadable_as(dialect.form)
        if unreadable is not None:
            raise unreadable
        client = row["client_id"]
        # It was kept under the strategy whose secret it carried, whatever it names.
        name = row["strategy_name"]
        defaults = self._defaults.owned_by(name if name in self._owners else None)
        alert = owned(dialect.parse(body, default_client=client, defaults=defaults), defaults)
        return shared(alert, defaults, sender=client, named=dialect.client_of(body))
