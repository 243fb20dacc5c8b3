"""Order updates: the messages of both eras, and that nothing a broker does to the connection ever raises."""

import base64
import hashlib
import json
import socket
import struct
import threading
import time

import pytest

from broker.noren import order_stream
from broker.noren.order_stream import OrderUpdates
from broker.sessions import LoginFailed
from tests.broker.noren.making import make

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Peer:
    """The broker's side of one connection."""

    def __init__(self, connection):
        self._connection = connection
        self._stream = connection.makefile("rb")

    def shake_hands(self):
        lines = []
        while (line := self._stream.readline().strip()) != b"":
            lines.append(line.decode())
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        raw = dict(line.split(": ", 1) for line in lines[1:])
        assert headers["upgrade"] == "websocket"
        accept = base64.b64encode(hashlib.sha1((raw["Sec-WebSocket-Key"] + MAGIC).encode()).digest()).decode()
        self._connection.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )

    def receive(self):
        head = self._stream.read(2)
        length = head[1] & 127
        if length == 126:
            (length,) = struct.unpack(">H", self._stream.read(2))
        mask, data = self._stream.read(4), self._stream.read(length)
        return json.loads(bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def send(self, message):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert len(data) < 126
        self._connection.sendall(bytes([0x81, len(data)]) + data)

    def close(self):
        self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


def accept(listener):
    connection, _ = listener.accept()
    connection.settimeout(5)
    peer = Peer(connection)
    peer.shake_hands()
    return peer


class Nudges:
    def __init__(self):
        self._arrived = threading.Semaphore(0)

    def __call__(self):
        self._arrived.release()

    def came(self, timeout=3.0):
        return self._arrived.acquire(timeout=timeout)


@pytest.fixture
def listening(listener):
    started = []

    def start(*, bearer=False, key=lambda: "key1"):
        nudges = Nudges()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        made = OrderUpdates(url, "FA1", key, nudges, bearer=bearer, wait=lambda seconds: time.sleep(0.01))
        started.append(made)
        made.start()
        return nudges

    yield start
    for made in started:
        made.stop()
        thread = made._thread
        assert thread is not None
        thread.join(3)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("bearer", "hello", "ack"),
    [
        (False, {"t": "c", "uid": "FA1", "actid": "FA1", "source": "API", "susertoken": "key1"}, "ck"),
        (True, {"t": "a", "uid": "FA1", "actid": "FA1", "source": "API", "accesstoken": "key1"}, "ak"),
    ],
)
def test_each_era_says_hello_and_subscribes(listener, listening, bearer, hello, ack):
    nudges = listening(bearer=bearer)
    peer = accept(listener)
    assert peer.receive() == hello
    peer.send({"t": ack, "s": "OK", "uid": "FA1"})
    assert peer.receive() == {"t": "o", "actid": "FA1"}
    assert nudges.came()
    peer.send({"t": "om", "norenordno": "1", "status": "OPEN", "reporttype": "Fill"})
    assert nudges.came()
    for other in ({"t": "hk"}, {"t": "ok"}, {"x": 1}, [1], b"nonsense"):
        peer.send(other)
    assert not nudges.came(0.1)
    peer.send({"T": "om", "t": "om"})
    assert nudges.came()


def test_it_comes_back_after_the_connection_was_lost(listener, listening):
    nudges = listening()
    for _ in range(3):
        peer = accept(listener)
        assert peer.receive()["t"] == "c"
        peer.send({"t": "ck", "s": "OK"})
        assert nudges.came()
        peer.close()


def test_it_comes_back_after_it_was_refused(listener, listening):
    nudges = listening()
    peer = accept(listener)
    peer.receive()
    peer.send({"t": "ck", "s": "NOT_OK"})
    peer = accept(listener)
    peer.receive()
    peer.send({"t": "ck", "s": "Ok"})
    assert nudges.came()


def test_a_server_that_is_no_websocket_is_tried_again(listener, listening):
    nudges = listening()
    connection, _ = listener.accept()
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    connection.close()
    peer = accept(listener)
    peer.receive()
    peer.send({"t": "ck", "s": "OK"})
    assert nudges.came()


def test_without_a_session_it_waits_for_one(listener, listening):
    answers = iter([LoginFailed("no", "401"), LoginFailed("no", "401"), "key3"])

    def key():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    listening(key=key)
    for _ in range(2):
        accept(listener)
    assert accept(listener).receive()["susertoken"] == "key3"


def test_heartbeats_go_out_and_silence_ends_the_connection(listener, listening, monkeypatch):
    monkeypatch.setattr(order_stream, "_HEARTBEAT", 0.05)
    monkeypatch.setattr(order_stream, "_SILENCE", 0.3)
    monkeypatch.setattr(order_stream, "_LOOK", 0.05)
    listening()
    peer = accept(listener)
    peer.receive()
    peer.send({"t": "ck", "s": "OK"})
    assert peer.receive() == {"t": "o", "actid": "FA1"}
    assert peer.receive() == {"t": "h"}
    assert accept(listener).receive()["t"] == "c"


def test_waits_between_attempts_grow():
    waits: list[float] = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 9:
            made.stop()

    made = OrderUpdates("ws://127.0.0.1:1/", "FA1", lambda: "k", lambda: None, bearer=False, wait=wait)
    made._run()
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]


@pytest.mark.parametrize(("lasted", "wanted"), [(1, [2, 4, 8, 16, 32, 60]), (61, [1, 1, 1, 1, 1, 1])])
def test_a_connection_that_is_cut_soon_is_not_made_again_at_once(monkeypatch, lasted, wanted):
    """Some brokers keep one connection for a token: two listeners would cut each other each second, all day."""
    seconds = iter(range(0, 10_000, lasted))
    monkeypatch.setattr("broker.noren.order_stream.time.monotonic", lambda: next(seconds))
    waits: list[float] = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == len(wanted):
            made.stop()

    made = OrderUpdates("ws://127.0.0.1:1/", "FA1", lambda: "k", lambda: None, bearer=False, wait=wait)
    monkeypatch.setattr(made, "_listen", lambda: setattr(made, "_worked", True))
    made._run()
    assert waits == wanted


def test_only_an_account_with_an_address_listens(clock, tmp_path):
    assert make("http://127.0.0.1:1", clock, tmp_path).updates(lambda: None) is None
    assert (
        make("http://127.0.0.1:1", clock, tmp_path, ws_url="ws://127.0.0.1:1/").updates(lambda: None)
        is not None
    )
