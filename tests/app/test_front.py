"""No sender that is slow, silent, garbled or lingering holds a thread, or delays anybody else."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.serving import CONNECTIONS, REQUEST_SECONDS
from tests.app.slow_senders import GARBAGE, HALF_A_BODY, HALF_A_CHUNK, HALF_A_HEAD, slow_senders
from tests.e2e.service import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
HEAD = b"POST /webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
CHUNK = b"400\r\n" + b"x" * 1024 + b"\r\n"


class Served:
    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.process = process

    def ask(self, raw: bytes, timeout: float = 10) -> bytes:
        """All that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            with contextlib.suppress(OSError):  # it may be cut off while it sends
                connection.sendall(raw)
            return rest_of(connection)

    def post(self, body: bytes, path: str = "/webhook") -> bytes:
        head = HEAD.replace(b"/webhook", path.encode())
        return self.ask(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def rest_of(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("front") / "log") as it:
        yield it


@contextlib.contextmanager
def serving(log: Path) -> Iterator[Served]:
    port = free_port()
    with log.open("wb") as out:
        command = [sys.executable, "-m", "tests.app.serving", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
    it = Served(port, process)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return it.post(b"x").startswith(b"HTTP/1.1 200")
        return False

    try:
        wait_for(answers, 20, "the front to answer")
        yield it
    finally:
        process.kill()
        process.wait(10)


def test_slow_senders_delay_nobody(served: Served) -> None:
    with slow_senders(served.port, CONNECTIONS - 10):
        began = time.monotonic()
        for _ in range(10):
            assert served.post(b"hello").endswith(b"\r\n\r\nhello")
        assert time.monotonic() - began < 1.0  # 5 ms each; a thread held would be seconds


def test_more_connections_than_the_cap_keep_no_honest_sender_out(served: Served) -> None:
    # Each time anew: on a slow machine those of before are over by their deadline.
    for _ in range(6):
        with slow_senders(served.port, CONNECTIONS + 5):
            for _ in range(2):
                assert served.post(b"hello").endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("raw", [HALF_A_HEAD, HALF_A_BODY, HALF_A_CHUNK, b""])
def test_a_request_that_does_not_come_whole_ends_with_408(served: Served, raw: bytes) -> None:
    began = time.monotonic()
    assert served.ask(raw).startswith(b"HTTP/1.1 408 ")
    assert REQUEST_SECONDS - 0.1 < time.monotonic() - began < REQUEST_SECONDS + 2


def test_a_trickle_does_not_prolong_the_deadline(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 5:
                connection.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < REQUEST_SECONDS + 2


def test_a_request_behind_another_has_a_deadline_too(served: Served) -> None:
    whole = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    answer = served.ask(whole + HALF_A_BODY)
    assert answer.count(b"HTTP/1.1 ") == 2 and b"HTTP/1.1 408 " in answer


def test_an_answer_that_is_never_read_holds_no_thread_and_ends(served: Served) -> None:
    request = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    opened = [socket.create_connection(("127.0.0.1", served.port), timeout=10) for _ in range(5)]
    try:
        for connection in opened:  # more than there are threads
            connection.sendall(request)
        time.sleep(0.3)
        assert served.post(b"hello", "/page").endswith(b"hello")
        time.sleep(REQUEST_SECONDS + 0.5)
        assert len(rest_of(opened[0])) < 30_000_000  # it was cut off
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (GARBAGE, b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 3x\r\n\r\nabc", b"400"),
        (HEAD + b"Content-Length: -1\r\n\r\nabc", b"400"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
        (HEAD + b"no colon\r\n\r\n", b"400"),
        (HEAD + b": empty\r\n\r\n", b"400"),
        (HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"POST /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"POST /webhook HTTP/9.9\r\nHost: x\r\n\r\n", b"400"),
        (b"P\xff /webhook HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST http://[x/webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 2049\r\n\r\n" + b"x" * 2049, b"413"),
        (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nx", b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 3 + b"0\r\n\r\n", b"413"),
    ],
)  # fmt: skip
def test_what_is_malformed_or_too_large_is_the_senders_fault(
    served: Served, raw: bytes, status: bytes
) -> None:
    assert served.ask(raw)[9:12] == status


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"GET http://x/some/path?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"/some/path"),
        (b"GET /a%2Fb%41 HTTP/1.0\r\n\r\n", b"/a/bA"),
        (b"GET /%ff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\nCookie: \xff\xfe\r\nConnection: close\r\n\r\n", b"/"),
        (b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n", b"/ws"),
    ],
)
def test_odd_requests_are_answered_without_an_error_of_ours(
    served: Served, raw: bytes, path: bytes | None
) -> None:
    answer = served.ask(raw)
    assert answer[9:10] in b"24"
    assert path is None or b"x-path: " + path + b"\r\n" in answer.lower().replace(path.lower(), path)


def test_a_body_in_chunks_arrives_whole(served: Served) -> None:
    answer = served.ask(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nabcde")


def test_an_error_of_the_application_is_500_and_its_thread_lives(served: Served) -> None:
    for _ in range(5):  # more than there are threads
        assert served.post(b"x", "/fails").startswith(b"HTTP/1.1 500 ")
    assert served.post(b"x").startswith(b"HTTP/1.1 200 ")


def test_a_whole_alert_is_carried_out_though_its_sender_left(tmp_path: Path) -> None:
    with serving(tmp_path / "log") as served:
        # 5 s of work for two threads: the last begin after the tasks of their senders were cancelled.
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", served.port)) as connection:
                connection.sendall(b"POST /webhook/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
                time.sleep(0.05)
        wait_for(lambda: served.post(b"", "/done").endswith(b"\r\n\r\n20"), 15, "all of them to be done")


def test_a_stop_waits_for_no_idle_or_silent_sender(tmp_path: Path) -> None:
    with serving(tmp_path / "log") as served:
        with slow_senders(served.port, 20) as opened, contextlib.closing(opened[3]):
            time.sleep(0.1)
            served.process.send_signal(signal.SIGTERM)
            wait_for(lambda: served.process.poll() == 0, 6, "the server to end")
        assert "Traceback" not in (tmp_path / "log").read_text()
