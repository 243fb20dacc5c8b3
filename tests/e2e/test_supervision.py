"""What ends is started again, what is stopped is noticed, and nothing is left behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

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


def test_a_watcher_that_is_stopped_makes_the_service_not_ready_and_is_replaced(service: Service) -> None:
    first = service.pid_of("watch")
    os.kill(first, signal.SIGSTOP)
    id_ = service.post(alert()).json()["legs"][0]["command_id"]
    wait_for(lambda: not service.is_ready(), 20, "/readyz to say so")
    wait_for(lambda: _running(service, "watch", other_than=first), 20, "a new watcher")
    assert service.settled(id_, 20)["status"] == "EXECUTED"
    assert _told(service, "ended unexpectedly")


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
