"""Serve POST /webhook: alerts in, durable legs out. No broker and no message channel is called from here."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil
from typing import NoReturn, Protocol

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from alerts import strict_json
from alerts.auth import Secrets, secret_in_unreadable
from alerts.formats import FORMATS
from alerts.rate_limit import RateLimiter
from alerts.responses import error_json, invalid_json, receipt_json
from alerts.sanitising import shown
from domain.alert import Delivery, ParsedAlert
from domain.errors import InvalidAlert, SignalReused, StoreUnavailable
from domain.ports import Clock
from domain.receipt import Receipt

log = logging.getLogger(__name__)

PATHS = ("/webhook", "/webhook/<name>", "/webhook/<name>/<path:token>")  # a secret may hold slashes
OTHER_METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
RETRY_SECONDS = 5
"""Seconds after which a sender should retry after a failure of ours; TradingView retries by itself."""
_NAMED = 20  # legs of a rejected alert whose symbols are notified: as many as an alert may have
SMALLEST_BURST = 5
"""Alerts that a sender may always send at once: alerts for the close and the open of a bar arrive together."""


class AlertRegistrar(Protocol):
    """Registers alerts. What a call stored is durable when it returns."""

    def process_alert(self, alert: ParsedAlert, delivery: Delivery) -> Receipt:
        """Make the legs durable; returns their state.

        Raises:
            InvalidAlert: the alert cannot be traded on; nothing was stored.
            SignalReused: its signal_id came before with other content; nothing was stored.
            StoreUnavailable: nothing was stored.
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


