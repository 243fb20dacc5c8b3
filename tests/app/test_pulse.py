"""What the supervisor hears of a child: a stopped one is replaced within seconds, one that starts has more time."""

import os
import signal
import time
from functools import partial

import pytest

from app import supervisor
from app.supervisor import Child, HeartbeatPipe, Supervisor


def _beat(pipe: int) -> int:
    while True:
        os.write(pipe, b".")
        time.sleep(0.05)


def test_a_child_that_starts_has_longer_than_one_that_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_START_SECONDS", 0.6)
    pulse = HeartbeatPipe(0.1)
    time.sleep(0.2)
    assert not pulse.is_lost()
    os.write(pulse.writing, b".")
    assert not pulse.is_lost()
    time.sleep(0.2)
    assert pulse.is_lost()
    pulse.begin()
    time.sleep(0.2)
    assert not pulse.is_lost()
    time.sleep(0.6)
    assert pulse.is_lost()


def test_a_stopped_child_is_killed_and_started_anew() -> None:
    pulse = HeartbeatPipe(0.5)
    child = Child("watcher", partial(_beat, pulse.writing), ("a test", "watch"), pulse)
    child.start()
    assert pulse.wait(20)
    child.look()
    first = child.process
    assert first is not None
    os.kill(first.pid, signal.SIGSTOP)
    began = time.monotonic()
    while (child.process is None or child.process is first) and time.monotonic() - began < 10:
        child.look()
        time.sleep(0.02)
    assert child.process is not None and child.process is not first
    assert first.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 5
    child.process.kill()
    child.process.wait()


def test_an_error_of_the_supervisor_leaves_no_child_behind() -> None:
    """Whoever started it starts it again; what is left would hold the port, with nobody to watch over it."""

    def fail() -> None:
        raise OSError("as it must not")

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        child = Child("web", partial(_beat, HeartbeatPipe(60).writing), ("a test", "web"))
        with pytest.raises(OSError, match="as it must not"):
            Supervisor([child], free_locks=fail).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert child.process is not None and child.process.returncode == -signal.SIGTERM
