"""Receive alerts, whichever door they come through: from the bytes of a whole request to the answer.

The Flask route and the event loop of `app/front.py` both call this, so their answers are the same. A delivery is
received in two steps. `read` needs no database: it refuses the delivery, or returns what has to be made durable.
`settle` makes that durable, and only then returns the answer.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from math import ceil
from typing import NamedTuple, Protocol

from alerts.auth import Identity, Secrets
from alerts.decoding import Body, decode
from alerts.formats.description import UNKNOWN, AskedFor, Dialect, Dialects
from alerts.formats.registry import DIALECTS
from alerts.rate_limit import Admission
from alerts.responses import error_json, info_json, invalid_json, receipt_json
from alerts.sanitising import shown
from alerts.sharing import owned, shared
from domain.alert import Delivery, ParsedAlert
from domain.alert_defaults import NO_DEFAULTS, AlertDefaultsBook
from domain.errors import (
    InvalidAlert,
    NothingAsked,
    SenderNotAllowed,
    SignalReused,
    SignatureLate,
    StoreUnavailable,
)
from domain.ports import Clock
from domain.receipt import Receipt
from domain.refused_deliveries import RefusedDeliveries

log = logging.getLogger(__name__)

RETRY_SECONDS = 5
"""Seconds after which a sender should retry after a failure of ours; TradingView retries by itself."""
_STATUSES = {SignalReused: 409, SenderNotAllowed: 403, SignatureLate: 401}
"""The statuses of rejected alerts; of any other it is 400."""
_NAMED = 20  # legs of a rejected alert whose symbols are notified: as many as an alert may have


class AlertRegistrar(Protocol):
    """Registers alerts. What a call stored is durable when it returns."""

    def process_alert(self, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        """Make the legs durable; returns their state.

        Raises:
            InvalidAlert: the alert cannot be traded on; nothing was stored.
            SignalReused: its signal_id came before with other content; nothing was stored.
            StoreUnavailable: nothing was stored.
        """

    def process_alerts(self, alerts: Sequence[tuple[ParsedAlert, Delivery]]) -> list[Receipt | Exception]:
        """Make several alerts durable in one transaction, in their order.

        Each alert succeeds or fails by itself. Returns, for each, what `process_alert` would return or raise.

        Raises:
            StoreUnavailable: nothing of any of them was stored.
        """

    def keep_rejected(
        self,
        client_id: str,
        delivery: Delivery,
        error: InvalidAlert,
        *,
        strategy_name: str | None,
        signal_id: str | None,
        execution_type: str | None,
        symbols: Sequence[str],
    ) -> str:
        """Store an alert that cannot be traded on, and notify the operator; returns the alert's id.

        The keyword arguments are what the alert asked for, as its sender wrote it. A value that cannot be read or
        must not be shown is None, or missing from `symbols`.

        Raises:
            StoreUnavailable: the alert was not stored.
        """


class Answer(NamedTuple):
    """The answer to a sender: a status and JSON, with the headers that it has beside the content type."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """The delivery is refused, and is not stored."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, *, wait: float | None = None
    ) -> None:
        super().__init__(message)
        headers = () if wait is None else (("Retry-After", str(ceil(wait))),)
        self.answer = Answer(status, error_json(code, message, field), headers)


class Request(NamedTuple):
    """A request to the webhook: its sender, its path below `/webhook`, and the header that may sign it.

    - `name`: of the dialect.
    - `certificate`: the subject of the sender's certificate, where a trusted proxy has checked one.
    - `is_own`: an operator sends it from the console, and not a platform.
    """

    sender: str
    name: str | None = None
    token: str | None = None
    signature: str | None = None
    certificate: str | None = None
    is_own: bool = False


class Received(NamedTuple):
    """A delivery of a known client that has to be made durable: an alert, or why it cannot be traded on.

    `strategy_name`: the strategy whose secret it carries.
    """

    client_id: str
    delivery: Delivery
    asked_for: Callable[[], AskedFor]
    content: ParsedAlert | InvalidAlert
    strategy_name: str | None = None


