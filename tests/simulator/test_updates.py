"""Order updates go wrong on demand, and the orders that they tell of do not."""

import json
import time
from collections.abc import Iterator

import pytest
import websocket

from broker.simulator.stream import UpdateStream
from tests.simulator.wire import USER, Wire, resting


class Subscriber:
    """A client of the stream that has subscribed to its account's updates."""

    def __init__(self, url: str, key: str) -> None:
        self._socket = websocket.create_connection(url, timeout=5)
        self._send(t="c", uid=USER, actid=USER, source="API", susertoken=key)
        self._send(t="o", actid=USER)
        assert [self._receive()["t"] for _ in range(2)] == ["ck", "ok"]

    def updates(self, count: int) -> list[tuple[str, str]]:
        """The next updates: whose, and what happened."""
        received = [self._receive() for _ in range(count)]
        return [(update["remarks"], update["reporttype"]) for update in received]

    def close(self) -> None:
        self._socket.close()

    def _send(self, **message: str) -> None:
        self._socket.send(json.dumps(message))

    def _receive(self) -> dict[str, str]:
        message: dict[str, str] = json.loads(self._socket.recv())
        return message


@pytest.fixture
def stream(server) -> Iterator[UpdateStream]:
    stream = UpdateStream(server.simulator)
    stream.start()
    yield stream
    stream.stop()


@pytest.fixture
def subscriber(stream, wire) -> Iterator[Subscriber]:
    wire.mark("112.5")
    subscriber = Subscriber(stream.url, wire.key)
    yield subscriber
    subscriber.close()


def test_an_update_may_be_lost(wire, subscriber):
    wire.faults({"kind": "lost_update", "times": 1})
    wire.placed("1", **resting())
    assert subscriber.updates(1) == [("1", "New")]


def test_an_update_may_come_twice(wire, subscriber):
    wire.faults({"kind": "duplicated_update", "times": 1})
    wire.placed("1", **resting())
    assert subscriber.updates(3) == [("1", "NewAck"), ("1", "NewAck"), ("1", "New")]


def test_an_update_may_come_after_the_next(wire, subscriber):
    wire.faults({"kind": "reordered_update", "times": 1})
    wire.placed("1", **resting())
    assert subscriber.updates(2) == [("1", "New"), ("1", "NewAck")]


def test_the_stream_may_be_cut_and_taken_up_again(wire, stream, subscriber):
    wire.faults({"kind": "cut_stream", "times": 1})
    wire.placed("1")
    with pytest.raises((websocket.WebSocketException, OSError, ValueError)):
        subscriber.updates(1)
    again = Subscriber(stream.url, wire.key)
    wire.placed("2", **resting())
    assert again.updates(2) == [("2", "NewAck"), ("2", "New")]
    again.close()


def test_faults_of_calls_leave_the_stream_alone_and_its_faults_leave_calls_alone(wire, subscriber):
    wire.faults({"kind": "lost_update"}, {"kind": "latency", "seconds": 0.01})
    wire.placed("1", **resting())
    struck = {fault["kind"]: fault["struck"] for fault in Wire(wire.url).state()["faults"]}
    give_up = time.monotonic() + 5
    while struck["lost_update"] < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
        struck = {fault["kind"]: fault["struck"] for fault in Wire(wire.url).state()["faults"]}
    assert struck == {"lost_update": 2, "latency": 1}
