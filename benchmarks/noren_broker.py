"""A slow broker on the Noren wire, in its own process, with a list of the calls that reached it and when.

`python -m benchmarks.noren_broker PORT FILE MILLISECONDS` serves. Each call is answered after so many milliseconds.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from app.child_process import end_with_parent
from app.system import SystemClock
from benchmarks.workspace import Started, Workspace, answers, free_port, wait_until
from broker.simulator.faults import Fault, FaultKind, FaultPlan
from broker.simulator.form import InvalidInput, read_form
from broker.simulator.server import SimulatorServer
from broker.simulator.service import OAUTH_BASE, Simulator, WireResponse
from broker.simulator.sessions import Credentials

_USER, _TOKEN = "BENCH", "token"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call at the broker: when it arrived (seconds of the machine's clock), its endpoint, and its order's tag."""

    at: float
    endpoint: str
    tag: str


@dataclass(frozen=True, slots=True)
class NorenProcess:
    """The broker's address, and the file of the calls that it recorded."""

    url: str
    notes: Path

    def arrivals(self) -> list[Arrival]:
        """Every call so far, in the order of arrival."""
        lines = self.notes.read_text(encoding="utf-8").splitlines()
        return sorted((Arrival(*json.loads(line)) for line in lines), key=lambda each: each.at)

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a service that trades here."""
        return {
            "BROKER": "shoonya",
            "LIVE_TRADING": "true",
            "SHOONYA_API_URL": f"{self.url}/{OAUTH_BASE}",
            "SHOONYA_USER_ID": _USER,
            "SHOONYA_ACCESS_TOKEN": _TOKEN,
            "SHOONYA_CALLS_PER_MINUTE": 0,  # the rate of a second is measured; a minute's limit would end it
        }


def start(workspace: Workspace, notes: Path, *, milliseconds: int) -> tuple[NorenProcess, Started]:
    """Start a broker that takes `milliseconds` for each call. Return once it answers."""
    port = free_port()
    command = ["-m", "benchmarks.noren_broker", str(port), str(notes), str(milliseconds)]
    started = workspace.start("noren", command, {})
    wait_until(lambda: answers(port, "/_calls"), 20, started)
    return NorenProcess(f"http://127.0.0.1:{port}", notes), started


class _Noting(Simulator):
    """A simulator that records each call before it does anything else with it."""

    def __init__(self, notes: Path, milliseconds: int) -> None:
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        latency = Fault(kind=FaultKind.LATENCY, seconds=milliseconds / 1000)
        super().__init__(
            SystemClock(),
            plan=FaultPlan(faults=(latency,)),
            accounts={_USER: Credentials(access_token=_TOKEN)},
        )

    def handle(self, base: str, endpoint: str, body: bytes, bearer: str | None) -> WireResponse | None:
        at = time.time()
        try:
            tag = read_form(body)[0].get("remarks", "")
        except InvalidInput:
            tag = ""
        os.write(self._notes, json.dumps([at, endpoint, tag]).encode() + b"\n")
        return super().handle(base, endpoint, body, bearer)


def main() -> None:
    """Serve until SIGTERM."""
    end_with_parent()
    port, notes, milliseconds = sys.argv[1:4]
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    server = SimulatorServer(_Noting(Path(notes), int(milliseconds)), port=int(port))
    server.start()
    ending.wait()
    server.stop()


if __name__ == "__main__":
    main()
