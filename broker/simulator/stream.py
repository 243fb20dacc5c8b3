"""Order updates over a WebSocket (RFC 6455, the part that is needed): log in, subscribe, receive updates."""

import base64
import hashlib
import json
import queue
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from email.parser import BytesParser
from typing import Any

from broker.simulator.faults import FaultKind
from broker.simulator.rows import update_message
from broker.simulator.service import Simulator
from broker.simulator.words import OrderTerms, Version

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LOGINS = {"c": ("ck", "susertoken"), "a": ("ak", "accesstoken")}


class UpdateStream:
    """A WebSocket server that notifies subscribers of changes to their orders. Port 0 takes a free one."""

    def __init__(self, simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the port. Clients are served from `start` on.

        Raises:
            OSError: the port is taken.
        """
        self._simulator = simulator
        self._lock = threading.Lock()
        self._clients: set[_Client] = set()
        self._server = _Server((host, port), self)
        self.port: int = self._server.server_address[1]
        self.url = f"ws://{host}:{self.port}/NorenWSTP/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Start serving clients, in separate threads."""
        self._simulator.exchange.listeners.append(self._tell)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, and close every connection."""
        self._simulator.exchange.listeners.remove(self._tell)
        self._server.shutdown()
        self._server.server_close()
        self.disconnect()
        self._thread.join(5)

    def disconnect(self) -> None:
        """Close every connection. Clients may connect again."""
        with self._lock:
            for client in self._clients:
                client.close()

    def user_of(self, token: str | None) -> str | None:
        """The user of the session with this token."""
        return self._simulator.sessions.user_of(token)

    def enter(self, client: "_Client") -> None:
        """Add a client that has connected."""
        with self._lock:
            self._clients.add(client)

    def leave(self, client: "_Client") -> None:
        """Remove a client that has disconnected."""
        with self._lock:
            self._clients.discard(client)

    def message(self, ticket: OrderTerms, version: Version) -> dict[str, str]:
        """The message that is sent for this version of an order."""
        known = self._simulator.exchange.instruments()
        return update_message(ticket, version, known[ticket.exch, ticket.tsym])

    def faults_of(self, message: dict[str, str]) -> frozenset[FaultKind]:
        """The kinds of faults that strike this update on its way."""
        return self._simulator.faults.strike_update(message)

    def _tell(self, ticket: OrderTerms, version: Version) -> None:
        """Queue an update. It must not send: the exchange calls it while it holds its lock."""
        with self._lock:
            for client in self._clients:
                if client.account == ticket.actid:
                    client.news.put((ticket, version))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], stream: UpdateStream) -> None:
        super().__init__(address, _Client)
        self.stream = stream


class _Client(socketserver.StreamRequestHandler):
    """One connection. This thread reads; another one writes the updates."""

    server: _Server
    request: socket.socket

    def setup(self) -> None:
        super().setup()
        self.account: str | None = None  # the account whose updates the client subscribed to
        self.news: queue.SimpleQueue[tuple[OrderTerms, Version] | None] = queue.SimpleQueue()
        self._user: str | None = None
        self._writing = threading.Lock()

    def handle(self) -> None:
        if not self._handshake():
            return
        self.server.stream.enter(self)
        threading.Thread(target=self._write_news, daemon=True).start()
        try:
            with suppress(OSError, ValueError):  # the client hung up, or sent something that is not a message
                while (message := self._read_message()) is not None:
                    self._answer(message)
        finally:
            self.server.stream.leave(self)
            self.news.put(None)

    def close(self) -> None:
        """Cut the connection."""
        with suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)

    def _handshake(self) -> bool:
        self.rfile.readline()
        lines = iter(self.rfile.readline, b"\r\n")
        headers = BytesParser().parsebytes(b"".join(line for line in lines))
        key = headers.get("Sec-WebSocket-Key")
        if key is None:
            return False
        accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()
        self.wfile.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        return True

    def _answer(self, message: dict[str, Any]) -> None:
        kind = message.get("t")
        if kind in _LOGINS:
            reply, field = _LOGINS[kind]
            user = self.server.stream.user_of(message.get(field))
            self._user = user if user == message.get("uid") else None
            self._send({"t": reply, "uid": message.get("uid"), "s": "OK" if self._user else "Not_Ok"})
        elif kind == "o" and self._user is not None:
            self.account = message.get("actid") or self._user
            self._send({"t": "ok"})
        elif kind == "h":
            self._send({"t": "hk"})

    def _write_news(self) -> None:
        kept: list[dict[str, str]] = []  # messages to send after the next update
        with suppress(OSError):
            while (update := self.news.get()) is not None:
                message = self.server.stream.message(*update)
                faults = self.server.stream.faults_of(message)
                if FaultKind.CUT_STREAM in faults:
                    self.close()
                    return
                if FaultKind.REORDERED_UPDATE in faults:
                    kept.append(message)
                    continue
                copies = (
                    0
                    if FaultKind.LOST_UPDATE in faults
                    else 2
                    if FaultKind.DUPLICATED_UPDATE in faults
                    else 1
                )
                for each in [message] * copies + kept:
                    self._send(each)
                kept.clear()

    def _send(self, message: dict[str, Any]) -> None:
        self._frame(_TEXT, json.dumps(message, separators=(",", ":")).encode())

    def _frame(self, opcode: int, content: bytes) -> None:
        size = len(content)
        length = bytes([size]) if size < 126 else struct.pack("!BH", 126, size)
        with self._writing:
            self.wfile.write(bytes([0x80 | opcode]) + length + content)

    def _read_message(self) -> dict[str, Any] | None:
        """The next message; None at the end of the connection. Messages in several frames are not supported."""
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                return None
            opcode, size = head[0] & 15, head[1] & 127
            if size == 126:
                (size,) = struct.unpack("!H", self.rfile.read(2))
            elif size == 127:
                raise ValueError("too long")
            mask = self.rfile.read(4) if head[1] & 128 else bytes(4)
            content = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(size)))
            if opcode == _CLOSE:
                self._frame(_CLOSE, content[:2])
                return None
            if opcode == _TEXT:
                message: dict[str, Any] = json.loads(content)
                return message
            if opcode == _PING:
                # The official client sends its heartbeat as the payload of a ping.
                self._frame(_PONG, content)
