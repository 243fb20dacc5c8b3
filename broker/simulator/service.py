"""The simulator without its sockets: take a call, apply the faults, and return an answer or nothing."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from broker.simulator.delivered import Delivered
from broker.simulator.endpoints import Body, Endpoints, NotOk
from broker.simulator.exchange import Exchange
from broker.simulator.faults import ENDPOINTS, Fault, FaultBox, FaultKind, FaultPlan
from broker.simulator.form import Data, InvalidInput, read_form
from broker.simulator.journal import EventLog
from broker.simulator.sessions import Credentials, Sessions
from domain.money import decimal_text
from domain.ports import Clock
from domain.times import time_text

QUICK_AUTH_BASE = "NorenWClientTP"
OAUTH_BASE = "NorenWClientAPI"
_MINUTE_IS_FULL = (
    "Invalid Input : Order Recieved {} in a current minute exceeds Limit {} for user"  # the broker's spelling
)
_PROXY_PAGE = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(frozen=True, slots=True)
class WireResponse:
    """An HTTP answer. `length` is the length that it declares, where that is not the true one."""

    status: int
    body: bytes
    content_type: str = "application/json"
    length: int | None = None


class Wording(Protocol):
    """How a wire writes what the simulator answers. `emsg` is always the Noren wire's text."""

    def ok(self, endpoint: str, body: Body) -> WireResponse:
        """Write the answer to a call that succeeded."""

    def not_ok(self, endpoint: str, emsg: str, status: int | None = None) -> WireResponse:
        """Write a refusal. `status` None or 200: the wire's own HTTP status of such answers."""

    def too_many_calls(self) -> WireResponse:
        """Write that this second has too many calls."""

    def minute_is_full(self, limit: int) -> WireResponse:
        """Write that this minute has too many calls."""


class NorenWording:
    """How the Noren wire writes it."""

    def __init__(self, request_time: Callable[[], str], not_ok_status: int) -> None:
        self._request_time = request_time
        self._not_ok_status = not_ok_status

    def ok(self, endpoint: str, body: Body) -> WireResponse:
        """The body as it is."""
        return json_response(200, body)

    def not_ok(self, endpoint: str, emsg: str, status: int | None = None) -> WireResponse:
        """`stat` is `Not_Ok`, and `emsg` the text."""
        body = {"request_time": self._request_time(), "stat": "Not_Ok", "emsg": emsg}
        return json_response(self._not_ok_status if status in (None, 200) else status, body)

    def too_many_calls(self) -> WireResponse:
        """A 429 of a machine in front of the broker."""
        return WireResponse(429, b"Too Many Requests", "text/plain")

    def minute_is_full(self, limit: int) -> WireResponse:
        """The broker's own refusal."""
        return self.not_ok("", _MINUTE_IS_FULL.format(limit + 1, limit))


