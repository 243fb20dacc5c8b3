"""A broker over HTTP on this machine: the adapter, and the server that records when each order reached it.

`python -m benchmarks.http_broker PORT [LONGEST]` serves. Orders are filled at once. The book holds the LONGEST newest.
`POST /mode/hang` makes the server hang: it takes what arrives and answers nothing. `POST /mode/answer` ends that.
"""

import contextlib
import json
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from app.child_process import end_with_parent
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, BrokerStatus, OrderRef, OrderReport, Position, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import Side
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.money import ZERO, decimal_text
from domain.ports import Clock

_TIMEOUT = (1.0, 5.0)
_HEAD_END = b"\r\n\r\n"


class StubBroker:
    """The adapter, built like one of a real broker: `requests` with kept connections, the book read whole."""

    traits = BrokerTraits(name="stub", is_real=False, id_class=IdClass.C1)

    def __init__(self, url: str, clock: Clock, traits: BrokerTraits = traits) -> None:
        self.traits = traits
        self._url = url
        self._clock = clock
        self._local = threading.local()

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """See `domain.ports.Broker.place`."""
        order = {
            "tag": command.client_order_id,
            "exchange": command.exchange,
            "symbol": command.symbol,
            "product": command.product,
            "side": command.side,
            "quantity": decimal_text(command.quantity),
            "price": decimal_text(command.price or Decimal(100)),
        }
        try:
            answer = self._session().post(f"{self._url}/orders", json=order, timeout=_TIMEOUT)
            answer.raise_for_status()
            return OrderResult(str(answer.json()["id"]))
        except requests.ConnectTimeout as error:
            raise NotSent(str(error)) from error
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise NotSent(str(error)) from error
            raise OutcomeUnknown(str(error)) from error
        except (requests.RequestException, ValueError, KeyError) as error:
            raise OutcomeUnknown(str(error)) from error

    def cancel(self, ref: OrderRef) -> None:
        """Always refuse, because every order is filled at once."""
        raise Refused("the order is filled", "ORDER_NOT_OPEN")

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """See `domain.ports.Broker.read_book`."""
        started = self._clock.now()
        return Book(started, tuple(_report(row) for row in self._read("orders")), complete=True)

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """See `domain.ports.Broker.read_positions`."""
        started = self._clock.now()
        return PositionsSnapshot(
            started,
            tuple(
                Position(row["exchange"], row["symbol"], row["product"], Decimal(row["net"]))
                for row in self._read("positions")
            ),
        )

    def _read(self, what: str) -> list[dict[str, Any]]:
        try:
            answer = self._session().get(f"{self._url}/{what}", timeout=_TIMEOUT)
            answer.raise_for_status()
            rows: list[dict[str, Any]] = answer.json()
            return rows
        except (requests.RequestException, ValueError) as error:
            raise ReadFailed(str(error)) from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        return session


def _never_connected(error: requests.ConnectionError) -> bool:
    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def _report(row: dict[str, Any]) -> OrderReport:
    quantity = Decimal(row["quantity"])
    return OrderReport(
        row["id"],
        row["tag"],
        BrokerStatus.COMPLETE,
        row["exchange"],
        row["symbol"],
        Side(row["side"]),
        quantity,
        quantity,
        Decimal(row["price"]),
    )


class StubServer:
    """Takes orders, and records when the first byte of each arrived.

    Args:
        longest: how many orders the book holds, the newest ones; None: all of them.
    """

    def __init__(self, longest: int | None = None) -> None:
        self._count = 0
        self._orders: deque[dict[str, Any]] = deque(maxlen=longest)
        self._nets: dict[tuple[str, str, str], Decimal] = {}
        self._stamps: dict[str, int] = {}
        self._lock = threading.Lock()
        self._answering = threading.Event()
        self._answering.set()

    def serve(self, port: int) -> None:
        """Serve forever, with a thread for each connection."""
        with socket.create_server(("127.0.0.1", port)) as listener:
            while True:
                connection = listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                at = time.time_ns()
                head, body = _read_all(connection, data)
                answer = json.dumps(self._answer(head, body, at)).encode()
                if not self._answering.is_set() and "/mode" not in head:
                    self._answering.wait()
                    return
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(answer), answer)
                )

    def _answer(self, head: str, body: bytes, at: int) -> object:
        with self._lock:
            match head.split(" ", 2)[:2]:
                case ["POST", "/orders"]:
                    return {"id": self._take(json.loads(body), at)}
                case ["POST", "/mode/hang"]:
                    self._answering.clear()
                    return None
                case ["POST", "/mode/answer"]:
                    self._answering.set()
                    return None
                case ["GET", "/stamps"]:
                    return dict(self._stamps)
                case ["GET", "/positions"]:
                    names = ("exchange", "symbol", "product", "net")
                    return [
                        dict(zip(names, (*key, str(net)), strict=True)) for key, net in self._nets.items()
                    ]
        return list(self._orders)

    def _take(self, order: dict[str, Any], at: int) -> str:
        self._count += 1
        order["id"] = f"B{self._count:06d}"
        key = (order["exchange"], order["symbol"], order["product"])
        self._nets[key] = self._nets.get(key, ZERO) + Decimal(order["quantity"]) * Side(order["side"]).sign
        self._orders.append(order)
        self._stamps.setdefault(order["tag"], at)
        return str(order["id"])


def _read_all(connection: socket.socket, data: bytes) -> tuple[str, bytes]:
    while _HEAD_END not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(_HEAD_END)
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    while len(body) < int(length or b"0"):
        body += connection.recv(65536)
    return head.decode("latin-1"), body


def main() -> None:
    """Serve at the port in the first argument."""
    end_with_parent()
    port, *longest = map(int, sys.argv[1:])
    StubServer(*longest).serve(port)


if __name__ == "__main__":
    main()
