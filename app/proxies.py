"""Find out who sent a request behind reverse proxies, and what they have checked of the sender's certificate."""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from domain.senders import Senders, is_address

UNKNOWN = "unknown"
"""The sender of a request that a proxy forwarded without saying from where. It is no address, and in no list."""
CERTIFICATE = "orderwatch.certificate"
"""The key of a WSGI environ under which the subject of a certificate stands that a trusted proxy has checked. No header
can set it."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Proxies:
    """The reverse proxies in front of the service.

    Args:
        hops: how many of them add to X-Forwarded-For; what stands before is the sender's own writing.
        addresses: those that the nearest one connects from; None: every connection is one of its.
        certificate_header: the header in which it passes the subject of the sender's certificate; None: in none.
    """

    def __init__(
        self, hops: int, addresses: Senders | None = None, certificate_header: str | None = None
    ) -> None:
        self._hops = hops
        self._addresses = addresses
        self._header = certificate_header

    @property
    def certificate_header(self) -> bytes | None:
        """The name of the header with the subject, in small letters."""
        return None if self._header is None else self._header.lower().encode()

    def sender_of(self, peer: str, forwarded: str | None, subject: str | None) -> tuple[str, str | None]:
        """Return the sender's address, and the subject of its certificate where that can be believed.

        Args:
            peer: the address of the connection.
            forwarded: the X-Forwarded-For header.
            subject: the header that may hold the subject.
        """
        if not self._is_proxy(peer) or forwarded is None:
            return peer, None
        hops = parse_list_header(
            forwarded
        )  # a header that cannot be read has none: whoever wrote it is not the proxy
        sender = hops[-self._hops] if len(hops) >= self._hops else UNKNOWN
        if not is_address(sender):
            return UNKNOWN, None
        # More or fewer addresses than proxies: it came another way than the one on which the certificate was checked.
        is_checked = self._header is not None and self._addresses is not None and len(hops) == self._hops
        return sender, subject if is_checked else None

    def wrapped(self, app: WsgiApp) -> WsgiApp:
        """Return a WSGI application that learns from the proxies who sent a request."""
        if not self._hops:
            return app
        behind: WsgiApp = ProxyFix(app, x_for=0, x_proto=self._hops, x_host=self._hops)
        name = None if self._header is None else "HTTP_" + self._header.upper().replace("-", "_")

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            peer = environ.get("REMOTE_ADDR") or ""
            if not self._is_proxy(peer):
                return app(environ, start_response)
            said = None if name is None else environ.get(name)
            sender, subject = self.sender_of(peer, environ.get("HTTP_X_FORWARDED_FOR"), said)
            environ["REMOTE_ADDR"], environ[CERTIFICATE] = sender, subject
            return behind(environ, start_response)

        return call

    def _is_proxy(self, peer: str) -> bool:
        return bool(self._hops) and (self._addresses is None or self._addresses.holds(peer))