class AlertReceiver:
    """Authenticates, reads and answers deliveries.

    Args:
        admission: who is let in, and how often.
        dialects: those that alerts may be written in.
        defaults: what alerts need not name.
    """

    def __init__(
        self,
        desk: AlertRegistrar,
        secrets: Secrets,
        *,
        clock: Clock,
        admission: Admission,
        dialects: Dialects = DIALECTS,
        defaults: AlertDefaultsBook = NO_DEFAULTS,
    ) -> None:
        self._desk = desk
        self._secrets = secrets
        self._clock = clock
        self._admission = admission
        self._dialects = dialects
        self._defaults = {name: defaults.owned_by(name) for name in (None, *secrets.strategies)}
        self._strangers = RefusedDeliveries(0, clock.now())

    @property
    def formats(self) -> tuple[str, ...]:
        """The names that a path below `/webhook` may have."""
        return self._dialects.names

    @property
    def strangers(self) -> RefusedDeliveries:
        """The deliveries that this process refused because no right secret came with them."""
        return self._strangers

    def receive(self, request: Request, raw: bytes) -> Received | Answer:
        """Receive a delivery that has arrived whole. Refusals and errors of ours are answers too."""
        try:
            return self.read(request, raw, self.admit(request.sender))
        except Refused as refused:
            return refused.answer
        except Exception as error:  # noqa: BLE001 - the sender gets an answer, whatever went wrong
            return answer_to_error(error)

    # step one: without the database -------------------------------------------------------------------------

    def admit(self, sender: str) -> datetime:
        """Let a delivery of the sender in, before its body is read; return the time at which it was received.

        It is counted when it is known whether it carries a right secret.

        Raises:
            Refused: the sender has sent too many of both kinds.
        """
        received_at = self._clock.now()
        wait = min(self._admission.deliveries.peek(sender), self._admission.strangers.peek(sender))
        if wait:
            raise _too_many(wait)
        return received_at

    def read(self, request: Request, raw: bytes, received_at: datetime) -> Received:
        """Authenticate the sender of an admitted delivery and parse the body.

        Raises:
            Refused: the sender is not known, so nothing is stored.
        """
        body = decode(raw)
        dialect = self._dialects.dialect_of(body, request.name)
        identity = self._identity(body, dialect, request, received_at)
        return Received(
            identity.client_id,
            Delivery(
                received_at, request.sender, self._secrets.mask_body(raw), self._format(dialect, request.name)
            ),
            partial(dialect.asked_for, body),
            self._content(body, dialect, request, identity),
            identity.strategy_name,
        )

    def _format(self, dialect: Dialect, name: str | None) -> str:
        """The format to store. A name that is not known is not: a path may hold even the secret."""
        return UNKNOWN if self._is_unknown(name) else dialect.name

    def _is_unknown(self, name: str | None) -> bool:
        return name is not None and self._dialects.named(name) is None

    def _content(
        self, body: Body, dialect: Dialect, request: Request, identity: Identity
    ) -> ParsedAlert | InvalidAlert:
        if identity.late is not None:
            return SignatureLate("SIGNATURE_LATE", identity.late, "X-Signature")
        unreadable = body.unreadable_as(dialect.form)
        if unreadable is not None:
            return unreadable
        if self._is_unknown(request.name):
            message = f"expected one of {', '.join(self.formats)} in the path, got {shown(request.name)}"
            return InvalidAlert("UNKNOWN_FORMAT", message, "format")
        defaults = self._defaults[identity.strategy_name]
        try:
            alert = dialect.parse(body, default_client=identity.client_id, defaults=defaults)
            alert = owned(alert, defaults, self._secrets.mask)
            self._check_sender(alert.strategy_name, request)
            alert = shared(alert, defaults, sender=identity.client_id, named=dialect.client_of(body))
        except InvalidAlert as error:
            return error
        if alert.unread:  # a sender may have put the secret anywhere
            return replace(alert, unread=tuple(map(self._secrets.mask, alert.unread)))
        return alert

    def _check_sender(self, strategy_name: str, request: Request) -> None:
        senders = self._admission.senders.for_strategy(strategy_name)
        if senders is None or request.is_own or senders.holds(request.sender, request.certificate):
            return
        message = (
            "expected a sender that senders of config/strategies.toml or WEBHOOK_SENDERS allows for the strategy "
            f"{strategy_name!r}, got {shown(request.sender)}"
        )
        raise SenderNotAllowed("SENDER_NOT_ALLOWED", message, "senders")

    # step two: durable --------------------------------------------------------------------------------------

    def settle(self, received: Received) -> Answer:
        """Make a delivery durable, then answer it. Errors of ours are answers too."""
        outcome: Receipt | Exception
        if isinstance(received.content, InvalidAlert):
            outcome = received.content
        else:
            try:
                outcome = self._desk.process_alert(received.content, received.delivery)
            except Exception as error:  # noqa: BLE001 - the sender gets an answer, whatever went wrong
                outcome = error
        return self._answered(received, outcome)

    def settle_together(self, received: Sequence[Received]) -> list[Answer | Received]:
        """Make several alerts durable in one transaction, in their order, then answer each.

        In the place of an alert that turned out to be one that cannot be traded on, a delivery is returned that has
        yet to be settled.
        """
        alerts = [(each.content, each.delivery) for each in received if isinstance(each.content, ParsedAlert)]
        try:
            outcomes = self._desk.process_alerts(alerts)
        except Exception as error:  # noqa: BLE001 - the senders get an answer, whatever went wrong
            return [answer_to_error(error)] * len(received)
        return [
            each._replace(content=outcome)
            if isinstance(outcome, InvalidAlert)
            else self._answered(each, outcome)
            for each, outcome in zip(received, outcomes, strict=True)
        ]

    def _answered(self, received: Received, outcome: Receipt | Exception) -> Answer:
        if isinstance(outcome, Receipt):
            return Answer(200, receipt_json(outcome))
        if not isinstance(outcome, InvalidAlert):
            return answer_to_error(outcome)
        try:
            return self._reject(received, outcome)
        except Exception as error:  # noqa: BLE001 - the sender gets an answer, whatever went wrong
            return answer_to_error(error)

    def _reject(self, received: Received, error: InvalidAlert) -> Answer:
        """Store an authenticated alert that cannot be traded on, because no sender sends it again after a 4xx."""
        mask = self._secrets.mask  # a sender may have put the secret anywhere
        shown_error = type(error)(error.code, mask(error.message), error.field and mask(error.field))
        asked_for = received.asked_for()
        alert_id = self._desk.keep_rejected(
            received.client_id,
            received.delivery,
            shown_error,
            strategy_name=received.strategy_name or self._label(asked_for.strategy_name),
            signal_id=self._label(asked_for.signal_id),
            execution_type=self._label(asked_for.execution_type),
            symbols=self._symbols(asked_for),
        )
        if isinstance(error, NothingAsked):
            return Answer(200, info_json(alert_id))
        log.warning("alert %s of %s rejected: %s", alert_id, received.client_id, shown_error)
        status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 400)
        return Answer(status, invalid_json(shown_error, alert_id=alert_id))

    def _symbols(self, asked_for: AskedFor) -> tuple[str, ...]:
        """The symbols that a rejected alert asks to trade, each once."""
        named = asked_for.symbols[:_NAMED]
        return tuple(dict.fromkeys(symbol for each in named if (symbol := self._label(each))))

    def _label(self, value: object) -> str | None:
        """A name from a rejected alert, with secrets masked; None unless it is 1 to 128 printable characters."""
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not text.isprintable() or not 1 <= len(text) <= 128:
            return None
        return self._secrets.mask(text)

    # authentication -----------------------------------------------------------------------------------------

    def _identity(self, body: Body, dialect: Dialect, request: Request, received_at: datetime) -> Identity:
        secret = dialect.secret.find(body)
        identity = self._secrets.authenticate(
            body.raw,
            body_secret=secret,
            path_token=request.token,
            signature=request.signature,
            at=received_at,
        )
        if identity is not None and identity.may_name(dialect.client_of(body)):
            wait = self._admission.deliveries.wait(request.sender)
            if wait:
                raise _too_many(wait)
            return identity
        wait = self._admission.strangers.wait(request.sender)
        if wait:
            raise _too_many(wait)
        if secret is not None or request.token is not None or request.signature is not None:
            self._count_guess(request.sender)
        unreadable = body.unreadable_as(dialect.form)
        if unreadable is not None and request.token is None and request.signature is None:
            # It carries no right secret as far as anybody can read it: say what cannot be read.
            raise Refused(400, unreadable.code, unreadable.message, unreadable.field)
        log.warning("alert of %s refused: no right secret", request.sender)
        self._strangers = self._strangers.plus(self._clock.now(), request.sender)
        key = dialect.secret.key
        raise Refused(
            401,
            "UNAUTHORIZED",
            f"expected the right secret, as {key} in the body, path token or X-Signature "
            "(and where several are given, all of them right and for the client_id)",
            key,
        )

    def _count_guess(self, sender: str) -> None:
        # This limit never refuses the right secret. Platforms send all their users' alerts from the same few
        # addresses, and a stranger's guesses must not stop our user's orders.
        wait = self._admission.guesses.wait(sender)
        if wait:
            raise Refused(429, "RATE_LIMITED", "too many wrong secrets from this sender", wait=wait)


def _too_many(wait: float) -> Refused:
    return Refused(429, "RATE_LIMITED", "too many alerts from this sender", wait=wait)


def answer_to_error(error: Exception) -> Answer:
    """The answer to an error of ours, which is logged: the sender may send the same alert again."""
    headers = (("Retry-After", str(RETRY_SECONDS)),)
    if isinstance(error, StoreUnavailable):
        log.error("an alert could not be made durable: %s", error)
        message = "the alert could not be made durable and was not taken: send it again"
        return Answer(503, error_json("UNAVAILABLE", message), headers)
    log.error("an alert met an unexpected error", exc_info=error)
    # The error may have occurred after the legs became durable; the same alert sent again is then a duplicate.
    return Answer(500, error_json("INTERNAL_ERROR", "an error of ours: send the same alert again"), headers)