class Simulator:
    """The broker behind the wire. Safe to call from several threads. `close` ends all waiting."""

    def __init__(
        self,
        clock: Clock,
        *,
        journal: Path | None = None,
        plan: FaultPlan | None = None,
        accounts: Mapping[str, Credentials] | None = None,
        not_ok_status: int = 200,
        default_price: Decimal = Decimal(100),
        market_orders: bool = False,
    ) -> None:
        """Continue from where the journal ended. With `market_orders` False, MKT and SL-MKT are refused.

        Raises:
            OSError: the journal cannot be opened.
            ValueError, KeyError: the journal is not one of this program.
        """
        self._journal = EventLog(journal)
        self._closing = threading.Event()
        self._counting = threading.Lock()
        self._received: Counter[str] = Counter()
        self._processed: Counter[str] = Counter()
        self._kept_back = 0
        self.exchange = Exchange(clock, self._journal, default_price=default_price)
        self.sessions = Sessions(accounts, self._journal, clock)
        self.faults = FaultBox(clock, plan)
        self._delivered = Delivered(self._journal.records())
        self._endpoints = Endpoints(
            self.exchange, self.sessions, self.faults, self._delivered, market_orders=market_orders
        )
        self._noren = NorenWording(self._endpoints.request_time, not_ok_status)

    def handle(self, base: str, endpoint: str, body: bytes, bearer: str | None) -> WireResponse | None:
        """Handle one call of the Noren wire. None: close the connection without an answer."""
        if base not in (QUICK_AUTH_BASE, OAUTH_BASE) or endpoint not in ENDPOINTS:
            return WireResponse(404, b"Not Found", "text/plain")
        try:
            data, key = read_form(body)
        except InvalidInput as error:
            self._count(self._received, endpoint)
            return self._noren.not_ok(endpoint, str(error))
        return self.call(endpoint, data, key if base == QUICK_AUTH_BASE else bearer, self._noren)

    def call(self, endpoint: str, data: Data, token: str | None, wording: Wording) -> WireResponse | None:
        """Handle one call of any wire. None: close the connection without an answer.

        `endpoint` and `data` are those of the Noren wire, whichever wire the call came over.
        """
        self._count(self._received, endpoint)
        faults = self.faults.strike(endpoint, data)
        for fault in faults:
            if fault.kind is FaultKind.LATE_ACCEPTANCE:
                self._keep_back(fault, data)
            goes_on, answer = self._before(endpoint, fault, token, wording)
            if not goes_on:
                return answer
        answer = self._process(endpoint, data, token, faults, wording)
        for fault in faults:
            answer = self._after(endpoint, fault, answer, wording)
        return answer

    def calls(self) -> dict[str, dict[str, int]]:
        """Return how many calls of each endpoint came in, and how many of them were processed."""
        with self._counting:
            return {"received": dict(self._received), "processed": dict(self._processed)}

    def deliver(self, uid: str, listed: Sequence[tuple[str, str]], quantity: Decimal) -> None:
        """Set a user's delivered units of a share. `listed` has its exchanges and its name at each."""
        record = {
            "kind": "delivered",
            "at": time_text(self.exchange.now()),
            "uid": uid,
            "listed": [list(place) for place in listed],
            "quantity": decimal_text(quantity),
        }
        self._journal.append([record])
        self._delivered.take(record)

    def kept_back(self) -> int:
        """Return how many orders the front end has received and not yet accepted."""
        with self._counting:
            return self._kept_back

    def close(self) -> None:
        """Release every waiting call without an answer, and close the journal. None of them is processed any more."""
        self._closing.set()
        self._journal.close()

    def _process(
        self,
        endpoint: str,
        data: Data,
        token: str | None,
        faults: tuple[Fault, ...],
        wording: Wording,
    ) -> WireResponse:
        self._count(self._processed, endpoint)
        try:
            return wording.ok(endpoint, self._endpoints.answer(endpoint, data, token, faults))
        except NotOk as refusal:
            return wording.not_ok(endpoint, str(refusal))

    def _before(
        self, endpoint: str, fault: Fault, token: str | None, wording: Wording
    ) -> tuple[bool, WireResponse | None]:
        """Return whether the call is to be processed, and the answer if it is not."""
        match fault.kind:
            case FaultKind.LATE:
                return not self._closing.wait(fault.seconds), None
            case FaultKind.LATE_ACCEPTANCE:
                return self._wait_kept_back(fault.seconds), None
            case FaultKind.HANG:
                self._hang()
                return False, None
            case FaultKind.DROP_BEFORE:
                return False, None
            case FaultKind.RATE_LIMIT:
                return False, wording.too_many_calls()
            case FaultKind.MINUTE_LIMIT:
                return False, wording.minute_is_full(fault.per_minute)
            case FaultKind.ERROR_5XX_BEFORE:
                return False, WireResponse(fault.status, _PROXY_PAGE, "text/html")
            case FaultKind.EXPIRED_SESSION:
                self.sessions.end(token)
                return False, wording.not_ok(endpoint, fault.emsg, fault.status)
            case FaultKind.REFUSE | FaultKind.FAILING_BOOK:
                return False, wording.not_ok(endpoint, fault.emsg, fault.status)
        return True, None

    def _after(
        self, endpoint: str, fault: Fault, answer: WireResponse | None, wording: Wording
    ) -> WireResponse | None:
        if answer is None:
            return None
        match fault.kind:
            case FaultKind.LATENCY:
                return None if self._closing.wait(fault.seconds) else answer
            case FaultKind.DROP_AFTER:
                return None
            case FaultKind.ERROR_5XX_AFTER:
                return WireResponse(fault.status, _PROXY_PAGE, "text/html")
            case FaultKind.REFUSE_AFTER:
                return wording.not_ok(endpoint, fault.emsg, fault.status)
            case FaultKind.TRUNCATE:
                half = answer.body[: len(answer.body) // 2]
                length = len(answer.body) if fault.declared == "whole" else None
                return WireResponse(answer.status, half, answer.content_type, length)
            case FaultKind.GARBAGE:
                return WireResponse(200, b'<html>\x00{"stat":')
        return answer

    def _keep_back(self, fault: Fault, data: Data) -> None:
        """Record an order that the front end has received and will accept only later."""
        received = {"kind": "received", "uid": data.get("uid"), "remarks": data.get("remarks")}
        at = time_text(self.exchange.now())
        self._journal.append([{**received, "at": at, "seconds": round(fault.seconds, 3)}])

    def _wait_kept_back(self, seconds: float) -> bool:
        """Wait while an order is kept back. False: the simulator was closed meanwhile."""
        with self._counting:
            self._kept_back += 1
        try:
            return not self._closing.wait(seconds)
        finally:
            with self._counting:
                self._kept_back -= 1

    def _hang(self) -> None:
        lifted = self.faults.lifted()
        while not lifted.wait(0.05) and not self._closing.is_set():
            pass

    def _count(self, counter: Counter[str], endpoint: str) -> None:
        with self._counting:
            counter[endpoint] += 1


def json_response(status: int | None, body: object) -> WireResponse:
    """Write an answer as JSON."""
    assert status is not None
    return WireResponse(status, json.dumps(body, separators=(",", ":")).encode())
