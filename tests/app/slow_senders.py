"""Senders that begin and do not end: half a head, half a body, garbage, answers that are never read."""

import contextlib
import socket
from collections.abc import Iterator

HALF_A_HEAD = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Le"
HALF_A_BODY = b'POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"secret_key": '
HALF_A_CHUNK = b"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"
GARBAGE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no request\r\n\r\n"
NEVER_READ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
KINDS = (HALF_A_HEAD, HALF_A_BODY, GARBAGE, NEVER_READ, HALF_A_CHUNK, b"")


@contextlib.contextmanager
def slow_senders(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many open connections, of every kind in turn."""
    opened = []
    try:
        for number in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            opened.append(connection)
            with contextlib.suppress(OSError):  # it may be cut off already
                connection.sendall(KINDS[number % len(KINDS)])
        yield opened
    finally:
        for connection in opened:
            connection.close()
