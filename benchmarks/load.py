"""The load generator: a lean HTTP client with kept connections, in its own process and so its own interpreter.

`python -m benchmarks.load SPEC` takes the JSON of a `Spec` and prints the JSON of a `Result`.
"""

import json
import random
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from app.child_process import end_with_parent

_NUMBER = b"########"
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_ACCEPTED = b'"accepted"'


@dataclass(frozen=True, slots=True)
class Spec:
    """What to send.

    `rate` is alerts a second, at random times. None: each connection sends its next alert when its last is answered.
    """

    port: int
    seconds: float
    first: int  # number of the first alert; each alert of a run has its own number
    secret: str
    connections: int = 16
    rate: float | None = None
    symbols: int = 100_000  # how many symbols are used in turn
    stamps: bool = False


@dataclass(slots=True)
class Result:
    """What came back. `stamps` has times in nanoseconds of the machine's clock."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # milliseconds
    statuses: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    stamps: list[tuple[int, int, int]] = field(default_factory=list)  # number, sent, answered


@dataclass(eq=False, slots=True)
class _Line:
    """One connection, and the request that it carries now."""

    socket: socket.socket
    number: int = 0
    due: int = 0
    sent: int = 0
    answer: bytes = b""


class Load:
    """Send alerts, and measure how long each takes to be answered."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._result = Result()
        self._statuses: Counter[str] = Counter()
        self._template = _template(spec)
        self._number = spec.first
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        for _ in range(spec.connections):
            self._connect()

    def _connect(self) -> _Line:
        connection = socket.create_connection(("127.0.0.1", self._spec.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(connection)
        self._lines[connection.fileno()] = line
        self._poll.register(connection.fileno(), select.EPOLLIN)
        return line

    def run(self) -> Result:
        """Send until the time is over, and wait for the last answers."""
        began = time.perf_counter()
        if self._spec.rate is None:
            self._closed(began + self._spec.seconds)
        else:
            self._open(began, self._spec.rate)
        self._result.seconds = time.perf_counter() - began
        self._result.statuses = dict(self._statuses)
        return self._result

    def _closed(self, end: float) -> None:
        """Let every connection send its next alert when its last one is answered."""
        busy = len(self._lines)
        for line in list(self._lines.values()):
            self._send(line)
        while busy:
            for line in self._answered(1.0):
                if time.perf_counter() < end:
                    self._send(line)
                else:
                    busy -= 1

    def _open(self, began: float, rate: float) -> None:
        """Send each alert when it is due, however slowly the server answers.

        An alert that is due while no connection is free waits for one, and that wait counts as latency.
        """
        idle, waiting = deque(self._lines.values()), deque(self._times(rate))
        busy, none_free_until = 0, -1.0
        while waiting or busy:
            now = time.perf_counter() - began
            while waiting and waiting[0] <= now and idle:
                at = waiting.popleft()
                due = time.time_ns() - int((now - at) * 1e9)
                self._send(idle.popleft(), due=due if at <= none_free_until else 0)
                busy += 1
            gap = waiting[0] - now if waiting and idle else 1.0
            was_free = bool(idle)
            for line in self._answered(max(gap, 0.0)):
                idle.append(line)
                busy -= 1
            if not was_free:
                none_free_until = time.perf_counter() - began

    def _times(self, rate: float) -> Iterator[float]:
        chance, at = random.Random(7), 0.0
        while (at := at + chance.expovariate(rate)) < self._spec.seconds:
            yield at

    def _send(self, line: _Line, due: int = 0) -> None:
        line.number = self._number
        self._number += 1
        request = self._template.replace(_NUMBER, b"%08d" % line.number)
        request = request.replace(b"@@@@@@@@", b"%08d" % (line.number % self._spec.symbols))
        line.sent = time.time_ns()
        line.due = due or line.sent
        line.socket.sendall(request)

    def _answered(self, timeout: float) -> list[_Line]:
        done = []
        for handle, _ in self._poll.poll(timeout):
            line = self._lines[handle]
            data = line.socket.recv(65536)
            line.answer += data
            if not data:
                self._statuses["closed"] += 1
                line = self._renew(line)
            elif not _is_whole(line.answer):
                continue
            else:
                self._note(line)
            done.append(line)
        return done

    def _renew(self, line: _Line) -> _Line:
        """Replace a connection that the server closed."""
        self._poll.unregister(line.socket.fileno())
        del self._lines[line.socket.fileno()]
        line.socket.close()
        return self._connect()

    def _note(self, line: _Line) -> None:
        now = time.time_ns()
        self._statuses[line.answer[9:12].decode()] += 1
        self._result.accepted += _ACCEPTED in line.answer
        self._result.latencies.append((now - line.due) / 1e6)
        if self._spec.stamps:
            self._result.stamps.append((line.number, line.sent, now))
        line.answer = b""


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(_HEAD_END)
    if not end:
        return False
    length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
    return len(body) >= int(length or b"0")


def _template(spec: Spec) -> bytes:
    """A request with a native alert, which has placeholders for its number. Every request has the same length."""
    body = json.dumps(
        {
            "secret_key": spec.secret,
            "execution_type": "ENTRY",
            "strategy_name": "STRATEGY########",
            "exchange": "NFO",
            "signal_id": "signal-########",
            "legs": [
                {
                    "tradingsymbol": "SYM@@@@@@@@CE",
                    "direction": "BUY",
                    "qty": 50,
                    "product_type": "MIS",
                    "order_type": "LIMIT",
                    "price": 112.5,
                }
            ],
        }
    ).encode()
    head = (
        "POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Send the load that the first argument describes."""
    end_with_parent()
    load = Load(Spec(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(asdict(load.run())))


if __name__ == "__main__":
    main()