class _Refused(Exception):
    """The delivery is refused, and is not stored."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, *, wait: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_json(code, message, field)
        self.wait = wait


def create_webhook(
    desk: AlertRegistrar,
    secrets: Secrets,
    *,
    clock: Clock,
    max_bytes: int,
    rate_per_second: float,
    auth_failures_per_minute: int,
    monotonic: Callable[[], float],
) -> Blueprint:
    """Create the blueprint that receives alerts.

    Args:
        max_bytes: a larger body is refused.
        rate_per_second: deliveries of one sender; 0 means no limit.
        auth_failures_per_minute: wrong secrets of one sender that are answered as such, further ones with 429;
            0 means no limit.
        monotonic: seconds on a clock that never goes back.
    """
    rate = RateLimiter(rate_per_second, burst=max(rate_per_second, SMALLEST_BURST), monotonic=monotonic)
    failures = RateLimiter(auth_failures_per_minute / 60, burst=auth_failures_per_minute, monotonic=monotonic)
    webhook = _Webhook(desk, secrets, clock=clock, max_bytes=max_bytes, rate=rate, failures=failures)
    blueprint = Blueprint("webhook", __name__)
    for path in PATHS:
        blueprint.add_url_rule(
            path,
            "receive",
            webhook.receive,
            methods=["POST"],
            strict_slashes=False,
            provide_automatic_options=False,
        )
        blueprint.add_url_rule(
            path,
            "refuse",
            _refuse_method,
            methods=OTHER_METHODS,
            strict_slashes=False,
            provide_automatic_options=False,
        )
    blueprint.register_error_handler(_Refused, _answer_refused)
    blueprint.register_error_handler(StoreUnavailable, _answer_unavailable)
    blueprint.register_error_handler(HTTPException, _answer_http)
    blueprint.register_error_handler(Exception, _answer_unexpected)
    return blueprint


class _Webhook:
    def __init__(
        self,
        desk: AlertRegistrar,
        secrets: Secrets,
        *,
        clock: Clock,
        max_bytes: int,
        rate: RateLimiter,
        failures: RateLimiter,
    ) -> None:
        self._desk = desk
        self._secrets = secrets
        self._clock = clock
        self._max_bytes = max_bytes
        self._rate = rate
        self._failures = failures

    def receive(self, name: str = "native", token: str | None = None) -> Response:
        """Process one delivery; the answer says what became of it."""
        received_at = self._clock.now()
        sender = request.remote_addr or "unknown"
        wait = self._rate.wait(sender)
        if wait:
            raise _Refused(429, "RATE_LIMITED", "too many alerts from this sender", wait=wait)
        raw = self._read_body()
        signature = request.headers.get("X-Signature")
        try:
            document = strict_json.parse(raw)
        except InvalidAlert as error:
            client_id = self._client_of_unreadable(raw, error, token, signature, sender)
            return self._reject(client_id, self._delivery(raw, name, received_at, sender), error, {})
        client_id = self._client(raw, document, token, signature, sender)
        return self._process(client_id, self._delivery(raw, name, received_at, sender), document, name)

    def _delivery(self, raw: bytes, name: str, received_at: datetime, sender: str) -> Delivery:
        known = name if name in FORMATS else "unknown"  # a path may hold anything, even the secret
        return Delivery(received_at, sender, self._secrets.mask_body(raw), known)

    def _read_body(self) -> bytes:
        # The limit applies to a chunked body too, which announces no length.
        request.max_content_length = self._max_bytes
        try:
            return request.get_data(cache=False)
        except HTTPException:
            raise
        except Exception as error:  # cut short, or malformed chunks: each server raises its own errors
            raise _Refused(400, "UNREADABLE", "expected a complete body, got part of one", "body") from error

    def _process(
        self, client_id: str, delivery: Delivery, document: dict[str, object], name: str
    ) -> Response:
        try:
            parse = FORMATS.get(name)
            if parse is None:
                message = f"expected one of {', '.join(FORMATS)} in the path, got {shown(name)}"
                raise InvalidAlert("UNKNOWN_FORMAT", message, "format")
            alert = parse(document, default_client=client_id)
            receipt = self._desk.process_alert(alert, delivery)
        except InvalidAlert as error:
            return self._reject(client_id, delivery, error, document)
        return _answer(200, receipt_json(receipt))

    def _reject(
        self,
        client_id: str,
        delivery: Delivery,
        error: InvalidAlert,
        document: dict[str, object],
    ) -> Response:
        """Store an authenticated alert that cannot be traded on, because no sender sends it again after a 4xx."""
        mask = self._secrets.mask  # a sender may have put the secret anywhere
        shown_error = type(error)(error.code, mask(error.message), error.field and mask(error.field))
        alert_id = self._desk.keep_rejected(
            client_id,
            delivery,
            shown_error,
            strategy_name=self._label(document.get("strategy_name")),
            signal_id=self._label(document.get("signal_id")),
            execution_type=self._label(document.get("execution_type")),
            symbols=self._symbols(document),
        )
        log.warning("alert %s of %s rejected: %s", alert_id, client_id, shown_error)
        status = 409 if isinstance(error, SignalReused) else 400
        return _answer(status, invalid_json(shown_error, alert_id=alert_id))

    def _symbols(self, document: dict[str, object]) -> tuple[str, ...]:
        """The symbols that a rejected alert asks to trade, each once."""
        legs = document.get("legs")
        named = (
            [leg.get("tradingsymbol") for leg in legs if isinstance(leg, dict)]
            if isinstance(legs, list)
            else []
        )
        return tuple(dict.fromkeys(symbol for each in named[:_NAMED] if (symbol := self._label(each))))

    def _label(self, value: object) -> str | None:
        """A name from a rejected alert, with secrets masked; None unless it is 1 to 128 printable characters."""
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not text.isprintable() or not 1 <= len(text) <= 128:
            return None
        return self._secrets.mask(text)

    # authentication -----------------------------------------------------------------------------------------

    def _client(
        self,
        raw: bytes,
        document: dict[str, object],
        token: str | None,
        signature: str | None,
        sender: str,
    ) -> str:
        given = document.get("secret_key")
        # An empty field means that the template's user sends the secret in one of the other ways.
        secret = None if given is None or given == "" else given if isinstance(given, str) else ""
        client_id = self._secrets.authenticate(raw, body_secret=secret, path_token=token, signature=signature)
        named = document.get("client_id")
        if client_id is None or (isinstance(named, str) and named.strip() not in ("", client_id)):
            guessed = any(way is not None for way in (secret, token, signature))
            self._refuse_stranger(sender, guessed=guessed)
        return client_id

    def _client_of_unreadable(
        self, raw: bytes, error: InvalidAlert, token: str | None, signature: str | None, sender: str
    ) -> str:
        secret = secret_in_unreadable(raw)
        client_id = self._secrets.authenticate(raw, body_secret=secret, path_token=token, signature=signature)
        if client_id is not None:
            return client_id
        if token is not None or signature is not None:
            self._refuse_stranger(sender, guessed=True)
        if secret is not None:
            self._count_guess(sender)
        raise _Refused(400, error.code, error.message, error.field)

    def _refuse_stranger(self, sender: str, *, guessed: bool) -> NoReturn:
        if guessed:
            self._count_guess(sender)
        log.warning("alert of %s refused: no right secret", sender)
        raise _Refused(
            401,
            "UNAUTHORIZED",
            "expected the right secret, as secret_key in the body, path token or X-Signature "
            "(and where several are given, all of them right and for the client_id)",
            "secret_key",
        )

    def _count_guess(self, sender: str) -> None:
        # This limit never refuses the right secret. Platforms send all their users' alerts from the same few
        # addresses, and a stranger's guesses must not stop our user's orders.
        wait = self._failures.wait(sender)
        if wait:
            raise _Refused(429, "RATE_LIMITED", "too many wrong secrets from this sender", wait=wait)


# answers -----------------------------------------------------------------------------------------------------


def _answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, content_type="application/json")


def _refuse_method(**_: str) -> Response:
    message = f"expected POST, got {request.method}"
    return _answer(405, error_json("METHOD_NOT_ALLOWED", message), {"Allow": "POST"})


def _answer_refused(refused: _Refused) -> Response:
    headers = None if refused.wait is None else {"Retry-After": str(ceil(refused.wait))}
    return _answer(refused.status, refused.body, headers)


def _answer_unavailable(error: StoreUnavailable) -> Response:
    log.error("an alert could not be made durable: %s", error)
    body = error_json("UNAVAILABLE", "the alert could not be made durable and was not taken: send it again")
    return _answer(503, body, {"Retry-After": str(RETRY_SECONDS)})


def _answer_http(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        return _answer(413, error_json("TOO_LARGE", "expected a smaller body", "body"))
    return _answer(error.code or 500, error_json("HTTP_ERROR", error.description or error.name))


def _answer_unexpected(error: Exception) -> Response:
    log.error("an alert met an unexpected error", exc_info=error)
    # The error may have occurred after the legs became durable; the same alert sent again is then a duplicate.
    body = error_json("INTERNAL_ERROR", "an error of ours: send the same alert again")
    return _answer(500, body, {"Retry-After": str(RETRY_SECONDS)})
