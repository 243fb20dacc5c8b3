"""A server on loopback that answers each call exactly as it is told, and notes what came."""

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from broker.http_calls import HttpCalls
from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator, WireResponse

Answer = Callable[[], WireResponse | None]


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True))


def says(body: Any, status: int = 200) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda: WireResponse(status, content)


def hangs_up() -> None:
    return None


def slow(seconds: float, then: Answer) -> Answer:
    def answer() -> WireResponse | None:
        time.sleep(seconds)
        return then()

    return answer


def connect_slowly(monkeypatch, clock, seconds: float) -> None:
    """Let each new connection take so long on the clock, as with a slow name server."""
    new_session = HttpCalls._new_session

    def slow_session(self):
        clock.advance(seconds=seconds)
        return new_session(self)

    monkeypatch.setattr(HttpCalls, "_new_session", slow_session)


class Stub:
    """Answers by method and path; the last answer to a path stays. Without one: a 404.

    `told`: the answers with which it begins.
    """

    def __init__(self, clock: Any, told: Mapping[str, Answer]) -> None:
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, str], deque[Answer]] = {}
        self._server = SimulatorServer(Simulator(clock), route=self._take)
        self.url = self._server.url
        for call, answer in told.items():
            self.tell(call, answer)
        self._server.start()

    def tell(self, call: str, *answers: Answer) -> None:
        method, _, path = call.partition(" ")
        self._answers[method, path] = deque(answers)

    def made(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def stop(self) -> None:
        self._server.stop()

    def _take(self, method: str, path: str, headers: Any, body: bytes) -> WireResponse | None:
        if len(body) < int(headers.get("Content-Length") or 0):
            return None  # its body never came: it was given up before it was sent
        self.calls.append(Call(method, path.strip("/"), dict(headers), body))
        answers = self._answers.get((method, path.partition("?")[0].strip("/")))
        if answers is None:
            return WireResponse(404, b"Not Found", "text/plain")
        return answers[0]() if len(answers) == 1 else answers.popleft()()
