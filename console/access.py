"""Authenticate console requests: by the bearer token, or by the session that the login page gives for it."""

import logging
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import Request
from werkzeug.exceptions import Forbidden, HTTPException, TooManyRequests, Unauthorized
from werkzeug.wrappers import Response

from domain.credentials import is_same, secret_bytes, signature_of
from domain.ports import Clock
from domain.times import is_within

log = logging.getLogger(__name__)

SESSION = timedelta(hours=12)
COOKIE = "orderwatch_session"
NAME_COOKIE = "orderwatch_name"  # what the operator last signed with, so that it need not be typed again
MAX_NAME = 60
_FAILURES = 10
_WITHIN = timedelta(minutes=5)
_MAX_SENDERS = 10_000


class Access:
    """Authenticates requests by the console token, or by a session made from it.

    A session is `nonce.expiry.hmac`, an HMAC-SHA256 keyed by the token. Such a session:

    - needs no stored state, and is valid in every process
    - ends when the token changes
    - does not reveal the token
    """

    def __init__(self, token: str, clock: Clock) -> None:
        if not token:
            raise ValueError("the console needs a token")
        self._token = secret_bytes(token)
        self._clock = clock
        self._guesses = LoginLimit(clock)

    def is_token(self, text: str) -> bool:
        """Compare a text with the token, in constant time."""
        return is_same(secret_bytes(text), self._token)

    def by_bearer(self, request: Request) -> bool:
        """True when the request carries the token itself."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(value.strip())

    def by_session(self, request: Request) -> bool:
        """True when the request carries a genuine session that has not expired."""
        nonce, _, rest = request.cookies.get(COOKIE, "").partition(".")
        expiry, _, signature = rest.partition(".")
        genuine = is_same(secret_bytes(signature), self._signature(nonce, expiry).encode())
        return genuine and int(expiry) > self._clock.now().timestamp()

    def refusal(self, request: Request) -> HTTPException | None:
        """Return the error that refuses the request, None when the request is allowed.

        A browser may send the session cookie with a request that another site's page makes. So a request that changes
        something is accepted by its session only when it comes from this site.
        """
        if self.by_bearer(request):
            return None
        if not self.by_session(request):
            if "Authorization" in request.headers and self._is_one_guess_too_many(request):
                return TooManyRequests("too many wrong tokens from this sender: wait five minutes")
            return Unauthorized("the console token is needed: Authorization: Bearer <CONSOLE_TOKEN>")
        if request.method not in ("GET", "HEAD", "OPTIONS") and not same_origin(request):
            return Forbidden("the request comes from another site")
        return None

    def _is_one_guess_too_many(self, request: Request) -> bool:
        # A request with the right token was accepted before this point. Behind a proxy all senders may share one
        # address, and a stranger's guesses must not lock the operator out. For the same reason the login form has a
        # limit of its own.
        sender = request.remote_addr or ""
        if self._guesses.exceeded(sender):
            return True
        self._guesses.failed(sender)
        log.warning("[CONSOLE] wrong bearer token from %s", sender)
        return False

    def begin_session(self, request: Request, response: Response) -> None:
        """Set the session cookie. Scripts cannot read it, and requests from other sites do not carry it."""
        nonce, expiry = secrets.token_urlsafe(16), str(int((self._clock.now() + SESSION).timestamp()))
        response.set_cookie(
            COOKIE,
            f"{nonce}.{expiry}.{self._signature(nonce, expiry)}",
            max_age=SESSION,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )

    def _signature(self, nonce: str, expiry: str) -> str:
        return signature_of(self._token, secret_bytes(f"console session {nonce} {expiry}"))


class LoginLimit:
    """Makes a sender wait after ten wrong tokens within five minutes. Each process counts for itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, list[datetime]] = {}

    def exceeded(self, sender: str) -> bool:
        """True while the sender has to wait."""
        return len(self._recent(sender)) >= _FAILURES

    def failed(self, sender: str) -> None:
        """Record a wrong token."""
        if len(self._failures) >= _MAX_SENDERS:  # forget all senders, so that memory stays bounded
            self._failures.clear()
        self._failures[sender] = [*self._recent(sender), self._clock.now()]

    def _recent(self, sender: str) -> list[datetime]:
        now = self._clock.now()
        return [at for at in self._failures.get(sender, ()) if is_within(at, now, _WITHIN)]


def same_origin(request: Request) -> bool:
    """True when the browser reports that a page of this site sent the request.

    Browsers send `Sec-Fetch-Site` over https and to localhost only; they send `Origin` with every POST. Hosts are
    compared and schemes are not, because a proxy in front may have terminated https.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc == request.host


def local_path(target: str | None) -> str:
    """Return the path to open after a login: `target`, or the order book when `target` is not a path of this site."""
    if not target or not target.startswith("/") or target.startswith("//"):
        return "/"
    # A browser reads a backslash as a slash, and drops tabs and line breaks: such a target could lead to another site.
    if "\\" in target or any(ord(c) < 32 for c in target):
        return "/"
    return target
