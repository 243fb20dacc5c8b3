"""What ends is started again, what is stopped is noticed, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.stopped_holder import is_stopped
from tests.e2e.service import Service, alert, wait_for


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    settings = {"WATCHER_STALL_SECONDS": "3", "BROKER_DEADLINE_SECONDS": "2", "WATCHER_POLL_SECONDS": "0.5"}
    with Service(tmp_path, **settings) as running:
        yield running


def executes(service: Service, symbol: str) -> bool:
    try:
        id_ = service.post(alert(symbol=symbol, strategy_name=symbol)).json()["legs"][0]["command_id"]
    except requests.ConnectionError:
        return False
    return service.settled(id_, 20)["status"] == "EXECUTED"


def test_a_watcher_that_is_killed_is_started_again_and_told_of(service: Service) -> None:
    first = service.pid_of("watch")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: _running(service, "watch", other_than=first), 10, "a new watcher")
    assert executes(service, "AFTER")
    wait_for(lambda: _told(service, "ended unexpectedly"), 10, "the message")


def test_a_watcher_that_is_stopped_is_replaced(service: Service) -> None:
    first = service.pid_of("watch")
    os.kill(first, signal.SIGSTOP)
    id_ = service.post(alert()).json()["legs"][0]["command_id"]
    wait_for(lambda: _running(service, "watch", other_than=first), 20, "a new watcher")
    assert service.settled(id_, 20)["status"] == "EXECUTED"
    assert _told(service, "ended unexpectedly")


_STOPS_IN_A_WRITE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.parametrize("who", ["the watcher", "a process in a write"])
def test_with_the_settings_as_they_come_an_exit_waits_no_longer_than_fifteen_seconds(
    tmp_path: Path, who: str
) -> None:
    with Service(tmp_path) as service:
        entry = service.post(alert()).json()["legs"][0]["command_id"]
        assert service.settled(entry, 20)["status"] == "EXECUTED"
        if who == "the watcher":
            os.kill(service.pid_of("watch"), signal.SIGSTOP)
        else:
            stopped = subprocess.Popen(
                [sys.executable, "-c", _STOPS_IN_A_WRITE, service.settings["ORDERS_DB"]]
            )
            wait_for(lambda: is_stopped(stopped.pid), 10, "the process to be stopped")
        began = time.monotonic()
        while True:  # as a sender does whose alert could not be made durable
            answer = service.post(
                alert(execution_type="EXIT", direction="SELL", order_type="MARKET", price=None)
            )
            if answer.status_code == 200:
                break
            time.sleep(0.5)
        left = answer.json()["legs"][0]["command_id"]
        assert service.settled(left, 20)["status"] == "EXECUTED"
        assert time.monotonic() - began < 15


def test_a_web_server_that_is_killed_is_started_again(service: Service) -> None:
    first = service.pid_of("web")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: _running(service, "web", other_than=first), 15, "a new web server")
    # Workers of the one that was killed may answer a last time, or break off: a sender would try again, as this does.
    tries = iter(range(100))
    wait_for(lambda: executes(service, f"AFTER{next(tries)}"), 20, "an order")


def test_children_end_with_a_supervisor_that_is_killed(service: Service) -> None:
    watcher, web = service.pid_of("watch"), service.pid_of("web")
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGKILL)
    for pid in (watcher, web):
        wait_for(lambda pid=pid: not _alive(pid), 25, f"process {pid} to end")  # type: ignore[misc]
    service.process.wait(5)
    service.start()
    assert executes(service, "AFTER")


def test_sigterm_ends_everything_in_order(service: Service) -> None:
    watcher, web = service.pid_of("watch"), service.pid_of("web")
    assert service.stop() == 0
    assert not _alive(watcher)
    assert not _alive(web)
    assert service.rows("SELECT count(*) FROM heartbeats") == [(0,)]


def _running(service: Service, role: str, *, other_than: int) -> bool:
    try:
        return service.pid_of(role) != other_than
    except AssertionError:
        return False


def _told(service: Service, words: str) -> bool:
    return any(words in row[0] for row in service.rows("SELECT message FROM telegram_messages"))


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
