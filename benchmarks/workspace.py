"""The folder and the processes of one run. Both are gone when the run ends, however it ends."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from benchmarks.usage import tree_of

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 12.0


class Failed(Exception):
    """A benchmark could not be run."""


class Started:
    """A child process. Its output goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output
        self.pid = process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float) -> str:
        """Wait until the process has ended, and return its output.

        Raises:
            Failed: it ended with an error, or not in time.
        """
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {seconds:g} s") from None
        if status:
            raise Failed(f"{self.name} ended with {status}: {self.tail()}")
        return self._output.read_text(encoding="utf-8")

    @property
    def name(self) -> str:
        return self._output.stem

    def tail(self) -> str:
        """The end of its output."""
        return self._output.read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the process and all that it started."""
        family = tree_of(self.pid) if self.is_running else []
        self._process.send_signal(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in family[1:]:
            _kill(pid)

    def kill(self) -> None:
        """Kill the process at once, at whatever instruction it is."""
        self._process.kill()
        self._process.wait()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Workspace:
    """A temporary folder, and all processes that were started in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="orderwatch-bench-"))
        self._started: list[Started] = []

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def drop(self, folder: Path) -> None:
        """Free a folder's disk space before the run ends."""
        shutil.rmtree(folder, ignore_errors=True)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Started:
        """Start `python COMMAND` with only this environment and `PYTHONPATH`, in a folder without a settings file."""
        output = self.folder / f"{name}-{len(self._started)}.log"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *command],
                env={**environment, "PYTHONPATH": str(ROOT)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        started = Started(process, output)
        self._started.append(started)
        return started

    def stop_all(self) -> None:
        """End every process that still runs, the last started first."""
        for started in reversed(self._started):
            if started.is_running:
                started.stop()


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: Callable[[], bool], seconds: float, started: Started, *, every: float = 0.02) -> float:
    """Wait until `what` is true, and return how many seconds that took.

    Raises:
        Failed: it did not become true within `seconds`, or the process ended.
    """
    began = time.monotonic()
    while not what():
        if not started.is_running:
            raise Failed(f"{started.name} ended: {started.tail()}")
        if time.monotonic() - began > seconds:
            raise Failed(f"{started.name}: nothing after {seconds:g} s: {started.tail()}")
        time.sleep(every)
    return time.monotonic() - began


def answers(port: int, path: str = "/healthz") -> bool:
    """True when a server answers at this port with a status below 500."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()
